//! A token endpoint of OAuth 2.0 (RFC 6749, section 5) beside a platform's API, with Google's words: `POST /token` takes
//! what identifies a client, and gives an access token for it.
//!
//! Owns the form, the answers, and the exchange of a refresh token; what another kind of grant has to prove is its
//! platform's.

use serde_json::json;

use crate::{Answer, Judgement, Received};

pub(crate) const PATH: &str = "/token";

/// Why no token is given: an error code of RFC 6749, section 5.2, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    error: &'static str,
    description: String,
}

/// A client, its refresh token, and the access token that it is given for them (section 6).
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) client_id: &'static str,
    pub(crate) client_secret: &'static str,
    pub(crate) refresh_token: &'static str,
    pub(crate) access_token: &'static str,
}

impl Grant {
    pub(crate) fn judge(&self, request: &Received) -> Judgement {
        judgement(self.check(request), self.access_token)
    }

    fn check(&self, request: &Received) -> Result<(), Refusal> {
        let form = Form::of(request, "refresh_token")?;
        if (form.field("client_id"), form.field("client_secret")) != (self.client_id, self.client_secret) {
            return Err(refused("invalid_client", "The OAuth client was not found."));
        }
        if form.field("refresh_token") != self.refresh_token {
            return Err(revoked());
        }
        Ok(())
    }
}

/// What a client asks with.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// The fields of a request for this kind of grant.
    pub(crate) fn of(request: &Received, grant_type: &str) -> Result<Form, Refusal> {
        let form = Form(url::form_urlencoded::parse(&request.body).into_owned().collect());
        let asked = form.field("grant_type");
        if request.method != "POST" || asked != grant_type {
            return Err(refused("unsupported_grant_type", &format!("Invalid grant_type: {asked}")));
        }
        Ok(form)
    }

    /// The field's value, empty where it is missing.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

pub(crate) fn refused(error: &'static str, description: &str) -> Refusal {
    Refusal { error, description: description.to_owned() }
}

/// The refresh token is not taken any more.
pub(crate) fn revoked() -> Refusal {
    refused("invalid_grant", "Token has been expired or revoked.")
}

impl Refusal {
    pub(crate) fn answer(&self) -> Answer {
        let status = if self.error == "invalid_client" { 401 } else { 400 };
        Answer::json(status, &json!({ "error": self.error, "error_description": self.description }))
    }
}

/// The token, or why not.
pub(crate) fn judgement(checked: Result<(), Refusal>, token: &str) -> Judgement {
    let (answer, problems) = match checked {
        Ok(()) => {
            let body = json!({ "access_token": token, "expires_in": 3599, "token_type": "Bearer" });
            (Answer::json(200, &body), Vec::new())
        }
        Err(why) => (why.answer(), vec![format!("the token endpoint: {}: {}", why.error, why.description)]),
    };
    Judgement { answer, events: Vec::new(), problems }
}
