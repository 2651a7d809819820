//! What the gateway answers: to preflights of its own and of foreign origins, for the snippet, and of its health.

use futures_util::future::join_all;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONTENT_TYPE, HeaderName, ORIGIN, VARY,
};
use http::{HeaderMap, Method};

use crate::fetch::{Answer, Ask, Failure, Network};
use crate::finding::{Code, Finding, unchecked};
use crate::site::{Mode, Site};

const ORIGINS_MAX: usize = 8;

/// How an answer treats an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Refused,
    /// `*`
    Anyone,
    Mirrored,
    MirroredWithCredentials,
}

/// Preflights of the site's origins and of foreign ones.
pub(crate) async fn cors(network: &Network, site: &Site) -> Vec<Finding> {
    let mut own: Vec<String> = Vec::new();
    // In path mode the page asks its own origin, and needs no leave.
    let page = (site.mode() == Mode::Host || site.page.origin() != site.tracking.origin()).then(|| site.page_origin());
    for origin in page.into_iter().chain(site.origins.iter().cloned()) {
        if !own.contains(&origin) && own.len() < ORIGINS_MAX {
            own.push(origin);
        }
    }
    own.retain(|origin| *origin != site.tracking.origin().ascii_serialization());
    let own = async { join_all(own.iter().map(|origin| own_origin(network, site, origin))).await };
    let (own, foreign) = futures_util::future::join(own, foreign_origins(network, site)).await;
    let mut found: Vec<Finding> = own.into_iter().flatten().collect();
    found.extend(foreign);
    found.extend(listed(site));
    found
}

/// Whether the page's origin is configured at all. The gateway's own host needs no leave.
fn listed(site: &Site) -> Option<Finding> {
    let origin = site.page_origin();
    if origin == site.tracking.origin().ascii_serialization() {
        return None;
    }
    let is_known = site.origins.is_empty() || site.origins.iter().any(|known| known.eq_ignore_ascii_case(&origin));
    (!is_known).then(|| {
        let what = format!("`{origin}` is none of {}", site.origins.join(", "));
        Finding::new(Code::OriginNotListed, origin.clone(), what)
            .change(format!("Add \"{origin}\" to `origins` of the site."))
    })
}

async fn own_origin(network: &Network, site: &Site, origin: &str) -> Vec<Finding> {
    let answer = match preflight(network, site, origin).await {
        Ok(answer) => answer,
        Err(failure) => return vec![unchecked(&format!("CORS for {origin}"), failure.to_string())],
    };
    let headers = &answer.headers;
    let code = match treatment(headers, origin) {
        Treatment::Refused => Code::CorsRefused,
        Treatment::Anyone | Treatment::Mirrored => Code::CorsNoCredentials,
        Treatment::MirroredWithCredentials if !answer.status.is_success() => Code::CorsRefused,
        Treatment::MirroredWithCredentials => Code::CorsMirrored,
    };
    let what = format!("a preflight of `{origin}` is answered {}, {}", answer.status, shown(headers));
    let finding = Finding::new(code, origin, what);
    let mut found = vec![match code {
        Code::CorsRefused => finding.change(allowing(site, origin)),
        _ => finding,
    }];
    if code == Code::CorsMirrored && !varies(headers) {
        found.push(Finding::new(Code::CorsNoVary, origin, "the answer to its preflight lacks `Vary: Origin`"));
    }
    found
}

/// What has a refused origin allowed.
fn allowing(site: &Site, origin: &str) -> String {
    match site.origins.iter().any(|known| known.eq_ignore_ascii_case(origin)) {
        true => format!(
            "`origins` of the site has \"{origin}\": let the gateway read it (`tidegate reload`), or look for a proxy in \
             between that answers preflights itself."
        ),
        false => format!("Add \"{origin}\" to `origins` of the site."),
    }
}

/// A stranger, one that looks alike, and a sandboxed page.
async fn foreign_origins(network: &Network, site: &Site) -> Vec<Finding> {
    let look_alike = format!("https://{}.doctor.invalid", site.page_host().trim_matches(['[', ']']).replace(':', "-"));
    let origins = ["https://doctor.invalid".to_owned(), look_alike, "null".to_owned()];
    let answers = join_all(origins.iter().map(|origin| preflight(network, site, origin))).await;
    let mut found = Vec::new();
    for (origin, answer) in origins.iter().zip(answers) {
        match answer {
            Err(failure) => return vec![unchecked("CORS for foreign origins", failure.to_string())],
            Ok(answer) => {
                let code = match treatment(&answer.headers, origin) {
                    Treatment::Refused => continue,
                    Treatment::MirroredWithCredentials => Code::CorsAnyOrigin,
                    Treatment::Anyone | Treatment::Mirrored => Code::CorsForeign,
                };
                let what = format!("a preflight of the foreign `{origin}` is answered {}", shown(&answer.headers));
                found.push(Finding::new(code, origin, what));
            }
        }
    }
    if found.is_empty() {
        found.push(Finding::new(Code::CorsForeignRefused, origins.join(", "), "preflights of them are not allowed"));
    }
    found
}

async fn preflight(network: &Network, site: &Site, origin: &str) -> Result<Answer, Failure> {
    let headers: Vec<(HeaderName, String)> = vec![
        (ORIGIN, origin.to_owned()),
        (ACCESS_CONTROL_REQUEST_METHOD, "POST".to_owned()),
        (ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type".to_owned()),
    ];
    let url = site.below(&site.events);
    network.exchange(Ask { method: Method::OPTIONS, url: &url, headers }).await
}

fn treatment(headers: &HeaderMap, origin: &str) -> Treatment {
    match value(headers, &ACCESS_CONTROL_ALLOW_ORIGIN) {
        Some("*") => Treatment::Anyone,
        Some(allowed) if allowed == origin => {
            let credentials = value(headers, &ACCESS_CONTROL_ALLOW_CREDENTIALS) == Some("true");
            if credentials { Treatment::MirroredWithCredentials } else { Treatment::Mirrored }
        }
        _ => Treatment::Refused,
    }
}

fn shown(headers: &HeaderMap) -> String {
    match value(headers, &ACCESS_CONTROL_ALLOW_ORIGIN) {
        Some(origin) => {
            let credentials = value(headers, &ACCESS_CONTROL_ALLOW_CREDENTIALS).unwrap_or("absent");
            format!("with `Access-Control-Allow-Origin: {origin}` and credentials {credentials}")
        }
        None => "without `Access-Control-Allow-Origin`".into(),
    }
}

fn varies(headers: &HeaderMap) -> bool {
    let values = headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|name| matches!(name.trim(), "*") || name.trim().eq_ignore_ascii_case("origin"))
}

/// Asks for the snippet as a page's tag with `crossorigin` does.
pub(crate) async fn snippet(network: &Network, site: &Site) -> Result<Answer, Failure> {
    network.get(&site.below(&site.snippet), vec![(ORIGIN, site.page_origin())]).await
}

/// What there is to say of the snippet's answer.
pub(crate) fn served(site: &Site, answer: &Result<Answer, Failure>) -> Vec<Finding> {
    let url = site.below(&site.snippet);
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => return vec![unchecked(&format!("the snippet {url}"), failure.to_string())],
    };
    if !answer.status.is_success() || answer.body.is_empty() {
        let what = format!("`{url}` is answered {} with {} bytes", answer.status, answer.body.len());
        return vec![Finding::new(Code::SnippetMissing, url, what)];
    }
    let kind = value(&answer.headers, &CONTENT_TYPE).unwrap_or("no type");
    if !is_javascript(kind) {
        return vec![Finding::new(Code::SnippetNotJavascript, url, format!("comes as `{kind}`"))];
    }
    let mut found =
        vec![Finding::new(Code::SnippetServed, url.clone(), format!("comes as `{kind}`, {} bytes", answer.body.len()))];
    let caching = value(&answer.headers, &CACHE_CONTROL).unwrap_or_default();
    if !is_cached(caching) {
        let what = if caching.is_empty() {
            "comes without Cache-Control".into()
        } else {
            format!("comes with `Cache-Control: {caching}`")
        };
        found.push(Finding::new(Code::SnippetNotCached, url, what));
    }
    found
}

fn is_javascript(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(
        essence.as_str(),
        "text/javascript"
            | "application/javascript"
            | "application/x-javascript"
            | "text/ecmascript"
            | "application/ecmascript"
    )
}

fn is_cached(control: &str) -> bool {
    let directives: Vec<String> = control.split(',').map(|one| one.trim().to_ascii_lowercase()).collect();
    let lasts = |directive: &String| {
        let seconds = directive.strip_prefix("max-age=").map(|age| age.trim_matches('"').parse::<u64>());
        matches!(seconds, Some(Ok(1..)))
    };
    !directives.iter().any(|directive| directive == "no-store" || directive == "no-cache")
        && directives.iter().any(lasts)
}

/// Whether the gateway says that it takes events.
pub(crate) async fn health(network: &Network, site: &Site) -> Vec<Finding> {
    let Some(path) = &site.health else { return Vec::new() };
    let url = site.below(path);
    vec![match network.get(&url, Vec::new()).await {
        Err(failure) => unchecked(&format!("the gateway's health at {url}"), failure.to_string()),
        Ok(answer) if answer.status.is_success() => {
            Finding::new(Code::GatewayHealthy, url, format!("answers {}", answer.status))
        }
        Ok(answer) => Finding::new(Code::GatewayUnhealthy, url, format!("answers {}", answer.status)),
    }]
}

fn value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lasts_is_cached() {
        for (control, expected) in [
            ("public, max-age=3600", true),
            ("max-age=31536000, immutable", true),
            ("", false),
            ("public", false),
            ("max-age=0", false),
            ("no-cache, max-age=3600", false),
            ("max-age=x", false),
        ] {
            assert_eq!(is_cached(control), expected, "{control}");
        }
    }

    #[test]
    fn an_origin_is_compared_exactly() {
        let headers = |origin: &str, credentials: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.parse().unwrap());
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials.parse().unwrap());
            headers
        };
        let origin = "https://a.example";
        assert_eq!(treatment(&headers(origin, "true"), origin), Treatment::MirroredWithCredentials);
        assert_eq!(treatment(&headers(origin, "True"), origin), Treatment::Mirrored);
        assert_eq!(treatment(&headers("*", "true"), origin), Treatment::Anyone);
        assert_eq!(treatment(&headers("https://a.example/", "true"), origin), Treatment::Refused);
        assert_eq!(treatment(&HeaderMap::new(), origin), Treatment::Refused);
    }
}
