//! LinkedIn's Conversions API: `POST /rest/conversionEvents`, in batches.
//!
//! Sources: "Conversions API", "Conversions API Schema" and "Error handling" on learn.microsoft.com/linkedin; the
//! bodies that github.com/rudderlabs/rudder-transformer has recorded
//! (`test/integrations/destinations/linkedin_ads/network.ts`): 422 with `Index: n, ERROR ::`, 400 with `indices [n]`,
//! 401. That a batch of which one event is bad is not taken at all is theirs as well. Stricter than LinkedIn: an
//! address that is not IPv4 and a currency that is none, both of which it takes and makes nothing of, are problems.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};

const EVENTS_MAX: usize = 5000;

/// Any conversion rule, and the access token of `destination.toml`.
pub(crate) fn platform() -> LinkedIn {
    LinkedIn { token: "AQV-token-of-the-fake" }
}

/// A LinkedIn that knows one access token.
#[derive(Debug, Clone)]
pub(crate) struct LinkedIn {
    token: &'static str,
}

impl Platform for LinkedIn {
    fn name(&self) -> &'static str {
        "linkedin"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        let elements = match self.elements(request, now_ms) {
            Ok(elements) => elements,
            Err(refusal) => return refused(refusal),
        };
        if let Err(refusal) = check::schemas(elements).and_then(|()| check::times(elements, now_ms)) {
            return refused(refusal);
        }
        let created: Vec<Value> = elements.iter().map(|_| json!({ "status": 201 })).collect();
        Judgement {
            answer: Answer::json(200, &json!({ "elements": created })),
            events: elements.to_vec(),
            problems: elements.iter().flat_map(check::silent).collect(),
        }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, now_ms: i64) -> Option<Judgement> {
        let refusal = match trouble {
            Trouble::Throttled => check::Refusal::coded(
                429,
                "TOO_MANY_REQUESTS",
                "Resource level throttle limit for calls to this resource is reached.",
            ),
            Trouble::CredentialsRefused => check::Refusal::coded(
                401,
                "REVOKED_ACCESS_TOKEN",
                "The token used in the request has been revoked by the user",
            ),
            Trouble::Unavailable => check::Refusal::plain(503, "Service Unavailable".to_owned()),
            // All or nothing: the others are sent again without the first.
            Trouble::FirstRefused => {
                self.elements(request, now_ms).ok()?;
                let why = "Index: 0, ERROR :: /eventId :: is refused by this test\n".to_owned();
                check::Refusal::plain(422, why)
            }
        };
        let mut answer = Answer::json(refusal.status, &refusal.body());
        if trouble == Trouble::Throttled {
            answer = answer.header("retry-after", "1");
        }
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

impl LinkedIn {
    /// The request's events, where it is one that LinkedIn looks into.
    fn elements<'a>(&self, request: &'a Received, now_ms: i64) -> Result<&'a [Value], check::Refusal> {
        use check::Refusal;
        if request.method != "POST" || request.path != "/rest/conversionEvents" {
            return Err(Refusal::coded(404, "RESOURCE_NOT_FOUND", "No virtual resource found"));
        }
        if request.header("authorization") != Some(format!("Bearer {}", self.token).as_str()) {
            return Err(Refusal::coded(401, "INVALID_ACCESS_TOKEN", "Invalid access token"));
        }
        let Some(version) = request.header("linkedin-version") else {
            let why = "A version must be present. Please specify a version by adding the LinkedIn-Version header.";
            return Err(Refusal::coded(400, "VERSION_MISSING", why));
        };
        if !check::is_served(version, now_ms) {
            let why = format!("Requested version {version} is not active");
            return Err(Refusal::coded(426, "NONEXISTENT_VERSION", &why));
        }
        if request.header("x-restli-protocol-version") != Some("2.0.0")
            || request.header("x-restli-method") != Some("BATCH_CREATE")
        {
            return Err(Refusal::plain(400, "Rest.li protocol 2.0.0 and BATCH_CREATE are expected".to_owned()));
        }
        let elements = request.json.as_ref().and_then(|body| body["elements"].as_array());
        match elements {
            Some(elements) if (1..=EVENTS_MAX).contains(&elements.len()) => Ok(elements),
            _ => Err(Refusal::plain(400, format!("elements must hold 1 to {EVENTS_MAX} events"))),
        }
    }
}

fn refused(refusal: check::Refusal) -> Judgement {
    Judgement {
        answer: Answer::json(refusal.status, &refusal.body()),
        events: Vec::new(),
        problems: vec![format!("{}: {}", refusal.status, refusal.message)],
    }
}
