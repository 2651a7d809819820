//! The POST around one entry of an array.

use serde::Serialize;
use tidegate_plugin_sdk::{Rejection, Request};

use crate::config::Config;
use crate::limits;

/// A request to `/import`, of which each entry is validated by itself.
pub(crate) fn import(entry: &impl Serialize, config: &Config<'_>) -> Result<Request, Rejection> {
    Ok(post("import", entry, config)?.with_query("strict", "1"))
}

/// A request to `/engage` or `/groups`. `ip=0`: otherwise "the unintentional effect of overwriting your profile's
/// geolocation with your server location".
pub(crate) fn profile(
    endpoint: &'static str,
    entry: &impl Serialize,
    config: &Config<'_>,
) -> Result<Request, Rejection> {
    Ok(post(endpoint, entry, config)?.with_query("strict", "1").with_query("ip", "0"))
}

fn post(endpoint: &'static str, entry: &impl Serialize, config: &Config<'_>) -> Result<Request, Rejection> {
    let body = serde_json::to_vec(&[entry]).map_err(|e| Rejection::invalid(format!("the request's body: {e}")))?;
    limits::size(&body)?;
    let mut request = Request::new(&config.region.endpoint(endpoint)).with_header("content-type", "application/json");
    request.body = body;
    Ok(request)
}
