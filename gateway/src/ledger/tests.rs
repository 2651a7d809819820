//! The ledger over a real store, with a clock that the test sets: what is described before it leaves, and what is counted.

use std::collections::BTreeMap;

use tempfile::TempDir;
use tidegate_event::{Consent, Level, Signal};
use tidegate_plugin_sdk::manifest::Form;
use tidegate_queue::sqlite::{Mode, Options, SqliteQueue};
use tidegate_queue::{Limits, Queue};
use tidegate_sandbox::contract::{Outcome, Verdict};

use super::filter::Filter;
use super::summary::{self, Row, Summary};
use super::*;
use crate::clock::ManualClock;

/// Noon.
const NOW_MS: u64 = 20_000 * DAY_MS + DAY_MS / 2;
const HOST: &str = "graph.facebook.com";

struct Bench {
    ledger: Ledger,
    queue: Arc<dyn Queue>,
    clock: Arc<ManualClock>,
    _dir: TempDir,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { mode: Mode::Serve, limits: Limits::overall(1_000) };
        let queue: Arc<dyn Queue> = Arc::new(SqliteQueue::open(dir.path().join("q.db"), options).unwrap());
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let ledger = Ledger::new(Arc::clone(&queue), Arc::clone(&clock) as Arc<dyn Clock>);
        Bench { ledger, queue, clock, _dir: dir }
    }

    async fn declare(&self, origins: &[Origin]) -> Waybill {
        let target = Target { destination: "meta", host: HOST };
        self.ledger.declare(target, origins.iter()).await.unwrap()
    }

    async fn send(&self, origins: &[Origin]) {
        let waybill = self.declare(origins).await;
        waybill.leaving().answered();
        waybill.judged(&Verdict::Delivered);
    }

    async fn entries(&self) -> Vec<Entry> {
        let links = self.queue.chain_page(0, 10_000).await.unwrap();
        links.iter().map(|link| Entry::read(&link.bytes).unwrap()).collect()
    }

    async fn count(&self) -> Wrote {
        self.ledger.write(&mut *self.ledger.desk.lock().await, Which::Next).await.unwrap()
    }

    async fn summary(&self) -> Summary {
        summary::of(self.queue.as_ref(), Filter::default()).await.unwrap()
    }

    /// The only row that there is.
    async fn row(&self) -> Row {
        let mut flows = self.summary().await.flows;
        assert_eq!(flows.len(), 1, "{flows:#?}");
        flows.remove(0)
    }
}

fn origin(given: &str) -> Origin {
    let consent = Consent::at(Level::Marketing, Signal::Event);
    Origin {
        plugin: "meta-capi 1.0.0".into(),
        digest: "ab12".into(),
        level: consent.level,
        granted: consent.granted,
        given: Some(given.into()),
    }
}

fn fields(row: &Row) -> BTreeMap<&str, u64> {
    row.fields.iter().flatten().map(|field| (field.name.as_str(), field.events)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_in_the_store_before_anything_of_it_leaves_and_once() {
    let bench = Bench::new();
    let waybill = bench.declare(&[origin(r##"["client.ip","#user.email"]"##)]).await;
    let entries = bench.entries().await;
    assert_eq!((entries.len(), entries[0].flows.len(), entries[0].counts.len()), (1, 1, 0));
    let flow = &entries[0].flows[0].flow;
    assert_eq!((flow.destination.as_str(), flow.host.as_str(), flow.digest.as_str()), ("meta", HOST, "ab12"));
    let expected = [("client.ip".to_owned(), Form::Plain), ("user.email".to_owned(), Form::Sha256)];
    assert_eq!(flow.fields, Some(expected.into()));
    waybill.leaving().answered();
    bench.send(&[origin(r##"["client.ip","#user.email"]"##)]).await;
    bench.send(&[origin(r#"["client.ip"]"#)]).await;
    assert_eq!(bench.entries().await.len(), 1, "what is known is not written again");
    assert_eq!((bench.count().await, bench.count().await), (Wrote::Something, Wrote::Nothing));
    let row = bench.row().await;
    assert_eq!((row.counts.requests, row.counts.events, row.counts.taken), (3, 3, 2));
    assert_eq!(fields(&row), [("client.ip", 3), ("user.email", 2)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_was_not_given_before_is_written_before_it_leaves() {
    let bench = Bench::new();
    bench.send(&[origin(r#"["client.ip"]"#)]).await;
    let waybill = bench.declare(&[origin(r#"["client.ip","page.url"]"#)]).await;
    let entries = bench.entries().await;
    assert_eq!((entries.len(), entries[1].flows.len()), (2, 1));
    assert!(entries[1].flows[0].flow.fields.as_ref().unwrap().contains_key("page.url"));
    assert_eq!(entries[1].counts.len(), 1, "what was counted comes along");
    waybill.leaving().answered();
    bench.send(&[origin(r#"["page.url"]"#)]).await;
    bench.count().await;
    let row = bench.row().await;
    assert_eq!(fields(&row), [("client.ip", 2), ("page.url", 2)].into(), "they are one flow to the reader");
    assert_eq!(row.counts.events, 3);
    assert_eq!(bench.ledger.books().flows().count(), 1, "the narrower one is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_request_are_counted_each_in_its_flow() {
    let bench = Bench::new();
    let mut analytics = origin(r#"["page.url"]"#);
    (analytics.level, analytics.granted) = (Level::Analytics, Consent::at(Level::Analytics, Signal::Event).granted);
    let unknown = Origin { given: None, ..origin("[]") };
    let all = [origin(r#"["client.ip"]"#), analytics, origin(r#"["page.url"]"#), unknown];
    let waybill = bench.declare(&all).await;
    assert_eq!(bench.entries().await.len(), 1, "all of them with one write");
    waybill.leaving().answered();
    let refused = || Outcome::Reject("no".into());
    waybill.judged(&Verdict::Each(vec![Outcome::Delivered, refused(), Outcome::Retry(None), refused()]));
    bench.count().await;
    let told = |row: &Row| {
        let counts = &row.counts;
        (row.consent, row.fields.is_some(), counts.requests, counts.events, counts.taken, counts.refused)
    };
    let rows: Vec<_> = bench.summary().await.flows.iter().map(told).collect();
    assert_eq!(
        rows,
        [
            (Level::Analytics, true, 1, 1, 0, 1),
            (Level::Marketing, false, 1, 1, 0, 1),
            (Level::Marketing, true, 1, 2, 1, 0)
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_answer_has_left_and_what_was_held_back_has_not() {
    let bench = Bench::new();
    let waybill = bench.declare(&[origin("[]")]).await;
    drop(waybill.leaving());
    waybill.leaving().held_back();
    waybill.judged(&Verdict::Retry(None));
    bench.count().await;
    let row = bench.row().await;
    assert_eq!((row.counts.events, row.counts.unanswered, row.counts.taken), (1, 1, 0));
    assert_eq!(row.fields, Some(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_day_describes_its_flows_anew() {
    let bench = Bench::new();
    bench.send(&[origin(r#"["client.ip"]"#)]).await;
    bench.clock.advance_ms(DAY_MS);
    // What was counted the day before is written today, and is described with it.
    bench.count().await;
    bench.send(&[origin(r#"["client.ip"]"#)]).await;
    bench.clock.advance_ms(DAY_MS);
    bench.send(&[origin(r#"["client.ip"]"#)]).await;
    bench.count().await;
    let described: Vec<_> = bench.entries().await.iter().map(|entry| (entry.flows.len(), entry.counts.len())).collect();
    assert_eq!(described, [(1, 0), (1, 1), (1, 1), (0, 1)]);
    let today = Filter { since_ms: Some(NOW_MS + 2 * DAY_MS), ..Filter::default() };
    let left = summary::of(bench.queue.as_ref(), today).await.unwrap();
    assert_eq!((left.flows[0].counts.events, left.undescribed, left.entries), (2, 0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_visitors_make_up_are_bounded_and_write_nothing() {
    let bench = Bench::new();
    let names: Vec<String> = (0..12).map(|n| format!("properties.p{n}")).collect();
    let list = |mask: usize| {
        let some: Vec<&String> =
            names.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1).map(|(_, name)| name).collect();
        origin(&serde_json::to_string(&some).unwrap())
    };
    bench.send(&[list((1 << 12) - 1)]).await;
    let all: Vec<Origin> = (0..1 << 12).map(list).collect();
    bench.send(&all).await;
    assert_eq!(bench.entries().await.len(), 1);
    bench.count().await;
    let row = bench.row().await;
    assert_eq!((row.counts.events, row.counts.requests), (1 + (1 << 12), 2));
    assert!(fields(&row).values().all(|count| *count == 1 + (1 << 11)), "{row:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_quiet_is_forgotten_for_others_and_described_again() {
    let bench = Bench::new();
    let of = |n: usize| Origin { digest: format!("digest {n}").into(), ..origin("[]") };
    for n in 0..1_100 {
        let waybill = bench.declare(&[of(n)]).await;
        waybill.leaving().answered();
    }
    assert!(bench.ledger.books().flows().count() <= 1_000);
    bench.declare(&[of(0)]).await;
    let last = bench.entries().await.pop().unwrap();
    assert_eq!((last.flows.len(), last.flows[0].flow.digest.as_str()), (1, "digest 0"));
    bench.count().await;
    let flows = bench.summary().await.flows;
    assert_eq!((flows.len(), flows.iter().map(|row| row.counts.events).sum::<u64>()), (1_100, 1_100));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_stored_twice_counts_once() {
    let bench = Bench::new();
    bench.send(&[origin(r#"["client.ip"]"#)]).await;
    bench.count().await;
    let counted = bench.queue.chain_page(1, 1).await.unwrap().remove(0);
    bench.queue.chain_append(counted.at_ms, counted.bytes).await.unwrap();
    assert_eq!(bench.row().await.counts.events, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_written_is_written_first_and_nothing_leaves_before() {
    let bench = Bench::new();
    bench.send(&[origin(r#"["client.ip"]"#)]).await;
    bench.queue.close().await.unwrap();
    let target = Target { destination: "meta", host: HOST };
    bench.declare(&[origin(r#"["client.ip"]"#)]).await;
    let new = origin(r#"["page.url"]"#);
    assert!(bench.ledger.declare(target, [&new].into_iter()).await.is_err(), "it is not in the store");
    assert!(bench.ledger.declare(target, [&new].into_iter()).await.is_err());
    assert!(bench.ledger.close().await.is_err());
    let mut desk = bench.ledger.desk.lock().await;
    assert_eq!(desk.n, 2, "one entry waits, however often it is tried");
    let (_, bytes) = desk.unsure.take().unwrap();
    let waiting = Entry::read(&bytes).unwrap();
    assert_eq!((waiting.flows.len(), waiting.counts[0].counts.events), (1, 1), "what was counted is in it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_says_so_and_one_that_sent_nothing_says_nothing() {
    let bench = Bench::new();
    bench.ledger.close().await.unwrap();
    assert_eq!(bench.entries().await, []);
    bench.send(&[origin("[]")]).await;
    assert_eq!(bench.summary().await.unended, 1);
    bench.ledger.close().await.unwrap();
    let entries = bench.entries().await;
    assert_eq!((entries.len(), entries[1].end, entries[1].counts[0].counts.events), (2, true, 1));
    assert_eq!(bench.summary().await.unended, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_said_and_holds_nothing_up() {
    let bench = Bench::new();
    bench.send(&[Origin { given: Some("{}".into()), ..origin("[]") }]).await;
    bench.queue.chain_append(NOW_MS, b"odd".to_vec()).await.unwrap();
    bench.queue.chain_append(NOW_MS, br#"{"v":2}"#.to_vec()).await.unwrap();
    bench.count().await;
    let left = bench.summary().await;
    assert_eq!((left.unreadable, left.flows[0].counts.events), (2, 1));
    assert_eq!(fields(&left.flows[0]), [("?", 1)].into(), "a damaged list is a field that nobody knows");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_whose_description_is_gone_are_told_apart() {
    let bench = Bench::new();
    let mut entry = Entry::new("somebody", 1);
    let counts = entry::Counts { requests: 1, events: 3, ..entry::Counts::default() };
    entry.counts.push(entry::Counted { flow: "gone".into(), counts, fields: vec![3] });
    bench.queue.chain_append(NOW_MS, entry.write()).await.unwrap();
    let left = bench.summary().await;
    assert_eq!((left.undescribed, left.flows.len(), left.entries), (3, 0, 1));
}

#[tokio::test]
async fn a_request_of_new_flows_is_described_whole_however_many_flows_are_known() {
    let bench = Bench::new();
    let of = |n: usize| Origin { digest: format!("{n:x}").into(), ..origin(r#"["user.id"]"#) };
    let known: Vec<Origin> = (0..books::ACCOUNTS_MAX).map(of).collect();
    drop(bench.declare(&known).await);
    let new: Vec<Origin> = (0..3).map(|n| of(books::ACCOUNTS_MAX + n)).collect();
    let waybill = bench.declare(&new).await;
    let digests: Vec<&str> = waybill.lines.iter().map(|line| line.flow.description.digest.as_str()).collect();
    assert_eq!(digests, new.iter().map(|origin| &*origin.digest).collect::<Vec<_>>());
    let described = bench.entries().await.pop().unwrap().flows;
    assert_eq!(described.len(), 3);
}
