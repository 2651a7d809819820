//! Fetches the page as a browser would come to it: redirects are followed within the site, a few at most.

use http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, LOCATION};
use url::Url;

use super::unreachable;
use crate::domain;
use crate::fetch::{Answer, Failure, Network};
use crate::finding::{Code, Finding, unchecked};
use crate::html;
use crate::site::Site;

const REDIRECTS_MAX: usize = 5;

/// A page that was read.
#[derive(Debug)]
pub(crate) struct Found {
    /// Where it was at last.
    pub(crate) url: Url,
    pub(crate) html: html::Page,
    /// The policies of its headers and its meta tags.
    pub(crate) policies: Vec<String>,
}

/// The page, if it can be read, and what there is to say of getting it.
pub(crate) async fn fetch(network: &Network, site: &Site) -> (Option<Found>, Vec<Finding>) {
    let mut url = site.page.clone();
    let mut found = Vec::new();
    for _ in 0..=REDIRECTS_MAX {
        let answer = match network.get(&url, Vec::new()).await {
            Ok(answer) => answer,
            Err(Failure::NoAddress) if !found.is_empty() || url.host_str() != Some(site.page_host()) => {
                found.push(unchecked(
                    &format!("the page {url}"),
                    "the address of the host that it leads to was not looked up",
                ));
                return (None, found);
            }
            Err(failure) => {
                found.push(unreachable(&failure, url.as_str()));
                return (None, found);
            }
        };
        if !answer.status.is_redirection() {
            let (page, more) = read(url, &answer);
            found.extend(more);
            return (page, found);
        }
        let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(next) = location.and_then(|location| url.join(location).ok()) else {
            found.push(Finding::new(
                Code::PageStatus,
                url.clone(),
                format!("is answered {} without a place to go", answer.status),
            ));
            return (None, found);
        };
        let host = next.host_str().unwrap_or_default();
        if !matches!(next.scheme(), "http" | "https") || !domain::same_site(host, site.page_host()) {
            found.push(Finding::new(Code::PageLeavesSite, url, format!("leads to `{next}`")));
            return (None, found);
        }
        if next.origin() != url.origin() && found.is_empty() {
            let what = format!("leads to `{next}`");
            let change = format!("Run the doctor for `{next}`.");
            found.push(Finding::new(Code::PageRedirects, url.clone(), what).change(change));
        }
        url = next;
    }
    found.push(Finding::new(Code::PageRedirectLoop, url, format!("leads on more than {REDIRECTS_MAX} times")));
    (None, found)
}

fn read(url: Url, answer: &Answer) -> (Option<Found>, Vec<Finding>) {
    if !answer.status.is_success() {
        let what = format!("is answered {}", answer.status);
        return (None, vec![Finding::new(Code::PageStatus, url, what)]);
    }
    let encoding = answer.headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("identity");
    if !encoding.eq_ignore_ascii_case("identity") {
        let why = format!("it comes as {encoding}, though that was not asked for");
        return (None, vec![unchecked(&format!("the page {url}"), why)]);
    }
    let html = html::read(&answer.body, &url);
    let headers = answer.headers.get_all(CONTENT_SECURITY_POLICY).iter();
    let mut policies: Vec<String> = headers.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect();
    policies.extend(html.policies.iter().cloned());
    let mut found = Vec::new();
    if answer.is_cut {
        found.push(Finding::new(Code::PageTooLarge, url.clone(), "is larger than 2 MiB"));
    }
    (Some(Found { url, html, policies }), found)
}
