//! Walks a TOML document, knowing the line of everything in it, and collects every mistake on the way.
//!
//! Owns what is true of any key: its type, its range, whether it is known. Never stops at a mistake: what cannot be
//! read is reported and absent, and the walk goes on.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Range, RangeInclusive};

use toml_edit::{Array, ArrayOfTables, Item, Table, TableLike, Value};

use super::Surroundings;
use super::mistake::{Mistake, suggestion};

/// What all parts of one walk share.
pub(super) struct Reader<'a> {
    pub(super) surroundings: &'a Surroundings<'a>,
    line_starts: Vec<usize>,
    mistakes: RefCell<Vec<Mistake>>,
    empty: Table,
}

/// What a text is not, and how to mend it.
pub(super) struct Complaint {
    /// Such as `is no socket address`.
    pub(super) what: &'static str,
    pub(super) hint: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &str, surroundings: &'a Surroundings<'a>) -> Reader<'a> {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(index, _)| index + 1);
        let line_starts = std::iter::once(0).chain(ends).collect();
        Reader { surroundings, line_starts, mistakes: RefCell::default(), empty: Table::new() }
    }

    pub(super) fn report(&self, mistake: Mistake) {
        self.mistakes.borrow_mut().push(mistake);
    }

    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes.into_inner()
    }

    pub(super) fn line(&self, span: Option<Range<usize>>) -> Option<usize> {
        span.map(|span| self.line_starts.partition_point(|start| *start <= span.start))
    }

    pub(super) fn root(&'a self, table: &'a Table) -> Section<'a> {
        Section { reader: self, path: String::new(), table, line: None, asked: RefCell::default() }
    }
}

/// A table: `[listen]`, one `[[site]]`, `{ default = "none" }`.
pub(super) struct Section<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) line: Option<usize>,
    path: String,
    table: &'a dyn TableLike,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// The key's value, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Node<'a>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.node(key)
    }

    /// The key's value; its absence is a mistake, mended by adding `example`.
    pub(super) fn required(&self, key: &'static str, example: &str) -> Option<Node<'a>> {
        let node = self.get(key);
        if node.is_none() {
            let missing = Mistake::error(self.line, format!("missing `{}`", self.path_of(key)));
            self.reader.report(missing.hint(format!("add `{key} = {example}`")));
        }
        node
    }

    /// The table of that key; an empty one where it is absent.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        self.get(key).and_then(|node| node.section()).unwrap_or_else(|| Section {
            reader: self.reader,
            line: None,
            path: self.path_of(key),
            table: &self.reader.empty,
            asked: RefCell::default(),
        })
    }

    /// The whole number of that key, within a range.
    pub(super) fn number<N>(&self, key: &'static str, range: RangeInclusive<N>, default: N) -> N
    where
        N: TryFrom<i64> + PartialOrd + fmt::Display,
    {
        self.get(key).and_then(|node| node.number(range)).unwrap_or(default)
    }

    /// The `true` or `false` of that key.
    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        let node = self.get(key)?;
        let flag = node.value().and_then(Value::as_bool);
        flag.or_else(|| node.wrong_type("`true` or `false`"))
    }

    /// The elements of the list of that key; none where it is absent.
    pub(super) fn list(&self, key: &'static str) -> Vec<Node<'a>> {
        self.get(key).and_then(|node| node.list()).unwrap_or_default()
    }

    /// Every entry of a table whose keys are free.
    pub(super) fn entries(&self) -> Vec<(&'a str, Node<'a>)> {
        self.table.iter().filter_map(|(key, _)| Some((key, self.node(key)?))).collect()
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        for (key, node) in self.entries().into_iter().filter(|(key, _)| !asked.contains(key)) {
            let unknown = Mistake::error(node.line, format!("unknown key `{}`", node.path));
            self.reader.report(unknown.hint(suggestion(key, asked.iter().copied())));
        }
    }

    fn node(&self, key: &str) -> Option<Node<'a>> {
        let (spelled, item) = self.table.get_key_value(key)?;
        let raw = match item {
            Item::None => return None,
            Item::Value(value) => Raw::Value(value),
            Item::Table(table) => Raw::Table(table),
            Item::ArrayOfTables(tables) => Raw::Tables(tables),
        };
        // A key's own line is where a person looks; a table made by dotted keys has no other.
        let line = self.reader.line(spelled.span()).or_else(|| self.reader.line(item.span())).or(self.line);
        Some(Node { reader: self.reader, path: self.path_of(key), line, raw })
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// A value, or a table that has not been looked into yet.
pub(super) struct Node<'a> {
    pub(super) reader: &'a Reader<'a>,
    /// Such as `listen.http`.
    pub(super) path: String,
    pub(super) line: Option<usize>,
    raw: Raw<'a>,
}

#[derive(Clone, Copy)]
enum Raw<'a> {
    Value(&'a Value),
    Table(&'a Table),
    Tables(&'a ArrayOfTables),
}

impl<'a> Node<'a> {
    /// Reports a mistake at this value.
    pub(super) fn wrong(&self, what: impl Into<String>, hint: impl Into<String>) {
        self.reader.report(Mistake::error(self.line, what).hint(hint));
    }

    /// Reports a doubt at this value.
    pub(super) fn doubt(&self, what: impl Into<String>, hint: impl Into<String>) {
        self.reader.report(Mistake::warning(self.line, what).hint(hint));
    }

    /// The text that it is.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.value().and_then(Value::as_str).or_else(|| self.wrong_type("a text in quotes"))
    }

    /// What `parse` makes of the text that it is.
    pub(super) fn parsed<T>(&self, parse: impl FnOnce(&str) -> Result<T, Complaint>) -> Option<T> {
        let text = self.text()?;
        parse(text)
            .map_err(|Complaint { what, hint }| self.wrong(format!("`{text}` {what} for `{}`", self.path), hint))
            .ok()
    }

    /// The whole number that it is, within a range.
    pub(super) fn number<N>(&self, range: RangeInclusive<N>) -> Option<N>
    where
        N: TryFrom<i64> + PartialOrd + fmt::Display,
    {
        let Some(given) = self.value().and_then(Value::as_integer) else {
            return self.wrong_type(&format!("a whole number from {} to {}", range.start(), range.end()));
        };
        let number = N::try_from(given).ok().filter(|number| range.contains(number));
        if number.is_none() {
            let hint = format!("from {} to {}", range.start(), range.end());
            self.wrong(format!("`{} = {given}` is out of range", self.path), hint);
        }
        number
    }

    /// The elements of the list that it is.
    pub(super) fn list(&self) -> Option<Vec<Node<'a>>> {
        let list = self.value().and_then(Value::as_array).or_else(|| self.wrong_type("a list in brackets"))?;
        Some(self.elements(list))
    }

    /// The table that it is.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        match self.raw {
            Raw::Table(table) => Some(self.section_of(table)),
            Raw::Value(Value::InlineTable(table)) => Some(self.section_of(table)),
            _ => self.wrong_type(&format!("a table, `[{}]`", self.path)),
        }
    }

    /// The tables that it is: `[[site]]`, or a list of inline tables.
    pub(super) fn sections(&self) -> Option<Vec<Section<'a>>> {
        let of_table =
            |table: &'a Table| Section { line: self.reader.line(table.span()).or(self.line), ..self.section_of(table) };
        match self.raw {
            Raw::Tables(tables) => Some(tables.iter().map(of_table).collect()),
            Raw::Value(Value::Array(list)) => {
                Some(self.elements(list).iter().filter_map(|element| element.section()).collect())
            }
            _ => self.wrong_type(&format!("a list of tables, each beginning with `[[{}]]`", self.path)),
        }
    }

    /// The same value as JSON: dates become text, and a number that JSON does not have is a mistake.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        if let Ok(table) = self.table() {
            let section = self.section_of(table);
            let entries = section.entries().into_iter();
            return entries.map(|(key, node)| Some((key.to_owned(), node.json()?))).collect();
        }
        match self.value()? {
            Value::String(text) => Some(text.value().as_str().into()),
            Value::Integer(number) => Some((*number.value()).into()),
            Value::Float(number) => {
                let json = serde_json::Number::from_f64(*number.value());
                if json.is_none() {
                    self.wrong(format!("`{}` is no finite number", self.path), "");
                }
                json.map(Into::into)
            }
            Value::Boolean(flag) => Some((*flag.value()).into()),
            Value::Datetime(time) => Some(time.value().to_string().into()),
            Value::Array(list) => self.elements(list).iter().map(Node::json).collect(),
            Value::InlineTable(_) => None,
        }
    }

    fn table(&self) -> Result<&'a dyn TableLike, ()> {
        match self.raw {
            Raw::Table(table) => Ok(table),
            Raw::Value(Value::InlineTable(table)) => Ok(table),
            _ => Err(()),
        }
    }

    fn value(&self) -> Option<&'a Value> {
        match self.raw {
            Raw::Value(value) => Some(value),
            Raw::Table(_) | Raw::Tables(_) => None,
        }
    }

    fn elements(&self, list: &'a Array) -> Vec<Node<'a>> {
        let element = |value: &'a Value| Node {
            reader: self.reader,
            path: self.path.clone(),
            line: self.reader.line(value.span()).or(self.line),
            raw: Raw::Value(value),
        };
        list.iter().map(element).collect()
    }

    fn section_of(&self, table: &'a dyn TableLike) -> Section<'a> {
        Section { reader: self.reader, path: self.path.clone(), table, line: self.line, asked: RefCell::default() }
    }

    fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        let found = match self.raw {
            Raw::Table(_) | Raw::Value(Value::InlineTable(_)) => "a table",
            Raw::Tables(_) => "a list of tables",
            Raw::Value(Value::Array(_)) => "a list",
            Raw::Value(Value::String(_)) => "a text",
            Raw::Value(Value::Integer(_)) => "a whole number",
            Raw::Value(Value::Float(_)) => "a fraction",
            Raw::Value(Value::Boolean(_)) => "`true` or `false`",
            Raw::Value(Value::Datetime(_)) => "a date",
        };
        self.wrong(format!("`{}` is {found}", self.path), format!("it has to be {expected}"));
        None
    }
}
