//! OAuth 2: asks a token endpoint for an access token, and reads what it answers (RFC 6749, sections 5.1 and 5.2).

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;

use super::Error;
use super::grant::Grant;
use crate::config::Secret;
use crate::delivery::egress::{Answer, Outgoing, SendError, Sender};

/// A token as it was issued.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) token: Secret,
    pub(super) lifetime_ms: u64,
}

/// Where the endpoint does not say (it should): what most give.
const LIFETIME_S: u64 = 3_600;
/// No longer than this is waited because a token endpoint asks for it.
const RETRY_AFTER_MAX_S: u64 = 3_600;

/// What a token endpoint answers, as far as it matters here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<serde_json::Value>,
    error: Option<serde_json::Value>,
    error_description: Option<String>,
}

/// Asks for a token, within the limits of the request that needs it.
pub(super) fn fetch<'a>(
    grant: &'a Grant,
    now_s: u64,
    needs: &Outgoing,
    sender: &'a dyn Sender,
) -> impl Future<Output = Result<Issued, Error>> + Send + use<'a> {
    let (timeout_ms, response_bytes_max) = (needs.timeout_ms, needs.response_bytes_max);
    async move {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let outgoing = Outgoing {
            network: grant.network,
            method: Method::POST,
            url: grant.url.clone(),
            headers,
            body: grant.form(now_s)?.into(),
            timeout_ms,
            response_bytes_max,
        };
        match sender.send(outgoing).await {
            Ok(answer) => read(grant, &answer),
            Err(error @ SendError::Forbidden(_)) => Err(Error::Refused(format!("{error} ({})", grant.url))),
            Err(error) => unavailable(grant, &error.to_string(), None),
        }
    }
}

fn read(grant: &Grant, answer: &Answer) -> Result<Issued, Error> {
    let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
    match answer.status {
        200..=299 => issued(grant, said),
        408 | 425 | 429 | 500.. => unavailable(grant, &format!("HTTP {}", answer.status), retry_after_ms(answer)),
        status => {
            let code = said.error.as_ref().and_then(|error| error.as_str()).unwrap_or_default();
            let about = said.error_description.map(|about| format!(" ({about})")).unwrap_or_default();
            let what = if code.is_empty() { format!("HTTP {status}") } else { format!("`{code}`{about}") };
            Err(Error::Refused(format!("{} answered {}", grant.url, grant.without_secrets(&what))))
        }
    }
}

fn issued(grant: &Grant, said: Said) -> Result<Issued, Error> {
    // A token that no header takes is none.
    let token = said.access_token.filter(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()));
    let Some(token) = token else { return unavailable(grant, "an answer without an access token", None) };
    if said.token_type.as_deref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(Error::Refused(format!("{} gives tokens of another type than `Bearer`", grant.url)));
    }
    // A number; some write it as text.
    let lifetime_s = match &said.expires_in {
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        Some(number) => number.as_u64(),
        None => None,
    };
    let lifetime_ms = lifetime_s.unwrap_or(LIFETIME_S).saturating_mul(1_000);
    Ok(Issued { token: Secret::new(token), lifetime_ms })
}

fn unavailable(grant: &Grant, what: &str, retry_after_ms: Option<u64>) -> Result<Issued, Error> {
    Err(Error::Unavailable { reason: format!("{what} from {}", grant.url), retry_after_ms })
}

fn retry_after_ms(answer: &Answer) -> Option<u64> {
    let (_, value) = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    Some(value.trim().parse::<u64>().ok()?.min(RETRY_AFTER_MAX_S) * 1_000)
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Auth;
    use url::Url;

    use super::*;
    use crate::delivery::auth::Secrets;
    use crate::destination::Network;

    fn answered(status: u16, body: &str) -> Result<Issued, Error> {
        let scheme = Auth::Oauth2Refresh {
            token_url: "https://p.example/token".into(),
            client_id: "id".into(),
            client_secret: "secret".into(),
            refresh_token: "token".into(),
            headers: [].into(),
        };
        let secrets: Secrets = [("id", "our-id"), ("secret", "our-secret"), ("token", "our-token")]
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .into();
        let url = Url::parse("https://p.example/token").unwrap();
        let grant = Grant::of(&scheme, &secrets, &url, Network::Public).unwrap();
        let headers = vec![("retry-after".to_owned(), "7".to_owned())];
        read(&grant, &Answer { status, headers, body: body.into() })
    }

    fn refused(status: u16, body: &str) -> String {
        match answered(status, body) {
            Err(Error::Refused(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_is_read_with_its_lifetime() {
        let body = r#"{"access_token":"a","token_type":"bearer","expires_in":10,"scope":"x"}"#;
        let issued = answered(200, body).unwrap();
        assert_eq!((issued.token.reveal(), issued.lifetime_ms), ("a", 10_000));
        let lifetime = |body: &str| answered(200, body).unwrap().lifetime_ms;
        assert_eq!(lifetime(r#"{"access_token":"a","expires_in":"10"}"#), 10_000);
        assert_eq!(lifetime(r#"{"access_token":"a"}"#), 3_600_000);
    }

    /// The errors of RFC 6749, section 5.2, and what Google says beside them.
    #[test]
    fn a_refusal_names_the_oauth_error_and_never_a_secret() {
        let body = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
        let expected = "https://p.example/token answered `invalid_grant` (Token has been expired or revoked.)";
        assert_eq!(refused(400, body), expected);
        assert!(refused(401, r#"{"error":"invalid_client"}"#).contains("`invalid_client`"));
        assert!(refused(400, r#"{"error":"unauthorized_client"}"#).contains("`unauthorized_client`"));
        assert!(refused(404, "<html>").ends_with("answered HTTP 404"));
        assert!(refused(302, "").ends_with("answered HTTP 302"));
        let body = r#"{"error":"invalid_grant","error_description":"our-secret or our-token\n is wrong"}"#;
        assert!(refused(400, body).ends_with("(… or … is wrong)"), "{}", refused(400, body));
        let body = r#"{"access_token":"a","token_type":"mac"}"#;
        assert!(refused(200, body).ends_with("gives tokens of another type than `Bearer`"));
    }

    #[test]
    fn what_may_be_otherwise_in_a_while_is_no_refusal() {
        for (status, body) in [(500, ""), (503, "{}"), (429, ""), (408, ""), (200, "<html>"), (200, "{}")] {
            assert!(matches!(answered(status, body), Err(Error::Unavailable { .. })), "{status} {body}");
        }
        let Err(Error::Unavailable { reason, retry_after_ms }) = answered(503, "") else { panic!("it is down") };
        assert_eq!((reason.as_str(), retry_after_ms), ("HTTP 503 from https://p.example/token", Some(7_000)));
        let with_a_line = r#"{"access_token":"a\nb"}"#;
        assert!(answered(200, with_a_line).is_err(), "no header takes it");
    }
}
