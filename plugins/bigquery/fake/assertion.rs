//! Google's token endpoint, for service accounts: a signed assertion for an access token (RFC 7523).
//!
//! The claims are checked; the signature is not, because nothing here can verify RS256: that a signature is right is
//! for the gateway's own tests to show.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::token::{self, Form, Refusal};
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
    token::judgement(check(request, now_ms.div_euclid(1000)), token)
}

/// What Google says of a key that is not the account's any more.
pub(super) fn refused() -> Answer {
    invalid("Invalid JWT Signature.").answer()
}

fn invalid(what: &str) -> Refusal {
    token::refused("invalid_grant", what)
}

fn check(request: &Received, now_s: i64) -> Result<(), Refusal> {
    let form = Form::of(request, GRANT)?;
    let mut parts = form.field("assertion").split('.');
    let (header, claims) = (json_of(parts.next()), json_of(parts.next()));
    if header["alg"] != "RS256" || header["typ"] != "JWT" {
        return Err(invalid("Invalid JWT: its header must say RS256 and JWT."));
    }
    if parts.next().is_none_or(str::is_empty) || parts.next().is_some() {
        return Err(invalid("Invalid JWT Signature."));
    }
    if claims["iss"] != ACCOUNT {
        return Err(invalid("Invalid grant: account not found"));
    }
    if claims["aud"] != AUDIENCE {
        return Err(invalid("Invalid JWT: Failed audience check."));
    }
    let (Some(from_s), Some(until_s)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
        return Err(invalid("Invalid JWT: iat and exp are required."));
    };
    if until_s - from_s > LIFETIME_MAX_S || from_s > now_s + SKEW_S || until_s <= now_s {
        return Err(invalid(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat \
             and exp values in the JWT claim.",
        ));
    }
    if claims["scope"].as_str().is_none_or(|scopes| !scopes.split(' ').any(|scope| scope == SCOPE)) {
        return Err(token::refused("invalid_scope", "Invalid OAuth scope or ID token audience provided."));
    }
    Ok(())
}

fn json_of(part: Option<&str>) -> Value {
    let bytes = part.and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
