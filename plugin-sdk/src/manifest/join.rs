//! The array of a body that is joined with others: found in the text, so that nothing around it is parsed and written
//! anew.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

/// Where a body's array stands.
#[derive(Debug)]
pub struct Opened<'a> {
    /// All before what stands inside the array, with its opening bracket.
    pub before: &'a [u8],
    /// What stands between its brackets.
    pub inside: &'a [u8],
    /// All after that, with its closing bracket.
    pub after: &'a [u8],
    array: &'a [u8],
}

impl Opened<'_> {
    /// The elements of the array, as they are written; `None` if it is none.
    pub fn elements(&self) -> Option<Vec<&RawValue>> {
        serde_json::from_slice(self.array).ok()
    }
}

/// Finds the array at a JSON pointer of a body.
pub fn open_array<'a>(body: &'a [u8], pointer: &str) -> Option<Opened<'a>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut raw: &RawValue = serde_json::from_str(text).ok()?;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        let object: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(raw.get()).ok()?;
        raw = object.get(name.as_str())?;
    }
    let array = raw.get();
    if !array.starts_with('[') || !array.ends_with(']') {
        return None;
    }
    // A raw value borrows from the text it was parsed from, so its place there is the distance of their addresses.
    let start = (array.as_ptr() as usize).checked_sub(text.as_ptr() as usize)? + 1;
    let end = start + array.len() - 2;
    let (before, after) = (body.get(..start)?, body.get(end..)?);
    Some(Opened { before, inside: body.get(start..end)?, after, array: array.as_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>(body: &'a str, pointer: &str) -> Option<[&'a str; 3]> {
        let Opened { before, inside, after, .. } = open_array(body.as_bytes(), pointer)?;
        Some([before, inside, after].map(|part| std::str::from_utf8(part).unwrap()))
    }

    #[test]
    fn an_array_is_found_with_all_that_stands_around_it() {
        assert_eq!(parts("[1, 2]", ""), Some(["[", "1, 2", "]"]));
        let body = r#"{ "t": "[", "a/b": { "data": [ {"x": "]"} ] } }"#;
        assert_eq!(parts(body, "/a~1b/data"), Some([r#"{ "t": "[", "a/b": { "data": ["#, r#" {"x": "]"} "#, "] } }"]));
        assert_eq!(open_array(b"[1, [2, 3]]", "").unwrap().elements().unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_array_there_is_none() {
        for (body, pointer) in [("{}", "/data"), (r#"{"data": {}}"#, "/data"), ("", ""), ("[1", ""), ("[[1]]", "/0")] {
            assert!(open_array(body.as_bytes(), pointer).is_none(), "{body} {pointer}");
        }
    }
}
