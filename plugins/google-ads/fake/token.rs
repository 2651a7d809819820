//! Google's token endpoint, for one client and one refresh token: `POST /token` (RFC 6749, section 6).

use serde_json::json;

use crate::{Answer, Judgement, Received};

pub(super) const PATH: &str = "/token";

/// What is exchanged for an access token.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) client_id: &'static str,
    pub(super) client_secret: &'static str,
    pub(super) refresh_token: &'static str,
    pub(super) access_token: &'static str,
}

impl Grant {
    pub(super) fn judge(&self, request: &Received) -> Judgement {
        let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        let value = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
        if request.method != "POST" || value("grant_type") != "refresh_token" {
            return refused("unsupported_grant_type", "Invalid grant_type: ");
        }
        if (value("client_id"), value("client_secret")) != (self.client_id, self.client_secret) {
            return refused("invalid_client", "The OAuth client was not found.");
        }
        if value("refresh_token") != self.refresh_token {
            return revoked();
        }
        let body = json!({ "access_token": self.access_token, "expires_in": 3599, "token_type": "Bearer" });
        Judgement { answer: Answer::json(200, &body), events: Vec::new(), problems: Vec::new() }
    }
}

/// The refresh token is not taken any more.
pub(super) fn revoked() -> Judgement {
    refused("invalid_grant", "Token has been expired or revoked.")
}

fn refused(error: &str, description: &str) -> Judgement {
    let body = json!({ "error": error, "error_description": description });
    let status = if error == "invalid_client" { 401 } else { 400 };
    Judgement {
        answer: Answer::json(status, &body),
        events: Vec::new(),
        problems: vec![format!("the token endpoint: {error}")],
    }
}
