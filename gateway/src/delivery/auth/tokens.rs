//! Access tokens, in memory only: each is asked for once, however many workers and destinations wait for it.
//!
//! Owns when a token is good still. Knows nothing of how one is asked for, and forgets all of them when the process ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Error;
use super::grant::Grant;
use super::oauth2::Issued;
use crate::clock::Clock;
use crate::config::Secret;

/// A token is asked for anew so long before its end, at most: a request that leaves now arrives in time.
const EARLY_MAX_MS: u64 = 60_000;
/// Of a token that lives shortly, this part.
const EARLY_PART: u64 = 10;

/// An access token.
#[derive(Debug, Clone)]
pub struct Token {
    value: Secret,
    /// Until when it is used, in steady time.
    until_ms: u64,
    /// Which answer of its endpoint gave it.
    round: u64,
}

impl Token {
    /// The token, for the one place that uses it.
    pub(super) fn reveal(&self) -> &str {
        self.value.reveal()
    }

    /// Whether it is another than the one that was refused.
    fn serves(&self, refused: Option<&Token>) -> bool {
        refused.is_none_or(|refused| refused.round != self.round)
    }
}

/// The tokens of all grants.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    slots: Mutex<HashMap<Grant, Arc<Slot>>>,
}

/// The token of one grant. Whoever has the lock asks for it; whoever waits for the lock has the answer of that.
#[derive(Debug, Default)]
struct Slot {
    held: tokio::sync::Mutex<Option<Result<Token, Error>>>,
    /// How many answers there have been.
    rounds: AtomicU64,
}

impl Tokens {
    /// The token of a grant: the one that is held, or the one that `fetch` gives. `fetch` is not even begun where another
    /// is under way; its outcome, failure or not, is then that one's. A refused token is never given again.
    pub(super) async fn get(
        &self,
        grant: &Grant,
        refused: Option<&Token>,
        clock: &dyn Clock,
        fetch: impl Future<Output = Result<Issued, Error>>,
    ) -> Result<Token, Error> {
        let slot = self.slot(grant);
        let before = slot.rounds.load(Ordering::Acquire);
        let mut held = slot.held.lock().await;
        let round = slot.rounds.load(Ordering::Acquire);
        // Whoever waited for an answer takes it as it is: asking again would give no better one.
        let waited = round != before;
        match &*held {
            Some(Ok(token)) if token.serves(refused) && (waited || clock.steady_ms() < token.until_ms) => {
                return Ok(token.clone());
            }
            Some(Err(error)) if waited => return Err(error.clone()),
            _ => {}
        }
        let asked_ms = clock.steady_ms();
        let round = round + 1;
        let answer = fetch.await.map(|Issued { token: value, lifetime_ms }| {
            let early_ms = (lifetime_ms / EARLY_PART).min(EARLY_MAX_MS);
            Token { value, until_ms: asked_ms.saturating_add(lifetime_ms - early_ms), round }
        });
        *held = Some(answer.clone());
        slot.rounds.store(round, Ordering::Release);
        answer
    }

    fn slot(&self, grant: &Grant) -> Arc<Slot> {
        // Nothing panics while it holds the lock, and a map is whole after any of its methods.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        match slots.get(grant) {
            Some(slot) => Arc::clone(slot),
            None => Arc::clone(slots.entry(grant.clone()).or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;
    use tidegate_plugin_sdk::manifest::Auth;
    use url::Url;

    use super::*;
    use crate::clock::ManualClock;
    use crate::delivery::auth::Secrets;
    use crate::destination::Network;

    fn grant(refresh_token: &str) -> Grant {
        let scheme = Auth::Oauth2Refresh {
            token_url: "https://p.example/token".into(),
            client_id: "id".into(),
            client_secret: "id".into(),
            refresh_token: "token".into(),
            headers: [].into(),
        };
        let url = Url::parse("https://p.example/token").unwrap();
        let secrets: Secrets =
            [("id", "id"), ("token", refresh_token)].map(|(name, value)| (name.to_owned(), Secret::new(value))).into();
        Grant::of(&scheme, &secrets, &url, Network::Public).unwrap()
    }

    /// A token endpoint that counts, and takes its time.
    #[derive(Default)]
    struct Endpoint {
        asked: Cell<u32>,
        down: Cell<u32>,
    }

    impl Endpoint {
        async fn fetch(&self) -> Result<Issued, Error> {
            self.asked.set(self.asked.get() + 1);
            tokio::task::yield_now().await;
            if self.asked.get() <= self.down.get() {
                return Err(Error::Unavailable { reason: "HTTP 503".into(), retry_after_ms: None });
            }
            Ok(Issued { token: Secret::new(format!("access-{}", self.asked.get())), lifetime_ms: 100_000 })
        }
    }

    #[tokio::test]
    async fn a_token_is_asked_for_once_for_all_who_wait_and_all_who_come_later() {
        let (tokens, endpoint, clock) = (Tokens::default(), Endpoint::default(), ManualClock::at(5));
        let grant = grant("r");
        let all = join_all((0..8).map(|_| tokens.get(&grant, None, &clock, endpoint.fetch()))).await;
        assert!(all.iter().all(|token| token.as_ref().unwrap().reveal() == "access-1"));
        tokens.get(&self::grant("r"), None, &clock, endpoint.fetch()).await.unwrap();
        assert_eq!(endpoint.asked.get(), 1);
        tokens.get(&self::grant("another"), None, &clock, endpoint.fetch()).await.unwrap();
        assert_eq!(endpoint.asked.get(), 2, "another account's is another");
    }

    #[tokio::test]
    async fn a_token_is_asked_for_anew_a_little_before_its_end() {
        let (tokens, endpoint, clock) = (Tokens::default(), Endpoint::default(), ManualClock::at(5));
        let grant = grant("r");
        for (passed_ms, expected) in [(0, "access-1"), (89_999, "access-1"), (1, "access-2"), (89_999, "access-2")] {
            clock.advance_ms(passed_ms);
            clock.jump_ms(-1_000_000);
            let token = tokens.get(&grant, None, &clock, endpoint.fetch()).await.unwrap();
            assert_eq!(token.reveal(), expected);
        }
    }

    #[tokio::test]
    async fn a_refused_token_is_replaced_once_for_all_whom_it_was_refused() {
        let (tokens, endpoint, clock) = (Tokens::default(), Endpoint::default(), ManualClock::at(5));
        let grant = grant("r");
        let first = tokens.get(&grant, None, &clock, endpoint.fetch()).await.unwrap();
        let again = join_all((0..8).map(|_| tokens.get(&grant, Some(&first), &clock, endpoint.fetch()))).await;
        assert!(again.iter().all(|token| token.as_ref().unwrap().reveal() == "access-2"));
        let late = tokens.get(&grant, Some(&first), &clock, endpoint.fetch()).await.unwrap();
        assert_eq!((late.reveal(), endpoint.asked.get()), ("access-2", 2));
    }

    #[tokio::test]
    async fn a_failure_is_everybodys_who_waited_and_the_next_one_asks_again() {
        let (tokens, endpoint, clock) = (Tokens::default(), Endpoint::default(), ManualClock::at(5));
        endpoint.down.set(1);
        let grant = grant("r");
        let all = join_all((0..8).map(|_| tokens.get(&grant, None, &clock, endpoint.fetch()))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(endpoint.asked.get(), 1);
        let token = tokens.get(&grant, None, &clock, endpoint.fetch()).await.unwrap();
        assert_eq!(token.reveal(), "access-2");
    }

    #[tokio::test]
    async fn whoever_is_given_up_while_asking_leaves_it_to_the_next() {
        let (tokens, endpoint, clock) = (Tokens::default(), Endpoint::default(), ManualClock::at(5));
        let grant = grant("r");
        let mut given_up = Box::pin(tokens.get(&grant, None, &clock, endpoint.fetch()));
        assert!(futures_util::poll!(&mut given_up).is_pending());
        let mut waiting = Box::pin(tokens.get(&grant, None, &clock, endpoint.fetch()));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(given_up);
        assert_eq!(waiting.await.unwrap().reveal(), "access-2");
    }
}
