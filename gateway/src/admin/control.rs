//! What the admin listener lets an operator change of the gateway itself: its configuration, read anew, and destinations'
//! switches.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use super::listener::{Shared, problem, store_problem};
use super::ops::{self, Turn};
use crate::config::suggestion;
use crate::reload::Status;

/// Who moves a switch where nobody is named.
const SOMEBODY: &str = "an operator";

/// `POST /api/reload`: 200 when it runs, 422 when it was refused and the old one goes on.
pub(super) async fn reload(State(operator): State<Shared>) -> Response {
    match operator.reloads.reload().await {
        Err(stopping) => problem(StatusCode::SERVICE_UNAVAILABLE, &stopping.to_string(), ""),
        Ok(status @ Status::Failed { .. }) => {
            let error = "the reload failed, and what ran before goes on";
            (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": error, "reload": status }))).into_response()
        }
        Ok(status) => Json(json!({ "reload": status })).into_response(),
    }
}

/// Why, and who says so. Both may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    reason: Option<String>,
    by: Option<String>,
}

/// `POST /api/destinations/{name}/off`, `…/pause` and `…/on`.
pub(super) async fn turn(
    State(operator): State<Shared>,
    Path((name, position)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let Some(turn) = Turn::parse(&position) else {
        return problem(
            StatusCode::NOT_FOUND,
            "there is nothing here",
            "a destination is turned `off`, `pause` or `on`",
        );
    };
    let words: Words = match body.is_empty() {
        true => Words::default(),
        false => match serde_json::from_slice(&body) {
            Ok(words) => words,
            Err(error) => {
                let hint = "give `{\"reason\": …, \"by\": …}`, or nothing";
                return problem(StatusCode::BAD_REQUEST, &format!("why? {error}"), hint);
            }
        },
    };
    let posts = operator.posts.take();
    let names = posts.iter().map(|post| post.destination.name.as_str());
    let is_known = names.clone().any(|known| known == name) || operator.switches.of(&name).is_some();
    if !is_known {
        return problem(StatusCode::NOT_FOUND, &format!("unknown destination `{name}`"), &suggestion(&name, names));
    }
    let to = turn.switched(words.by.as_deref().unwrap_or(SOMEBODY), words.reason.as_deref(), operator.clock.now_ms());
    match operator.switches.turn(operator.queue.as_ref(), &name, to.as_ref()).await {
        Ok(()) => Json(json!({ "name": name, "switch": ops::shown(to.as_ref()) })).into_response(),
        Err(error) => store_problem(&error),
    }
}
