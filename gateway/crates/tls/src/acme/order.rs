//! One order: the conversation that ends in a certificate. Owns its steps and what is said of a failure; keeps no state.

use std::io;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error as AcmeError, ExternalAccountKey,
    Identifier, NewAccount, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::cache::{Lock, Place, Posted};
use super::client::Client;
use super::policy::Kind;
use crate::error::with_causes;
use crate::options::{Acme, Challenge};

const ACCOUNT_VERSION: u32 = 1;
/// Validations take some seconds; an authority under load, a minute.
const POLL: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(100)).backoff(1.5).timeout(Duration::from_secs(60));
const CHALLENGE_LIFE_MS: u64 = 10 * 60_000;

/// What is ordered, and where its traces are left.
pub(super) struct Job<'a> {
    pub(super) acme: &'a Acme,
    pub(super) host: &'a str,
    pub(super) client: Client,
    /// The authority's own part of the cache.
    pub(super) desk: &'a Place,
    /// Orders under way at once register one account among them.
    pub(super) registering: &'a Mutex<()>,
    /// The host's, which is locked.
    pub(super) place: &'a Place,
    pub(super) lock: &'a Lock,
    pub(super) now_ms: u64,
}

/// A certificate as the authority gave it.
pub(super) struct Issued {
    pub(super) chain_pem: String,
    pub(super) key_pem: String,
}

/// Why there is none.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) message: String,
}

/// How the account is stored.
#[derive(Serialize, Deserialize)]
struct StoredAccount {
    version: u32,
    credentials: AccountCredentials,
}

impl Failure {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into() }
    }

    fn cache(doing: &str, error: &io::Error) -> Failure {
        Failure::new(Kind::Unreachable, format!("{doing}: {error} (is the disk full, or the ACME cache not ours?)"))
    }
}

/// Orders, answers the challenge, and fetches the certificate. A certificate is checked by whoever gets it.
pub(super) async fn obtain(job: &Job<'_>) -> Result<Issued, Failure> {
    let account = account(job).await?;
    let result = converse(job, &account).await;
    if let Err(error) = job.place.take_down(job.lock) {
        tracing::debug!("the challenge for `{}` stays posted until it expires: {error}", job.host);
    }
    result
}

async fn converse(job: &Job<'_>, account: &Account) -> Result<Issued, Failure> {
    let names = [Identifier::Dns(job.host.to_owned())];
    let mut order = match account.new_order(&NewOrder::new(&names)).await {
        Ok(order) => order,
        Err(error) => {
            forget_lost_account(job, &error);
            return Err(failure("the order", &error));
        }
    };
    answer_challenges(job, &mut order).await?;
    match order.poll_ready(&POLL).await {
        Ok(OrderStatus::Invalid) => return Err(reason(job, &mut order).await),
        Ok(_) => {}
        Err(AcmeError::Api(problem)) => {
            tracing::debug!("the order for `{}` ended: {problem}", job.host);
            return Err(reason(job, &mut order).await);
        }
        Err(error) => return Err(failure("the validation", &error)),
    }
    let key_pem = order.finalize().await.map_err(|error| failure("the request for the certificate", &error))?;
    let chain_pem = order.poll_certificate(&POLL).await.map_err(|error| failure("the certificate", &error))?;
    Ok(Issued { chain_pem, key_pem })
}

/// The account that is kept, or else a new one.
async fn account(job: &Job<'_>) -> Result<Account, Failure> {
    if let Some(account) = stored_account(job).await? {
        return Ok(account);
    }
    let _one = job.registering.lock().await;
    let lock = job.desk.lock().map_err(|error| Failure::cache("lock the account", &error))?;
    let Some(lock) = lock else {
        return Err(Failure::new(Kind::Unready, "another gateway registers the account just now"));
    };
    // Another order or gateway may have been quicker.
    if let Some(account) = stored_account(job).await? {
        return Ok(account);
    }
    let contact: Vec<String> = job.acme.contact.iter().map(|contact| format!("mailto:{contact}")).collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new =
        NewAccount { contact: &contact, terms_of_service_agreed: job.acme.terms_agreed, only_return_existing: false };
    let bound = job
        .acme
        .external_account
        .as_ref()
        .and_then(|account| Some(ExternalAccountKey::new(account.key_id.clone(), &account.hmac_key()?)));
    let builder = Account::builder_with_http(Box::new(job.client.clone()));
    let created = builder.create(&new, job.acme.directory.clone(), bound.as_ref()).await;
    let (account, credentials) = created.map_err(|error| failure("the registration of an account", &error))?;
    let stored = serde_json::to_vec(&StoredAccount { version: ACCOUNT_VERSION, credentials }).map_err(io::Error::from);
    let written = stored.and_then(|stored| job.desk.write(&lock, Place::ACCOUNT, &stored));
    written.map_err(|error| Failure::cache("keep the account", &error))?;
    tracing::info!("an account at {} was registered", job.acme.directory);
    Ok(account)
}

async fn stored_account(job: &Job<'_>) -> Result<Option<Account>, Failure> {
    let stored = job.desk.read(Place::ACCOUNT).map_err(|error| Failure::cache("read the account", &error))?;
    let Some(stored) = stored else { return Ok(None) };
    let stored = match serde_json::from_slice::<StoredAccount>(&stored) {
        Ok(stored) if stored.version == ACCOUNT_VERSION => stored,
        _ => {
            let path = job.desk.path(Place::ACCOUNT);
            let message =
                format!("`{}` cannot be understood: remove it, and an account is registered anew", path.display());
            return Err(Failure::new(Kind::Unreachable, message));
        }
    };
    let builder = Account::builder_with_http(Box::new(job.client.clone()));
    let account =
        builder.from_credentials(stored.credentials).await.map_err(|error| failure("the directory", &error))?;
    Ok(Some(account))
}

/// An account that the authority does not know (any more) is of no use: the next attempt registers another.
fn forget_lost_account(job: &Job<'_>, error: &AcmeError) {
    let AcmeError::Api(problem) = error else { return };
    if problem.r#type.as_deref() != Some("urn:ietf:params:acme:error:accountDoesNotExist") {
        return;
    }
    tracing::warn!("{} does not know our account: another one is registered", job.acme.directory);
    let removed = match job.desk.lock() {
        Ok(Some(lock)) => job.desk.remove(&lock, Place::ACCOUNT),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = removed {
        tracing::warn!("`{}` cannot be removed: {error}", job.desk.path(Place::ACCOUNT).display());
    }
}

async fn answer_challenges(job: &Job<'_>, order: &mut Order) -> Result<(), Failure> {
    let (wanted, name) = match job.acme.challenge {
        Challenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
        Challenge::Http01 => (ChallengeType::Http01, "http-01"),
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|error| failure("the order", &error))?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let Some(mut challenge) = authorization.challenge(wanted.clone()) else {
            let message = format!("{} offers no {name} for it: choose the other challenge", job.acme.directory);
            return Err(Failure::new(Kind::Refused, message));
        };
        let key_authorization = challenge.key_authorization().as_str().to_owned();
        let posted =
            Posted::new(challenge.token.clone(), key_authorization, job.now_ms.saturating_add(CHALLENGE_LIFE_MS));
        job.place.post(job.lock, &posted).map_err(|error| Failure::cache("post the challenge", &error))?;
        challenge.set_ready().await.map_err(|error| failure("the challenge", &error))?;
    }
    Ok(())
}

/// What the authority says was wrong with the challenges of an order that failed.
async fn reason(job: &Job<'_>, order: &mut Order) -> Failure {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if let Err(error) = authorization.refresh().await {
            tracing::debug!("why the order for `{}` failed could not be asked: {error}", job.host);
        }
        if let Some(problem) = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            return Failure::new(Kind::Refused, format!("the validation failed: {}", sentence(problem)));
        }
    }
    Failure::new(Kind::Refused, "the validation failed, and the authority does not say why")
}

fn failure(what: &str, error: &AcmeError) -> Failure {
    match error {
        AcmeError::Api(problem) => {
            let kind = match type_of(problem) {
                "serverInternal" | "accountDoesNotExist" | "badNonce" => Kind::Unreachable,
                _ => Kind::Refused,
            };
            Failure::new(kind, format!("{what} was refused: {}", sentence(problem)))
        }
        AcmeError::Timeout(_) => Failure::new(Kind::Refused, format!("{what} was not done within a minute")),
        other => Failure::new(Kind::Unreachable, format!("{what} failed: {}", with_causes(other))),
    }
}

fn type_of(problem: &Problem) -> &str {
    let name = problem.r#type.as_deref().unwrap_or_default();
    name.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(name)
}

/// What the authority says, its name for it (RFC 8555, 6.7), and what can be done.
fn sentence(problem: &Problem) -> String {
    let name = type_of(problem);
    let hint = match name {
        "connection" => "let the authority reach this gateway on port 443 (tls-alpn-01) or 80 (http-01)",
        "dns" => "correct the host's DNS records",
        "caa" => "allow this authority in the domain's CAA record, or remove that",
        "unauthorized" | "incorrectResponse" | "tls" => {
            "this gateway was not reached on port 443 (tls-alpn-01) or 80 (http-01), or something else answers there for \
             this host: another server, a proxy before this one, or a wrong DNS record"
        }
        "rateLimited" => "wait; it is tried again by itself",
        "rejectedIdentifier" => "this authority does not issue for this host",
        "externalAccountRequired" => "set external_account in [tls.acme]",
        "userActionRequired" => "the terms of service have changed: read and agree to them at the authority's site",
        "invalidContact" | "unsupportedContact" => "correct the contact in [tls.acme]",
        _ => "the name in brackets is the ACME error's",
    };
    let mut details: Vec<&str> = problem.detail.as_deref().into_iter().collect();
    details.extend(problem.subproblems.iter().filter_map(|sub| sub.detail.as_deref()).take(5));
    bounded(&format!("{} ({name}): {hint}", details.join("; ")))
}

/// What a stranger's server says is kept, but not without end, and in one line.
fn bounded(text: &str) -> String {
    text.chars().take(1_000).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
