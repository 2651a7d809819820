//! The subject: a site, its tracking host and its cookies, parsed at the edge; and how to look at it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use serde::{Deserialize, Serialize};
use tidegate_event::Level;
use url::Url;

/// Who sets a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetBy {
    /// The gateway's answers.
    Server,
    /// A script on the page.
    Script,
}

/// A cookie that the site has browsers keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// How long it asks to live.
    pub max_age_s: u64,
    /// Whether scripts cannot read it.
    pub http_only: bool,
    /// Who sets it.
    pub set_by: SetBy,
    /// The consent that it needs.
    pub level: Level,
}

/// How the gateway is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// On a host of its own.
    Host,
    /// Behind the page's own host.
    Path,
}

/// Why something is no site to look at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The page's address cannot be read.
    #[error("`{raw}` is no address of a page")]
    Page {
        /// As it was given.
        raw: String,
        /// What is wrong with it.
        #[source]
        err: url::ParseError,
    },
    /// The tracking host cannot be read.
    #[error("`{raw}` is no host or address of a gateway")]
    Tracking {
        /// As it was given.
        raw: String,
        /// What is wrong with it.
        #[source]
        err: url::ParseError,
    },
    /// The certificate authorities cannot be read.
    #[error("these are no certificates in PEM")]
    Roots {
        /// What is wrong with them.
        #[source]
        err: pem::Error,
    },
    /// It is not on the web.
    #[error("`{0}` is neither http nor https")]
    Scheme(Url),
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Site {
    /// The page's address.
    pub page: Url,
    /// Where the gateway answers; ends with `/`.
    pub tracking: Url,
    /// The cookies that browsers are asked to keep.
    pub cookies: Vec<Cookie>,
    /// The snippet's path below `tracking`.
    pub snippet: String,
    /// The path below `tracking` that takes events.
    pub events: String,
    /// A path below `tracking` that says whether the gateway takes events, if it shows one to the public.
    pub health: Option<String>,
    /// The site's write key.
    pub key: Option<String>,
    /// The origins that the gateway is configured to answer.
    pub origins: Vec<String>,
    /// The addresses that the tracking host should have, if that is known.
    pub addresses: Vec<IpAddr>,
}

/// Where a gateway answers, of its host (`track.shop.example`) or of the address that a proxy gives it
/// (`https://www.shop.example/t/`); ends with `/`.
pub fn place(raw: &str) -> Result<Url, Error> {
    let mut url = on_the_web(raw, |raw, err| Error::Tracking { raw, err })?;
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn on_the_web(raw: &str, wrong: impl FnOnce(String, url::ParseError) -> Error) -> Result<Url, Error> {
    let text = if raw.contains("://") { raw.to_owned() } else { format!("https://{raw}") };
    let url = Url::parse(&text).map_err(|err| wrong(raw.to_owned(), err))?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(Error::Scheme(url)) }
}

impl Site {
    /// A site of a page's address and the gateway's place: a host (`track.shop.example`), or the address that
    /// a proxy gives it (`https://www.shop.example/t/`).
    pub fn new(page: &str, tracking: &str) -> Result<Site, Error> {
        Ok(Site {
            page: on_the_web(page, |raw, err| Error::Page { raw, err })?,
            tracking: place(tracking)?,
            cookies: Vec::new(),
            snippet: "t.js".into(),
            events: "v1/events".into(),
            health: None,
            key: None,
            origins: Vec::new(),
            addresses: Vec::new(),
        })
    }

    /// How the gateway is reached.
    pub fn mode(&self) -> Mode {
        if self.page_host() == self.tracking_host() { Mode::Path } else { Mode::Host }
    }

    pub(crate) fn page_host(&self) -> &str {
        self.page.host_str().unwrap_or_default()
    }

    pub(crate) fn tracking_host(&self) -> &str {
        self.tracking.host_str().unwrap_or_default()
    }

    pub(crate) fn page_origin(&self) -> String {
        self.page.origin().ascii_serialization()
    }

    /// The address of a path below the gateway's place.
    pub(crate) fn below(&self, path: &str) -> Url {
        let mut url = self.tracking.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}{}", self.tracking.path(), path.trim_start_matches('/')));
        url.set_query(query);
        url
    }
}

/// How to look.
#[derive(Debug, Clone)]
pub struct Options {
    /// A name server to ask instead of the system's.
    pub resolver: Option<SocketAddr>,
    /// Where to connect instead of a host and port: for tests, as curl's `--connect-to`.
    pub connect: BTreeMap<(String, u16), SocketAddr>,
    /// Certificate authorities to trust beside the system's.
    pub roots: Vec<CertificateDer<'static>>,
    /// For one look-up or one exchange.
    pub timeout: Duration,
    /// For all of it.
    pub deadline: Duration,
    /// What time it is.
    pub now: SystemTime,
}

impl Options {
    /// The usual: the system's name servers and authorities, 5 s for an exchange, 30 s for all.
    pub fn new(now: SystemTime) -> Options {
        Options {
            resolver: None,
            connect: BTreeMap::new(),
            roots: Vec::new(),
            timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(30),
            now,
        }
    }

    /// Trusts the authorities of a PEM file, too: at least one.
    pub fn trust(&mut self, file: &[u8]) -> Result<(), Error> {
        let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file).collect();
        let roots = roots.map_err(|err| Error::Roots { err })?;
        if roots.is_empty() {
            return Err(Error::Roots { err: pem::Error::NoItemsFound });
        }
        self.roots.extend(roots);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_path_are_both_places_of_a_gateway() {
        let site = Site::new("https://www.shop.example/", "track.shop.example").unwrap();
        assert_eq!(
            (site.mode(), site.below("/v1/events").as_str()),
            (Mode::Host, "https://track.shop.example/v1/events")
        );
        let site = Site::new("www.shop.example", "https://WWW.shop.example/t").unwrap();
        assert_eq!(
            (site.mode(), site.below("tidegate.js").as_str()),
            (Mode::Path, "https://www.shop.example/t/tidegate.js")
        );
    }

    #[test]
    fn a_file_of_authorities_has_at_least_one() {
        let mut options = Options::new(SystemTime::UNIX_EPOCH);
        for none in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(options.trust(none), Err(Error::Roots { .. })));
        }
        options.trust(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert_eq!(options.roots.len(), 1);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (page, tracking) in [("", "t.example"), ("https://a b/", "t.example"), ("https://a.example", "t example")] {
            assert!(Site::new(page, tracking).is_err(), "{page} {tracking}");
        }
        assert!(matches!(Site::new("ftp://a.example", "t.example"), Err(Error::Scheme(_))));
    }
}
