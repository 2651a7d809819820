//! Google's token endpoint, for service accounts: a signed assertion for an access token (RFC 7523).
//!
//! The claims are checked; the signature is not, because nothing here can verify RS256: that a signature is right is
//! for the gateway's own tests to show.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::{Answer, Judgement, Received};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/bigquery.insertdata";
const ACCOUNT: &str = "tidegate@tidegate-fake-project.iam.gserviceaccount.com";
const LIFETIME_MAX_S: i64 = 3_600;
/// How far the asker's clock may be ahead.
const SKEW_S: i64 = 300;

/// Issues the token, or says why not.
pub(super) fn judge(request: &Received, now_ms: i64, token: &str) -> Judgement {
    let (answer, problems) = match check(request, now_ms.div_euclid(1000)) {
        Ok(()) => {
            let body = json!({ "access_token": token, "expires_in": 3599, "token_type": "Bearer" });
            (Answer::json(200, &body), Vec::new())
        }
        Err((error, what)) => (refusal(error, &what), vec![format!("{error}: {what}")]),
    };
    Judgement { answer, events: Vec::new(), problems }
}

/// What Google says of a key that is not the account's any more.
pub(super) fn refused() -> Answer {
    refusal("invalid_grant", "Invalid JWT Signature.")
}

fn refusal(error: &str, what: &str) -> Answer {
    Answer::json(400, &json!({ "error": error, "error_description": what }))
}

fn check(request: &Received, now_s: i64) -> Result<(), (&'static str, String)> {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
    if request.method != "POST" || field("grant_type") != GRANT {
        return Err(("unsupported_grant_type", format!("Invalid grant_type: {}", field("grant_type"))));
    }
    let grant = |what: &str| ("invalid_grant", what.to_owned());
    let mut parts = field("assertion").split('.');
    let (header, claims) = (json_of(parts.next()), json_of(parts.next()));
    if header["alg"] != "RS256" || header["typ"] != "JWT" {
        return Err(grant("Invalid JWT: its header must say RS256 and JWT."));
    }
    if parts.next().is_none_or(str::is_empty) || parts.next().is_some() {
        return Err(grant("Invalid JWT Signature."));
    }
    if claims["iss"] != ACCOUNT {
        return Err(grant("Invalid grant: account not found"));
    }
    if claims["aud"] != AUDIENCE {
        return Err(grant("Invalid JWT: Failed audience check."));
    }
    let (Some(from_s), Some(until_s)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
        return Err(grant("Invalid JWT: iat and exp are required."));
    };
    if until_s - from_s > LIFETIME_MAX_S || from_s > now_s + SKEW_S || until_s <= now_s {
        return Err(grant(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat \
             and exp values in the JWT claim.",
        ));
    }
    if claims["scope"].as_str().is_none_or(|scopes| !scopes.split(' ').any(|scope| scope == SCOPE)) {
        return Err(("invalid_scope", "Invalid OAuth scope or ID token audience provided.".to_owned()));
    }
    Ok(())
}

fn json_of(part: Option<&str>) -> Value {
    let bytes = part.and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
