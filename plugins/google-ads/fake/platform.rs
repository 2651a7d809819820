//! Google Ads API: `POST /v26/customers/{id}:uploadClickConversions` and `…:uploadConversionAdjustments`, with Google's
//! token endpoint beside it.
//!
//! Sources: `conversion_upload_service.proto`, `conversion_adjustment_upload_service.proto` and `errors/*.proto` in
//! googleapis/googleapis; "Partial failures" and "API call structure" in developers.google.com/google-ads/api/docs. What a
//! field name that is unknown gives is as Google's JSON transcoding answers. The header developer-token is not looked at:
//! Google has ignored it since September 2026.

mod adjustment;
mod check;
mod conversion;
mod errors;
mod moment;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble, token};
use errors::{Fault, fault};

const ENTRIES_MAX: usize = 2000;
/// The versions that have not come to their end.
const VERSIONS: std::ops::RangeInclusive<u32> = 23..=26;

/// The credentials of `destination.toml`, and any account.
pub(crate) fn platform() -> GoogleAds {
    GoogleAds {
        grant: token::Grant {
            client_id: "client-of-the-fake.apps.googleusercontent.com",
            client_secret: "GOCSPX-secret-of-the-fake",
            refresh_token: "1//refresh-token-of-the-fake",
            access_token: "ya29.access-token-of-the-fake",
        },
    }
}

/// A Google Ads that knows one person's credentials.
#[derive(Debug, Clone)]
pub(crate) struct GoogleAds {
    grant: token::Grant,
}

/// One of the two methods.
struct Method {
    /// The list in the body, and its name in an error's path.
    list: &'static str,
    field: &'static str,
    check: fn(&Value, i64) -> check::Checked,
    too_many: Fault,
    /// What the first entry is said to be when it is refused without a reason.
    refused: Fault,
}

impl Method {
    fn of(name: &str) -> Option<Method> {
        let (import, adjust) = ("conversionUploadError", "conversionAdjustmentUploadError");
        Some(match name {
            "uploadClickConversions" => Method {
                list: "conversions",
                field: "conversions",
                check: conversion::check,
                too_many: fault(import, "TOO_MANY_CONVERSIONS_IN_REQUEST", "Upload fewer than 2001 events."),
                refused: fault(import, "UNPARSEABLE_GCLID", "The imported gclid could not be decoded."),
            },
            "uploadConversionAdjustments" => Method {
                list: "conversionAdjustments",
                field: "conversion_adjustments",
                check: adjustment::check,
                too_many: fault(
                    adjust,
                    "TOO_MANY_ADJUSTMENTS_IN_REQUEST",
                    "Try uploading fewer than 2001 adjustments.",
                ),
                refused: fault(adjust, "CONVERSION_NOT_FOUND", "The conversion can't be found."),
            },
            _ => return None,
        })
    }
}

impl GoogleAds {
    /// What the request is for, unless it is refused before anybody looks at its body.
    fn admit(&self, request: &Received) -> Result<Method, Answer> {
        let not_found = || Answer::text(404, "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>");
        let (version, customer, method) = parts(&request.path).ok_or_else(not_found)?;
        let method = Method::of(method).filter(|_| request.method == "POST").ok_or_else(not_found)?;
        let expected = format!("Bearer {}", self.grant.access_token);
        if request.header("authorization") != Some(&expected) {
            return Err(unauthenticated());
        }
        let invalid = |fault: Fault| fault.answer(400, "INVALID_ARGUMENT");
        if !VERSIONS.contains(&version) {
            let message = format!("Version v{version} is deprecated. Requests to this version will be blocked.");
            return Err(invalid(fault("requestError", "UNSUPPORTED_VERSION", message)));
        }
        let is_account = |id: &str| id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_digit());
        if !is_account(customer) {
            return Err(invalid(fault(
                "requestError",
                "INVALID_CUSTOMER_ID",
                format!("Invalid customer ID '{customer}'."),
            )));
        }
        match request.header("login-customer-id") {
            Some(id) if !is_account(id) => {
                let message = "The login customer ID could not be validated.";
                Err(invalid(fault("headerError", "INVALID_LOGIN_CUSTOMER_ID", message)))
            }
            _ => Ok(method),
        }
    }

    /// `first` refuses the first entry whatever it is.
    fn take(&self, request: &Received, now_ms: i64, first: Option<()>) -> Judgement {
        let method = match self.admit(request) {
            Ok(method) => method,
            Err(answer) => return refusal(answer),
        };
        let body = request.json.as_ref().unwrap_or(&Value::Null);
        let entries = match entries(body, &method) {
            Ok(entries) => entries,
            Err(answer) => return refusal(answer),
        };
        let (mut faults, mut problems) = (vec![None; entries.len()], Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            match (method.check)(entry, now_ms) {
                check::Checked::Sound(silent) => {
                    problems.extend(silent.into_iter().map(|what| format!("{}[{index}]: {what}", method.list)));
                }
                check::Checked::Faulty(fault) => faults[index] = Some(fault),
                check::Checked::Unreadable(why) => return refusal(unreadable(&method, index, &why)),
            }
        }
        check::twice(entries, method.list, &mut faults);
        let told = |(index, fault): (usize, &Option<Fault>)| {
            fault.as_ref().map(|fault| format!("{}[{index}]: {} {}", method.list, fault.code, fault.message))
        };
        problems.extend(faults.iter().enumerate().filter_map(told));
        if let (Some(()), Some(place)) = (first, faults.first_mut()) {
            *place = Some(method.refused.clone());
        }
        answer(&method, entries, &faults, body["validateOnly"] == true, problems)
    }
}

impl Platform for GoogleAds {
    fn name(&self) -> &'static str {
        "google-ads"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        match request.path.as_str() {
            token::PATH => self.grant.judge(request),
            _ => self.take(request, now_ms, None),
        }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, now_ms: i64) -> Option<Judgement> {
        let quiet = |answer| Judgement { answer, events: Vec::new(), problems: Vec::new() };
        let is_token = request.path == token::PATH;
        Some(match trouble {
            Trouble::CredentialsRefused if is_token => quiet(token::revoked().answer()),
            // Tokens are another host's.
            _ if is_token => self.grant.judge(request),
            Trouble::CredentialsRefused => quiet(unauthenticated()),
            Trouble::Throttled => {
                let mut error =
                    fault("quotaError", "RESOURCE_TEMPORARILY_EXHAUSTED", "Too many requests. Retry in 1 seconds.")
                        .json("", None);
                error["details"] = json!({ "quotaErrorDetails": {
                    "rateScope": "ACCOUNT", "rateName": "Requests per account", "retryDelay": "1s"
                } });
                let message = "Resource has been exhausted (e.g. check quota).";
                quiet(errors::whole(429, "RESOURCE_EXHAUSTED", message, &[error]))
            }
            Trouble::Unavailable => {
                quiet(errors::whole(503, "UNAVAILABLE", "The service is currently unavailable.", &[]))
            }
            Trouble::FirstRefused => self.take(request, now_ms, Some(())),
        })
    }
}

/// The version, the account and the method of `/v26/customers/1234567890:uploadClickConversions`.
fn parts(path: &str) -> Option<(u32, &str, &str)> {
    let (version, rest) = path.strip_prefix("/v")?.split_once("/customers/")?;
    let (customer, method) = rest.split_once(':')?;
    Some((version.parse().ok()?, customer, method))
}

/// The entries of a body that is sound around them.
fn entries<'a>(body: &'a Value, method: &Method) -> Result<&'a [Value], Answer> {
    let invalid = |fault: Fault| fault.answer(400, "INVALID_ARGUMENT");
    let known = [method.list, "partialFailure", "validateOnly", "jobId"];
    let unknown = body.as_object().and_then(|map| map.keys().find(|key| !known.contains(&key.as_str())));
    if let Some(name) = unknown {
        return Err(unknown_name(name, ""));
    }
    if body["partialFailure"] != true {
        let message = "Partial failure mode is required.";
        return Err(invalid(fault("partialFailureError", "PARTIAL_FAILURE_MODE_REQUIRED", message)));
    }
    match body[method.list].as_array() {
        Some(entries) if entries.len() > ENTRIES_MAX => Err(invalid(method.too_many.clone())),
        Some(entries) if !entries.is_empty() => Ok(entries),
        _ => Err(invalid(fault(
            "fieldError",
            "REQUIRED",
            format!("The required field {} was not present.", method.field),
        ))),
    }
}

fn answer(
    method: &Method,
    entries: &[Value],
    faults: &[Option<Fault>],
    validate_only: bool,
    problems: Vec<String>,
) -> Judgement {
    let errors: Vec<Value> = faults
        .iter()
        .enumerate()
        .filter_map(|(index, fault)| Some(fault.as_ref()?.json(method.field, Some(index))))
        .collect();
    let mut body = json!({});
    if !errors.is_empty() {
        body["partialFailureError"] = errors::partial(&errors);
    }
    let mut events = Vec::new();
    if !validate_only {
        let result = |(entry, fault): (&Value, &Option<Fault>)| match fault {
            Some(_) => json!({}),
            None => json!({ "conversionAction": entry["conversionAction"] }),
        };
        body["results"] = entries.iter().zip(faults).map(result).collect();
        body["jobId"] = json!("6442450944");
        events.extend(entries.iter().zip(faults).filter(|(_, fault)| fault.is_none()).map(|(entry, _)| entry.clone()));
    }
    Judgement { answer: Answer::json(200, &body), events, problems }
}

fn refusal(answer: Answer) -> Judgement {
    let problem = format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Judgement { answer, events: Vec::new(), problems: vec![problem] }
}

fn unauthenticated() -> Answer {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other \
                   valid authentication credential.";
    let error = fault("authenticationError", "OAUTH_TOKEN_REVOKED", "OAuth token in the header has been revoked.");
    errors::whole(401, "UNAUTHENTICATED", message, &[error.json("", None)])
}

/// JSON that does not fit the message is refused before anything of it is looked at.
fn unreadable(method: &Method, index: usize, why: &str) -> Answer {
    unknown_name(why, &format!(" at '{}[{index}]'", method.field))
}

fn unknown_name(name: &str, at: &str) -> Answer {
    let message = format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.");
    errors::whole(400, "INVALID_ARGUMENT", &message, &[])
}
