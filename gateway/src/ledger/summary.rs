//! Adds the ledger's entries up: what left for each destination, host, plugin and consent, field by field. Reads every
//! version that was ever written, and says what it could not read.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tidegate_event::{Level, Purposes};
use tidegate_plugin_sdk::manifest::Form;
use tidegate_queue::chain::Link;
use tidegate_queue::{Error, Queue};

use super::DAY_MS;
use super::check::{PAGE, Place};
use super::entry::{Counted, Counts, Description, Entry};
use super::filter::Filter;

/// What left.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The time that the entries count; absent where there is none.
    pub from_ms: Option<u64>,
    pub to_ms: Option<u64>,
    /// How many entries were added up.
    pub entries: u64,
    /// Entries that cannot be read here: somebody changed them, or a newer version wrote them.
    pub unreadable: u64,
    /// Events whose flow is described nowhere that was read.
    pub undescribed: u64,
    /// Processes that wrote some of it and have not said that they ended: they run, or were killed. What a killed one sent
    /// in its last seconds, a minute at most, is named and not counted.
    pub unended: u64,
    pub head: Place,
    pub flows: Vec<Row>,
}

/// What left from one plugin to one host under one consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub destination: String,
    pub host: String,
    /// The plugin's name and version.
    pub plugin: String,
    pub digest: String,
    pub consent: Level,
    pub granted: Purposes,
    #[serde(flatten)]
    pub counts: Counts,
    /// The first and the last time that entries count any of it at.
    pub first_ms: u64,
    pub last_ms: u64,
    /// Field by field, in how many of the events it was; `null`: of deliveries that were stored before that was kept.
    pub fields: Option<Vec<Field>>,
}

/// One field of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    pub name: String,
    #[serde(rename = "as")]
    pub form: Form,
    pub events: u64,
}

/// What rows are told apart by. Purposes go by their names, which have an order.
type Key = (String, String, String, String, Level, Vec<&'static str>, bool);

/// Adds up one entry after the other.
#[derive(Debug, Default)]
struct Adding {
    filter: Filter,
    descriptions: HashMap<String, Description>,
    /// Of each process its last entry's number, and whether that was the end.
    writers: HashMap<String, (u64, bool)>,
    rows: BTreeMap<Key, Row>,
    fields: BTreeMap<Key, BTreeMap<String, (Form, u64)>>,
    times: Option<(u64, u64)>,
    entries: u64,
    unreadable: u64,
    undescribed: u64,
}

/// Adds up a store's ledger, as far as it is asked for.
///
/// # Errors
/// When the store cannot be read.
pub async fn of(queue: &dyn Queue, filter: Filter) -> Result<Summary, Error> {
    // A flow is described on each day that it is counted on; clocks of several gateways differ a little.
    let first_ms = filter.since_ms.map(|since_ms| (since_ms / DAY_MS * DAY_MS).saturating_sub(DAY_MS));
    let mut after = match first_ms {
        Some(first_ms) => before(queue, first_ms).await?,
        None => 0,
    };
    let mut adding = Adding { filter, ..Adding::default() };
    loop {
        let page = queue.chain_page(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        page.iter().for_each(|link| adding.add(link));
    }
    Ok(adding.finish(queue.chain_ends().await?.head.into()))
}

/// The number of an entry, or of none, before the first that was written at a time or later.
///
/// # Errors
/// When the store cannot be read.
pub async fn before(queue: &dyn Queue, at_ms: u64) -> Result<u64, Error> {
    let ends = queue.chain_ends().await?;
    let (mut low, mut high) = (ends.base.seq, ends.head.seq);
    while low < high {
        let middle = low + (high - low) / 2;
        match queue.chain_page(middle, 1).await?.first() {
            Some(link) if link.at_ms < at_ms => low = link.seq,
            _ => high = middle,
        }
    }
    Ok(low)
}

impl Adding {
    fn add(&mut self, link: &Link) {
        let Some(entry) = Entry::read(&link.bytes) else {
            self.unreadable += 1;
            return;
        };
        let writer = self.writers.entry(entry.by.clone()).or_default();
        if entry.n <= writer.0 {
            // Its process did not know whether it was stored, and stored it again.
            return;
        }
        *writer = (entry.n, entry.end);
        let is_wanted = self.filter.wants(entry.from_ms, entry.to_ms);
        for described in entry.flows {
            if is_wanted && self.wants(&described.flow) {
                self.note(&described.flow, (entry.to_ms, entry.to_ms), &Counted::default());
            }
            self.descriptions.insert(described.id, described.flow);
        }
        if !is_wanted {
            return;
        }
        self.entries += 1;
        let (from_ms, to_ms) = self.times.unwrap_or((entry.from_ms, entry.to_ms));
        self.times = Some((from_ms.min(entry.from_ms), to_ms.max(entry.to_ms)));
        for counted in entry.counts {
            match self.descriptions.get(&counted.flow).cloned() {
                Some(flow) if self.wants(&flow) => self.note(&flow, (entry.from_ms, entry.to_ms), &counted),
                Some(_) => {}
                None => self.undescribed += counted.counts.events,
            }
        }
    }

    fn wants(&self, flow: &Description) -> bool {
        let is = |wanted: &Option<String>, known: &str| wanted.as_ref().is_none_or(|wanted| wanted == known);
        let mut fields = flow.fields.iter().flat_map(BTreeMap::keys);
        is(&self.filter.destination, &flow.destination)
            && is(&self.filter.host, &flow.host)
            && (self.filter.field.is_none() || fields.any(|field| self.filter.wants_field(field)))
    }

    fn note(&mut self, flow: &Description, (from_ms, to_ms): (u64, u64), counted: &Counted) {
        let key = key(flow);
        let row = self.rows.entry(key.clone()).or_insert_with(|| Row {
            destination: flow.destination.clone(),
            host: flow.host.clone(),
            plugin: flow.plugin.clone(),
            digest: flow.digest.clone(),
            consent: flow.consent,
            granted: flow.granted,
            counts: Counts::default(),
            first_ms: from_ms,
            last_ms: to_ms,
            fields: None,
        });
        row.counts.add(&counted.counts);
        (row.first_ms, row.last_ms) = (row.first_ms.min(from_ms), row.last_ms.max(to_ms));
        let fields = self.fields.entry(key).or_default();
        let counts = counted.fields.iter().copied().chain(std::iter::repeat(0));
        for ((name, form), events) in flow.fields.iter().flatten().zip(counts) {
            if self.filter.wants_field(name) {
                fields.entry(name.clone()).or_insert((*form, 0)).1 += events;
            }
        }
    }

    fn finish(mut self, head: Place) -> Summary {
        let field = |(name, (form, events))| Field { name, form, events };
        let rows = self.rows.into_iter().map(|(key, row)| {
            let fields = self.fields.remove(&key).unwrap_or_default();
            Row { fields: key.6.then(|| fields.into_iter().map(field).collect()), ..row }
        });
        Summary {
            flows: rows.collect(),
            from_ms: self.times.map(|(from_ms, _)| from_ms),
            to_ms: self.times.map(|(_, to_ms)| to_ms),
            entries: self.entries,
            unreadable: self.unreadable,
            undescribed: self.undescribed,
            unended: self.writers.values().filter(|(_, has_ended)| !has_ended).count() as u64,
            head,
        }
    }
}

fn key(flow: &Description) -> Key {
    let granted = flow.granted.iter().map(|purpose| purpose.as_str()).collect();
    let (destination, host) = (flow.destination.clone(), flow.host.clone());
    (destination, host, flow.plugin.clone(), flow.digest.clone(), flow.consent, granted, flow.fields.is_some())
}
