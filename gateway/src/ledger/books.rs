//! The flows that this process knows: one account for each destination, host, plugin and consent. Finds the one that an
//! event belongs to in a look-up or two, because each event that is sent asks. Bounded: what is quiet is forgotten, and
//! described again when it comes back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tidegate_plugin_sdk::manifest::Form;

use super::entry::Description;
use super::flow::{Flow, Places};
use super::origin::{self, Origin};

/// With more accounts than this, those that are quiet are forgotten.
pub(super) const ACCOUNTS_MAX: usize = 1_000;
/// How many different lists of fields are remembered of an account; there may be as many as visitors care to make.
const LISTS_MAX: usize = 1_000;

/// Where a request is sent.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub destination: &'a str,
    pub host: &'a str,
}

/// An event's flow, and which of its fields the event was given.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) flow: Arc<Flow>,
    pub(super) places: Places,
}

/// All accounts, by the digests of their plugins.
#[derive(Debug, Default)]
pub(super) struct Books {
    accounts: HashMap<Box<str>, Vec<Account>>,
}

/// What is sent from one origin to one target.
#[derive(Debug)]
struct Account {
    flow: Arc<Flow>,
    /// Flows that it had before it had all fields that it has now.
    past: Vec<Arc<Flow>>,
    /// Lists of fields as records have them, and where they are in the flow.
    lists: HashMap<Box<str>, Places>,
}

impl Books {
    /// An event's line, if there is a flow with all of its fields.
    pub(super) fn find(&mut self, target: Target<'_>, origin: &Origin) -> Option<Line> {
        let accounts = self.accounts.get_mut(&origin.digest)?;
        let account = accounts.iter_mut().find(|account| account.is_of(target, origin))?;
        let places = match &origin.given {
            Some(given) => account.places(given)?,
            None => Places::default(),
        };
        Some(Line { flow: Arc::clone(&account.flow), places })
    }

    /// Makes sure that there is a flow with all fields of an event.
    pub(super) fn prepare(&mut self, target: Target<'_>, origin: &Origin) {
        let fields = origin.given.as_deref().map(origin::fields);
        let accounts = self.accounts.entry(origin.digest.clone()).or_default();
        match (accounts.iter_mut().find(|account| account.is_of(target, origin)), fields) {
            (Some(account), Some(fields)) => account.widen(fields),
            (Some(_), None) => {}
            (None, fields) => accounts.push(Account::new(target, origin, fields)),
        }
    }

    /// All flows of which there may be something to say.
    pub(super) fn flows(&self) -> impl Iterator<Item = &Arc<Flow>> {
        let accounts = self.accounts.values().flatten();
        accounts.flat_map(|account| account.past.iter().chain([&account.flow]))
    }

    /// Forgets flows that no request is under way of, once all is said of them.
    pub(super) fn forget_past(&mut self) {
        for account in self.accounts.values_mut().flatten() {
            account.past.retain(|flow| !is_over(flow));
        }
    }

    /// Where there are many accounts, forgets those that are quiet. Not between preparing accounts and finding their lines:
    /// they are quiet meanwhile.
    pub(super) fn make_room(&mut self) {
        if self.accounts.values().map(Vec::len).sum::<usize>() < ACCOUNTS_MAX {
            return;
        }
        for accounts in self.accounts.values_mut() {
            accounts.retain(|account| !(is_over(&account.flow) && account.past.iter().all(is_over)));
        }
        self.accounts.retain(|_, accounts| !accounts.is_empty());
    }
}

impl Account {
    fn new(target: Target<'_>, origin: &Origin, fields: Option<BTreeMap<String, Form>>) -> Account {
        let flow = Arc::new(Flow::new(Description {
            destination: target.destination.to_owned(),
            host: target.host.to_owned(),
            plugin: origin.plugin.to_string(),
            digest: origin.digest.to_string(),
            consent: origin.level,
            granted: origin.granted,
            fields,
        }));
        Account { flow, past: Vec::new(), lists: HashMap::new() }
    }

    fn is_of(&self, target: Target<'_>, origin: &Origin) -> bool {
        let known = &self.flow.description;
        known.destination == target.destination
            && known.host == target.host
            && known.consent == origin.level
            && known.granted == origin.granted
            && known.plugin == *origin.plugin
            && known.fields.is_some() == origin.given.is_some()
    }

    /// Where the fields of a list are in the flow; `None` where it lacks one of them.
    fn places(&mut self, given: &str) -> Option<Places> {
        if let Some(known) = self.lists.get(given) {
            return Some(Arc::clone(known));
        }
        let places = self.flow.places(origin::fields(given).keys())?;
        if self.lists.len() >= LISTS_MAX {
            self.lists.clear();
        }
        self.lists.insert(given.into(), Arc::clone(&places));
        Some(places)
    }

    /// Where the flow lacks one of these fields, another with all of both takes its place.
    fn widen(&mut self, fields: BTreeMap<String, Form>) {
        if self.flow.places(fields.keys()).is_some() {
            return;
        }
        let mut description = self.flow.description.clone();
        description.fields.get_or_insert_default().extend(fields);
        let wider = Arc::new(Flow::new(description));
        self.past.push(std::mem::replace(&mut self.flow, wider));
        self.lists.clear();
    }
}

/// Whether nobody else holds a flow, and nothing is left to say of it.
fn is_over(flow: &Arc<Flow>) -> bool {
    Arc::strong_count(flow) == 1 && flow.is_quiet()
}
