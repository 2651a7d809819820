//! A worker at a real queue, with a clock that the test sets, and a platform that answers when the test lets it.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_event::{Consent, Level, Signal};
use tidegate_queue::sqlite::{Mode, Options, SqliteQueue};
use tidegate_queue::{
    DeliveryKey, Entry, EntryKey, LeaseRequest, Limits, NewDelivery, NewState, ProfileField, ProfilePatch, Queue,
    State as Stands,
};
use tidegate_sandbox::Sandbox;
use tokio::sync::Semaphore;

use super::super::courier::Courier;
use super::super::egress::{Answer, Outgoing, SendError, Sender};
use super::super::retry;
use super::super::state::State;
use super::super::worker::{Worker, lease_ms};
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::config::Config;
use crate::destination::{self, Destination};
use crate::ending::Ending;
use crate::ledger::Ledger;
use crate::record::{self, Body, DeliveryRecord, RequestRecord};
use crate::switch::{Position, Switched, Switches};
use crate::withdrawal::{FIELD, Who, Withdrawals};

const NOW_MS: u64 = 1_800_000_000_000;
const DAY_MS: i64 = 86_400_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// A platform: answers each request with the next status, when the gate lets it.
struct Platform {
    gate: Semaphore,
    arrived: AtomicUsize,
    statuses: Mutex<Vec<u16>>,
}

impl Sender for Platform {
    fn send(&self, _: Outgoing) -> Pin<Box<dyn Future<Output = Result<Answer, SendError>> + Send + '_>> {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            self.gate.acquire().await.unwrap().forget();
            let status = self.statuses.lock().unwrap().pop().unwrap_or(200);
            Ok(Answer { status, headers: Vec::new(), body: Vec::new() })
        })
    }
}

/// A queue, a worker on it, and what the test moves.
struct Bench<C> {
    queue: Arc<dyn Queue>,
    clock: Arc<C>,
    platform: Arc<Platform>,
    switches: Switches,
    ending: Ending,
    dir: tempfile::TempDir,
    _sandbox: Sandbox,
}

impl<C: Clock> Bench<C> {
    /// With so many events waiting, one request at a time.
    async fn start(clock: C, lease_ms: u64, events: u8) -> Bench<C> {
        Self::with(1, clock, lease_ms, events).await
    }

    /// With so many requests at a time.
    async fn with(concurrency: usize, clock: C, lease_ms: u64, events: u8) -> Bench<C> {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { mode: Mode::Serve, limits: Limits::overall(1_000) };
        let queue: Arc<dyn Queue> = Arc::new(SqliteQueue::open(dir.path().join("q.db"), options).unwrap());
        let (sandbox, destination) = destination(dir.path(), concurrency);
        let platform = Platform { gate: Semaphore::new(0), arrived: AtomicUsize::new(0), statuses: Mutex::default() };
        let (clock, platform, ending) = (Arc::new(clock), Arc::new(platform), Ending::default());
        for n in 1..=events {
            queue.append(entry(n, clock.as_ref())).await.unwrap();
        }
        let policy = retry::Policy {
            attempts_max: 100,
            backoff_base_ms: 1_000,
            backoff_max_ms: 60_000,
            age_max_ms: 30 * DAY_MS.unsigned_abs(),
        };
        let (sender, switches) = (Arc::clone(&platform) as Arc<dyn Sender>, Switches::default());
        let courier = Courier::new(sender, Arc::clone(&clock) as Arc<dyn Clock>, switches.clone(), 1_024);
        let worker = Worker {
            requests: Arc::new(Semaphore::new(destination.concurrency)),
            destination,
            policy,
            state: Arc::new(State::default()),
            queue: Arc::clone(&queue),
            courier: Arc::new(courier),
            ledger: Arc::new(Ledger::new(Arc::clone(&queue), Arc::clone(&clock) as Arc<dyn Clock>)),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            lease_ms,
            switches: switches.clone(),
            ending: ending.clone(),
        };
        ending.tracker.spawn(worker.run());
        Bench { queue, clock, platform, switches, ending, dir, _sandbox: sandbox }
    }

    async fn until(&self, what: &str, mut done: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !done().await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}");
    }

    async fn arrived(&self, count: usize) {
        let what = format!("{count} requests arrive; {} did", self.platform.arrived.load(Ordering::SeqCst));
        self.until(&what, async || self.platform.arrived.load(Ordering::SeqCst) >= count).await;
    }

    fn answer(&self, requests: usize) {
        self.platform.gate.add_permits(requests);
    }

    async fn state(&self, n: u8) -> Stands {
        self.queue.find(&n.to_string()).await.unwrap()[0].deliveries[0].state
    }

    async fn attempts(&self, n: u8) -> usize {
        self.queue.find(&n.to_string()).await.unwrap()[0].deliveries[0].attempts.len()
    }

    async fn delivered(&self, n: u8) {
        self.until(&format!("event {n} is delivered"), async || self.state(n).await == Stands::Delivered).await;
    }

    /// What another process would get now.
    async fn free(&self, now_ms: u64) -> usize {
        let request = LeaseRequest {
            destination: "hook".into(),
            count_max: 10,
            bytes_max: 1 << 20,
            now_ms,
            until_ms: now_ms + 3_600_000,
        };
        self.queue.lease(request).await.unwrap().deliveries.len()
    }

    /// Whether nothing is under way: only the worker itself and its settler are left.
    async fn is_idle(&self) -> bool {
        self.ending.tracker.len() <= 2
    }

    fn requests(&self) -> usize {
        self.platform.arrived.load(Ordering::SeqCst)
    }

    async fn stop(&self) {
        self.ending.stop.cancel();
        self.ending.tracker.close();
        assert!(tokio::time::timeout(PATIENCE, self.ending.tracker.wait()).await.is_ok(), "the worker ends");
    }
}

fn destination(base: &Path, concurrency: usize) -> (Sandbox, Arc<Destination>) {
    let text = r#"
[admin]
token = "a token of the tests"
[visitor]
keys = ["k1:a visitor key of the tests"]
[[site]]
name = "shop"
hosts = ["localhost"]
write_keys = ["public-key"]
[[destination]]
name = "hook"
site = "shop"
plugin = "webhook"
config = { url = "http://127.0.0.1:9/hook" }
secrets = { signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }
allow_insecure = true
concurrency = 1
"#;
    let text = text.replace("concurrency = 1", &format!("concurrency = {concurrency}"));
    let config = Config::parse(&text, base, &|_| None).unwrap();
    let sandbox = Sandbox::new(tidegate_sandbox::Options::default()).unwrap();
    let mut destinations = destination::prepare(&config, &sandbox).unwrap();
    (sandbox, destinations.remove(0))
}

fn entry(n: u8, clock: &dyn Clock) -> Entry {
    entry_of(n, clock, None)
}

fn entry_of(n: u8, clock: &dyn Clock, who: Option<Who>) -> Entry {
    let request = RequestRecord {
        endpoint: "events".into(),
        path: Vec::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Text("{}".into()),
    };
    let payload = DeliveryRecord {
        context: None,
        v: record::VERSION,
        plugin: "webhook".into(),
        digest: String::new(),
        consent: Consent::at(Level::Marketing, Signal::Event),
        at_ms: clock.now_ms(),
        index: 0,
        given: None,
        saw: Default::default(),
        request: Some(request),
        who,
    };
    let delivery = NewDelivery {
        key: DeliveryKey([n; 16]),
        destination: "hook".into(),
        payload: record::write(&payload),
        state: NewState::Due(clock.steady_ms()),
    };
    Entry {
        key: EntryKey { scope: "shop".into(), id: n.to_string() },
        affinity: String::new(),
        received_ms: clock.now_ms(),
        now_ms: clock.steady_ms(),
        record: b"{}".to_vec(),
        deliveries: vec![delivery],
        profile: Vec::new(),
    }
}

#[tokio::test]
async fn a_lease_outlives_a_platform_that_is_slower_than_it() {
    let bench = Bench::start(SystemClock, 200, 2).await;
    bench.arrived(1).await;
    let began_ms = bench.clock.steady_ms();
    bench.until("three leases' time", async || bench.clock.steady_ms() > began_ms + 600).await;
    assert_eq!(bench.free(bench.clock.steady_ms()).await, 0, "both are leased, the one that waits its turn too");
    bench.answer(2);
    bench.delivered(1).await;
    bench.delivered(2).await;
    assert_eq!((bench.requests(), bench.attempts(1).await), (2, 1));
    bench.stop().await;
}

#[tokio::test]
async fn what_somebody_else_has_leased_meanwhile_is_not_sent() {
    let bench = Bench::start(SystemClock, 200, 2).await;
    bench.arrived(1).await;
    // As after this process had been stopped for longer than its leases: they are somebody else's now.
    let now_ms = bench.clock.steady_ms();
    assert_eq!(bench.free(now_ms + 600_000).await, 2);
    bench.until("a renewal", async || bench.clock.steady_ms() > now_ms + 200).await;
    bench.answer(2);
    bench.until("nothing is under way", async || bench.is_idle().await).await;
    assert_eq!(bench.requests(), 1, "the second one is not sent");
    assert_eq!((bench.attempts(1).await, bench.attempts(2).await), (0, 0), "nor is the first one recorded");
    assert!(matches!(bench.state(1).await, Stands::Waiting(_)) && matches!(bench.state(2).await, Stands::Waiting(_)));
    bench.stop().await;
}

#[tokio::test]
async fn a_machine_that_slept_asks_for_its_leases_before_it_sends() {
    let bench = Bench::start(ManualClock::at(NOW_MS), lease_ms(10_000), 2).await;
    bench.arrived(1).await;
    // The machine is suspended for an hour, which its steady time does not see; somebody else gets its leases.
    assert_eq!(bench.free(NOW_MS + 3_600_000).await, 2);
    bench.clock.jump_ms(3_600_000);
    bench.answer(2);
    bench.until("nothing is under way", async || bench.is_idle().await).await;
    assert_eq!(bench.requests(), 1, "the second one is not sent");
    bench.stop().await;
}

#[tokio::test]
async fn a_stop_gives_back_what_was_not_begun_at_once_and_the_rest_when_it_has_waited_enough() {
    let bench = Bench::start(ManualClock::at(NOW_MS), lease_ms(10_000), 3).await;
    bench.arrived(1).await;
    assert_eq!(bench.free(NOW_MS).await, 0, "all are leased");
    bench.ending.stop.cancel();
    let mut free = 0;
    bench
        .until("what was not begun is free", async || {
            free += bench.free(NOW_MS).await;
            free == 2
        })
        .await;
    bench.ending.give_up.cancel();
    bench
        .until("what was under way is free", async || {
            free += bench.free(NOW_MS).await;
            free == 3
        })
        .await;
    bench.stop().await;
    assert_eq!(bench.requests(), 1);
}

#[tokio::test]
async fn a_switch_gives_back_what_was_not_begun_and_sends_nothing_until_it_is_on() {
    for position in [Position::Off, Position::Paused] {
        let bench = Bench::start(ManualClock::at(NOW_MS), lease_ms(10_000), 3).await;
        bench.arrived(1).await;
        let off = Switched::new(position, "anna", None, NOW_MS);
        bench.switches.turn(bench.queue.as_ref(), "hook", Some(&off)).await.unwrap();
        // What another process would get is what was given back; it lets go of it again.
        let wanted = LeaseRequest {
            destination: "hook".into(),
            count_max: 10,
            bytes_max: 1 << 20,
            now_ms: NOW_MS,
            until_ms: NOW_MS + 1,
        };
        bench
            .until("what was not begun is free", async || {
                let leases = bench.queue.lease(wanted.clone()).await.unwrap().deliveries;
                let keys = leases.iter().map(|lease| (lease.key, lease.token)).collect();
                bench.queue.release(keys).await.unwrap();
                leases.len() == 2
            })
            .await;
        bench.answer(3);
        bench.delivered(1).await;
        bench.until("nothing is under way", async || bench.is_idle().await).await;
        assert_eq!((bench.requests(), bench.attempts(2).await, bench.attempts(3).await), (1, 0, 0));
        bench.switches.turn(bench.queue.as_ref(), "hook", None).await.unwrap();
        bench.delivered(2).await;
        bench.delivered(3).await;
        assert_eq!((bench.requests(), bench.attempts(2).await), (3, 1), "each was sent once");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_clock_that_is_set_forward_ends_no_lease_and_one_that_is_set_back_delays_no_retry() {
    for jump_ms in [DAY_MS, -DAY_MS] {
        let bench = Bench::start(ManualClock::at(NOW_MS), lease_ms(10_000), 2).await;
        bench.platform.statuses.lock().unwrap().push(500);
        bench.arrived(1).await;
        bench.clock.jump_ms(jump_ms);
        bench.queue.append(entry(3, bench.clock.as_ref())).await.unwrap();
        // The first fails, after the clock was set: it is due again by the steady time.
        bench.answer(3);
        bench.delivered(2).await;
        bench.delivered(3).await;
        bench.until("the failure is recorded", async || bench.attempts(1).await == 1).await;
        let Stands::Waiting(due_ms) = bench.state(1).await else { panic!("it waits") };
        assert!((NOW_MS..=NOW_MS + 1_000).contains(&due_ms), "{due_ms}, after {jump_ms}");
        bench.clock.advance_ms(2_000);
        bench.answer(1);
        bench.delivered(1).await;
        assert_eq!(bench.requests(), 4, "nothing was sent twice");
        bench.stop().await;
    }
}

/// A field of a profile, as a withdrawal by its visitor writes it, or as somebody else did.
fn withdrawn(value: String) -> Vec<ProfilePatch> {
    let field = ProfileField { name: FIELD.into(), value, seen_ms: NOW_MS };
    vec![ProfilePatch { key: "shop/anonymous/a".into(), fields: vec![field], expires_ms: u64::MAX }]
}

#[tokio::test]
async fn what_arrived_a_moment_ago_is_not_asked_about_and_what_is_older_or_was_tried_is() {
    let bench = Bench::start(ManualClock::at(NOW_MS), lease_ms(10_000), 0).await;
    let none = Withdrawals::first(Consent::at(Level::None, Signal::Event), NOW_MS + 10_000);
    let who = |received_ms| Some(Who { received_ms, profiles: vec!["shop/anonymous/a".into()] });
    let mark = Entry { profile: withdrawn(none.text()), deliveries: Vec::new(), ..entry(9, bench.clock.as_ref()) };
    bench.queue.append(mark).await.unwrap();
    // Were anything read for it, it would be found to be withdrawn.
    bench.queue.append(entry_of(1, bench.clock.as_ref(), who(NOW_MS - 1_000))).await.unwrap();
    bench.answer(1);
    bench.delivered(1).await;
    for (n, of) in [(2, who(NOW_MS - 1_001)), (3, who(NOW_MS + 1_001))] {
        bench.queue.append(entry_of(n, bench.clock.as_ref(), of)).await.unwrap();
        bench.until("it is cancelled", async || bench.state(n).await == Stands::Cancelled).await;
    }
    // As young as the first, but its first try fails.
    bench.platform.statuses.lock().unwrap().push(500);
    bench.queue.append(entry_of(4, bench.clock.as_ref(), who(NOW_MS))).await.unwrap();
    bench.answer(1);
    bench.until("it fails", async || bench.attempts(4).await == 1).await;
    bench.clock.advance_ms(1_000);
    bench.until("it is cancelled", async || bench.state(4).await == Stands::Cancelled).await;
    // Of nobody, or from before it was kept whose it is.
    bench.queue.append(entry(5, bench.clock.as_ref())).await.unwrap();
    bench.answer(1);
    bench.delivered(5).await;
    assert_eq!(bench.requests(), 3);
    bench.stop().await;
}

#[tokio::test]
async fn a_withdrawal_that_cannot_be_read_makes_a_dead_letter() {
    let bench = Bench::start(ManualClock::at(NOW_MS), lease_ms(10_000), 0).await;
    let who = Who { received_ms: NOW_MS - 2_000, profiles: vec!["shop/anonymous/a".into()] };
    let newer = withdrawn(r#"{"v":2}"#.into());
    let entry = Entry { profile: newer, ..entry_of(1, bench.clock.as_ref(), Some(who)) };
    bench.queue.append(entry).await.unwrap();
    bench.until("it is dead", async || bench.state(1).await == Stands::Dead).await;
    let reason = bench.queue.find("1").await.unwrap()[0].deliveries[0].reason.clone().unwrap();
    let expected = "the visitor's stored withdrawal of consent was written in format 2; this Tidegate reads up to 1";
    assert_eq!((reason.as_str(), bench.requests()), (expected, 0));
    bench.stop().await;
}

#[tokio::test]
async fn a_platform_that_is_down_and_slow_is_tried_by_one_request_at_a_time() {
    let bench = Bench::with(4, ManualClock::at(NOW_MS), lease_ms(10_000), 40).await;
    bench.platform.statuses.lock().unwrap().extend([503; 25]);
    let mut answered = 0;
    bench
        .until("sixteen have failed, and those that were under way then", async || {
            let arrived = bench.requests();
            bench.answer(arrived - answered);
            answered = arrived;
            arrived >= 16 && bench.is_idle().await
        })
        .await;
    let before = bench.requests();
    for probe in 1..=3 {
        bench.clock.advance_ms(60_000);
        bench.arrived(before + probe).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.requests(), before + probe, "nothing else tries it before this one is answered");
        bench.answer(1);
        bench.until("it has failed", async || bench.is_idle().await).await;
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_while_the_file_was_locked_is_settled_when_it_is_free_and_not_sent_again() {
    let bench = Bench::with(4, SystemClock, 9_000, 1).await;
    bench.arrived(1).await;
    let file = rusqlite::Connection::open(bench.dir.path().join("q.db")).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    bench.answer(4);
    // For longer than a lease and the file's own patience.
    let began_ms = bench.clock.steady_ms();
    bench.until("two leases' time", async || bench.clock.steady_ms() > began_ms + 20_000).await;
    assert_eq!((bench.requests(), bench.attempts(1).await), (1, 0));
    drop(file);
    bench.delivered(1).await;
    assert_eq!((bench.requests(), bench.attempts(1).await), (1, 1));
    bench.stop().await;
}
