//! A random walk over all operations: whatever the order, a backend answers as the reference does.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::memory::MemoryQueue;
use super::*;

const WAITING_MAX: u64 = 12;
const DESTINATIONS: [&str; 2] = ["meta", "ga4"];

fn limits() -> Limits {
    let destinations = [
        ("meta".to_owned(), Cap { waiting_max: 8, when_full: WhenFull::Refuse }),
        ("ga4".to_owned(), Cap { waiting_max: 5, when_full: WhenFull::Die }),
    ];
    Limits { waiting_max: WAITING_MAX, destinations: destinations.into() }
}

/// One step; numbers choose among what there is, and times are in steps from now.
#[derive(Debug, Clone)]
enum Step {
    Append { id: u8, deliveries: Vec<(u8, Option<u8>)>, field: Option<(u8, u8, u8)> },
    Lease { destination: u8, count_max: u8, bytes_max: u8, length: u8 },
    Settle { which: u8, outcome: u8, delay: u8 },
    Renew { which: u8, length: u8 },
    Release { which: u8 },
    Replay { which: u8, instead: Option<u8> },
    Purge { which: u8 },
    Sweep { journal: u8, dead: u8 },
    Crash,
}

/// Compares a backend with the reference, over so many walks.
pub(crate) fn compare(cases: u32, make: impl Fn() -> Box<dyn Backend>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let steps = proptest::collection::vec(step(), 1..60);
    let result = runner.run(&steps, |steps| {
        // Made and dropped inside, so that a backend may start and stop what needs the runtime.
        let make = &make;
        runtime.block_on(async move { walk(&mut *make(), &steps).await })
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

fn step() -> impl Strategy<Value = Step> {
    let deliveries = proptest::collection::vec((any::<u8>(), proptest::option::weighted(0.8, 0..4u8)), 0..3);
    let field = proptest::option::weighted(0.3, (0..2u8, 0..6u8, 0..6u8));
    prop_oneof![
        6 => (0..20u8, deliveries, field)
            .prop_map(|(id, deliveries, field)| Step::Append { id, deliveries, field }),
        5 => (0..2u8, 0..5u8, any::<u8>(), 1..5u8)
            .prop_map(|(destination, count_max, bytes_max, length)| Step::Lease {
                destination, count_max, bytes_max, length
            }),
        5 => (any::<u8>(), 0..4u8, 0..4u8).prop_map(|(which, outcome, delay)| Step::Settle { which, outcome, delay }),
        2 => (any::<u8>(), 1..5u8).prop_map(|(which, length)| Step::Renew { which, length }),
        1 => any::<u8>().prop_map(|which| Step::Release { which }),
        2 => (any::<u8>(), proptest::option::of(0..3u8)).prop_map(|(which, instead)| Step::Replay { which, instead }),
        1 => any::<u8>().prop_map(|which| Step::Purge { which }),
        1 => (0..30u8, 0..30u8).prop_map(|(journal, dead)| Step::Sweep { journal, dead }),
        1 => Just(Step::Crash),
    ]
}

/// Times are thousands of milliseconds a step, and what is below a thousand is different for each due time: of equal
/// ones a backend may choose either.
struct Clock {
    step: u64,
    unique: u64,
}

impl Clock {
    fn now_ms(&self) -> u64 {
        self.step * 1000
    }

    fn due_ms(&mut self, delay: u8) -> u64 {
        self.unique += 1;
        (self.step + u64::from(delay)) * 1000 + self.unique
    }
}

async fn walk(backend: &mut dyn Backend, steps: &[Step]) -> Result<(), TestCaseError> {
    let store = Arc::default();
    let mut reference: Arc<dyn Queue> = Arc::new(MemoryQueue::open(Arc::clone(&store), limits()));
    let mut subject = backend.open(limits());
    let mut clock = Clock { step: 0, unique: 0 };
    let mut last_key = 0;
    // Leases of both, in the order in which they were given; and which lease of a delivery was the last.
    let mut leases: Vec<(Lease, Lease, u64)> = Vec::new();
    let mut newest: HashMap<DeliveryKey, usize> = HashMap::new();
    for step in steps {
        clock.step += 1;
        let now_ms = clock.now_ms();
        let context = format!("step {}: {step:?}", clock.step);
        match step {
            Step::Append { id, deliveries, field } => {
                let deliveries: Vec<_> = deliveries
                    .iter()
                    .enumerate()
                    .map(|(index, (destination, delay))| {
                        last_key += 1;
                        let state = match delay {
                            // As the gateway does it: due when it was received.
                            Some(0) if index == 0 => NewState::Due(now_ms),
                            Some(delay) => NewState::Due(clock.due_ms(*delay)),
                            None => NewState::Dead(format!("reason {}", last_key % 3)),
                        };
                        delivery(last_key, DESTINATIONS[usize::from(*destination) % 2], state)
                    })
                    .collect();
                let profile = field.map(|(name, seen, expires)| ProfilePatch {
                    key: "shop/user/1".into(),
                    fields: vec![ProfileField {
                        name: name.to_string(),
                        value: clock.step.to_string(),
                        seen_ms: u64::from(seen),
                    }],
                    expires_ms: (clock.step + u64::from(expires)) * 1000,
                });
                let entry = Entry {
                    received_ms: now_ms,
                    now_ms,
                    deliveries,
                    profile: profile.into_iter().collect(),
                    ..entry(&id.to_string())
                };
                let expected = told(reference.append(entry.clone()).await);
                prop_assert_eq!(told(subject.append(entry).await), expected, "{}", context);
            }
            Step::Lease { destination, count_max, bytes_max, length } => {
                let request = LeaseRequest {
                    count_max: (*count_max).into(),
                    bytes_max: (*bytes_max).into(),
                    until_ms: now_ms + u64::from(*length) * 1000,
                    ..wish(DESTINATIONS[usize::from(*destination)], now_ms)
                };
                let until_ms = request.until_ms;
                let expected = reference.lease(request.clone()).await.unwrap();
                let actual = subject.lease(request).await.unwrap();
                let plain = |leased: &Leased| {
                    let all = leased.deliveries.iter().map(|lease| {
                        (lease.key, lease.entry.clone(), lease.payload.clone(), lease.attempts, lease.queued_ms)
                    });
                    (all.collect::<Vec<_>>(), leased.next_due_ms)
                };
                prop_assert_eq!(plain(&actual), plain(&expected), "{}", context);
                for (expected, actual) in expected.deliveries.into_iter().zip(actual.deliveries) {
                    newest.insert(expected.key, leases.len());
                    leases.push((expected, actual, until_ms));
                }
            }
            Step::Settle { which, outcome, delay } if !leases.is_empty() => {
                let index = usize::from(*which) % leases.len();
                let (expected, actual, until_ms) = &leases[index];
                // Whether an ended lease that nobody else has got is lost already is the backend's to say.
                if *until_ms <= now_ms && newest[&expected.key] == index {
                    continue;
                }
                let outcome = match outcome {
                    0 => Outcome::Delivered,
                    1 => Outcome::Retry(clock.due_ms(*delay)),
                    2 => Outcome::Cancelled("reason 8".into()),
                    _ => Outcome::Dead("reason 9".into()),
                };
                let expected = reference.settle(vec![attempt(expected, now_ms, outcome.clone())]).await.unwrap();
                let actual = subject.settle(vec![attempt(actual, now_ms, outcome)]).await.unwrap();
                prop_assert_eq!(actual, expected, "{}", context);
            }
            Step::Renew { which, length } if !leases.is_empty() => {
                let index = usize::from(*which) % leases.len();
                let (expected, actual, until_ms) = &mut leases[index];
                if *until_ms <= now_ms && newest[&expected.key] == index {
                    continue;
                }
                let longer_ms = (*until_ms).max(now_ms + u64::from(*length) * 1000);
                let renewal =
                    |lease: &Lease| Renewal { leases: vec![(lease.key, lease.token)], now_ms, until_ms: longer_ms };
                let held = reference.renew(renewal(expected)).await.unwrap();
                prop_assert_eq!(&subject.renew(renewal(actual)).await.unwrap(), &held, "{}", context);
                if held == [Held::Ours] {
                    *until_ms = longer_ms;
                }
            }
            Step::Release { which } if !leases.is_empty() => {
                let (expected, actual, _) = &leases[usize::from(*which) % leases.len()];
                reference.release(vec![(expected.key, expected.token)]).await.unwrap();
                subject.release(vec![(actual.key, actual.token)]).await.unwrap();
            }
            Step::Replay { which, instead } => {
                let letters = letters(&reference).await;
                let at = letters.get(usize::from(*which) % (letters.len() + 1)).map(|letter| letter.key);
                let with = match instead {
                    None => ReplayWith::AsRecorded,
                    Some(count) => ReplayWith::Instead(
                        (0..*count)
                            .map(|_| {
                                last_key += 1;
                                delivery(last_key, "meta", NewState::Due(clock.due_ms(1)))
                            })
                            .collect(),
                    ),
                };
                let letter = vec![Replay { key: at.unwrap_or(key(0)), with }];
                let expected = told(reference.replay(letter.clone(), now_ms).await);
                prop_assert_eq!(told(subject.replay(letter, now_ms).await), expected, "{}", context);
            }
            Step::Purge { which } => {
                let keys: Vec<_> = (1..=last_key).filter(|n| n % 8 == u64::from(*which) % 8).map(key).collect();
                let expected = reference.purge(keys.clone()).await.unwrap();
                prop_assert_eq!(subject.purge(keys).await.unwrap(), expected, "{}", context);
            }
            Step::Sweep { journal, dead } => {
                let [journal_ms, dead_ms] = [*journal, *dead].map(|seconds| u64::from(seconds) * 1000);
                let retention = Retention { journal_ms, dead_ms, chain_ms: 0 };
                let expected = swept(&reference, now_ms, retention).await.records;
                prop_assert_eq!(swept(&subject, now_ms, retention).await.records, expected, "{}", context);
            }
            Step::Crash => {
                backend.crash();
                subject = backend.open(limits());
                reference = Arc::new(MemoryQueue::open(Arc::clone(&store), limits()));
                // Longer than any lease, which a backend may let end first.
                clock.step += 10;
                leases.clear();
                newest.clear();
            }
            Step::Settle { .. } | Step::Renew { .. } | Step::Release { .. } => {}
        }
        let now_ms = clock.now_ms();
        prop_assert_eq!(picture(&subject, now_ms).await, picture(&reference, now_ms).await, "{}", context);
    }
    subject.close().await.unwrap();
    Ok(())
}

/// An answer that can be compared.
fn told<T: std::fmt::Debug>(answer: Result<T, Error>) -> Result<T, String> {
    answer.map_err(|error| error.to_string())
}

async fn picture(queue: &Arc<dyn Queue>, now_ms: u64) -> String {
    let filter = DeadFilter {
        reason: Some("REASON 1".into()),
        destination: Some("ga4".into()),
        limit: 2,
        ..DeadFilter::default()
    };
    let mut text = format!("{:#?}", queue.recent(30).await.unwrap());
    text += &format!("{:#?}", queue.find("3").await.unwrap());
    text += &format!("{:#?}", letters(queue).await);
    text += &format!("{:#?}", queue.dead_letters(filter).await.unwrap());
    text += &format!("{:#?}", queue.counts().await.unwrap());
    let keys = ["shop/user/2", "shop/user/1"].map(str::to_owned).into();
    text += &format!("{:#?}", queue.profile_field("1", keys, now_ms).await.unwrap());
    text + &format!("{:#?}", queue.profile("shop/user/1", now_ms).await.unwrap())
}
