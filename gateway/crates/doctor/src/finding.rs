//! What there is to say: each kind of finding, from one table that the guide is compared with.

use std::fmt;

use serde::{Serialize, Serializer};

/// How much a finding matters, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Looked at, and as it should be.
    Ok,
    /// Worth knowing.
    Notice,
    /// It works, but not for everybody or not for long.
    Warning,
    /// Events, cookies or visitors' data are lost.
    Error,
}

impl Severity {
    /// The severity's name in the report and the guide.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its kind.
    pub code: Code,
    /// How much it matters; the kind decides.
    pub severity: Severity,
    /// What was found, in one sentence.
    #[serde(rename = "what")]
    pub what: String,
    /// Where: a host, an address, a header, a cookie.
    #[serde(rename = "where")]
    pub subject: String,
    /// Why it matters.
    pub why: String,
    /// What to change: a record, a header or a line where there is one. Nothing for what is in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

impl Finding {
    pub(crate) fn new(code: Code, subject: impl Into<String>, what: impl Into<String>) -> Finding {
        let change = (code.severity() > Severity::Ok).then(|| code.remedy().to_owned());
        let why = code.meaning().to_owned();
        Finding { code, severity: code.severity(), what: what.into(), subject: subject.into(), why, change }
    }

    /// Gives the exact thing to change instead of the kind's general advice.
    pub(crate) fn change(self, change: impl Into<String>) -> Finding {
        Finding { change: Some(change.into()), ..self }
    }

    /// Gives the exact reason instead of the kind's general one.
    pub(crate) fn because(self, why: impl Into<String>) -> Finding {
        Finding { why: why.into(), ..self }
    }
}

/// A check that could not be made, and why.
pub(crate) fn unchecked(check: &str, why: impl Into<String>) -> Finding {
    Finding::new(Code::Unchecked, check, format!("{check} could not be checked")).because(why)
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $meaning:literal, $remedy:literal;)*) => {
        /// A kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// Every kind, in the guide's order.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// Its name in reports and in the guide.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code),* }
            }

            /// How much a finding of this kind matters.
            pub const fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity),* }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Code::$name => $meaning),* }
            }

            /// What to do about it, in general. Empty where there is nothing to do.
            pub const fn remedy(self) -> &'static str {
                match self { $(Code::$name => $remedy),* }
            }
        }
    };
}

codes! {
    DnsResolves "dns-resolves" Ok "The name leads to addresses.", "";
    DnsNoSuchName "dns-no-such-name" Error "The name does not exist (NXDOMAIN): no browser reaches it.",
        "Add an A or AAAA record for the name; a new record can take as long as the zone's negative TTL to be seen.";
    DnsDanglingCname "dns-dangling-cname" Error
        "A CNAME leads to a name that does not exist; whoever registers that name gets the visitors.",
        "Remove the CNAME, or point it to a name of your own that exists.";
    DnsNoAddress "dns-no-address" Error "The name exists, but has neither an A nor an AAAA record.",
        "Add an A or AAAA record for the name.";
    DnsServerFailure "dns-server-failure" Error "The name server answers with a failure (SERVFAIL, REFUSED or another).",
        "Ask the zone's own name servers with `dig NAME @SERVER`; a broken DNSSEC chain and a zone that did not load are the usual causes.";
    DnsTimeout "dns-timeout" Error "No name server answered in time.",
        "Check that the name server is up and that UDP and TCP port 53 pass the firewall.";
    DnsLoop "dns-loop" Error "The CNAMEs lead in a circle, or through too many names.",
        "Point the name to an address with an A or AAAA record instead.";
    DnsPartial "dns-partial" Warning "One of the two address families could not be asked for.",
        "Ask for both with `dig A NAME` and `dig AAAA NAME`, and mend the one that fails.";
    DnsUnexpectedAddress "dns-unexpected-address" Warning "The name leads to an address that was not expected.",
        "Change the record to the expected address, or the expectation.";
    DnsPrivateAddress "dns-private-address" Notice "The address is not one of the public Internet: visitors do not reach it.",
        "Give the name a public address, unless all visitors are inside.";
    SameSite "same-site" Ok "The page and the tracking host share a registrable domain: cookies are first-party.", "";
    ThirdParty "third-party" Error
        "The tracking host is not of the page's registrable domain: Safari and Brave block its cookies, Firefox partitions them, Chromium drops those with SameSite=Lax.",
        "Use a host below the page's own registrable domain, or path mode.";
    PublicSuffix "public-suffix" Error "The page's host is itself a public suffix: no cookie can be set for a domain.",
        "Use a domain of your own.";
    HostOnly "host-only" Notice "An address or a name without a domain: cookies are for the one host alone.",
        "Use a domain name for anything but development.";
    SafariKeeps "safari-keeps" Ok "Safari keeps the cookies that the gateway sets for as long as they ask.", "";
    SafariCapsCname "safari-caps-cname" Warning
        "Safari takes a CNAME into another domain for cloaking, and keeps cookies 7 days at most.",
        "Replace the CNAME with an A or AAAA record beside the page's own address, use path mode, or set cookies on top-level redirects (`/r`).";
    SafariCapsAddress "safari-caps-address" Warning
        "The tracking host's address is not near the page's: Safari keeps cookies 7 days at most.",
        "Move the gateway next to the page (the same first 16 bits of IPv4, 64 of IPv6), use path mode, or set cookies on top-level redirects (`/r`).";
    SafariMayCap "safari-may-cap" Warning
        "Of several addresses some are near the page's and some are not: how long Safari keeps a cookie depends on which it uses.",
        "Leave only addresses near the page's, of the same families as the page's, or use path mode.";
    SafariUnknown "safari-unknown" Notice "What Safari does depends on addresses that could not be found out.",
        "Mend the DNS findings first.";
    ScriptCookies "script-cookies" Notice
        "Cookies that a script sets live 7 days in Safari, and 24 hours after a click on a decorated link from a known tracker.",
        "Let the gateway set them (`set by: server`).";
    CookieClamped "cookie-clamped" Notice "A cookie asks to live longer than browsers let it.",
        "Nothing is lost: browsers clamp it. Ask for 34560000 s (400 days) to see true numbers.";
    CertificateValid "certificate-valid" Ok "The certificate is trusted, of the right name, and not about to expire.", "";
    CertificateExpiresSoon "certificate-expires-soon" Warning "The certificate expires in less than three weeks, or a third of its life: its renewal seems to have failed.",
        "Look for renewal errors in the log; with ACME it should have been renewed with a third of its life left.";
    CertificateExpired "certificate-expired" Error "The certificate has expired: browsers refuse the connection, and every event is lost.",
        "Renew the certificate.";
    CertificateNotYetValid "certificate-not-yet-valid" Error "The certificate is not valid yet: browsers refuse it.",
        "Check the clock of the machine that made it, and this one's.";
    CertificateWrongName "certificate-wrong-name" Error "The certificate is for other names: browsers refuse it.",
        "Get a certificate whose subject alternative names have this host.";
    CertificateUntrusted "certificate-untrusted" Error "No authority that browsers know has signed the certificate, or its chain is incomplete.",
        "Serve the whole chain (`fullchain.pem`), or get a certificate from a public authority.";
    CertificateBroken "certificate-broken" Error "The certificate cannot be used.", "Get a new certificate.";
    CertificateMissing "certificate-missing" Error "The server has no certificate for this host: browsers do not get as far as a request.",
        "Name a certificate for the host in `certificates` of `[tls]`, or let `[tls.acme]` order one; the gateway's log says why it has none.";
    TlsFailed "tls-failed" Error "No TLS connection comes about.", "Check that TLS is served on this port for this host name (SNI).";
    TlsNo13 "tls-no-1-3" Notice "Only TLS 1.2 is spoken: each connection takes a round trip more.", "Switch TLS 1.3 on.";
    Unreachable "unreachable" Error "Nothing answers at the host's addresses.",
        "Check that the server runs, listens on this port, and that the firewall lets it be reached.";
    Hsts "hsts" Ok "Browsers are told to use HTTPS only.", "";
    HstsMissing "hsts-missing" Warning "Without Strict-Transport-Security a first request can be made in plain text, and read or changed.",
        "Set `hsts_days` of `[tls]` if the gateway speaks TLS itself; else have the proxy add `Strict-Transport-Security: max-age=31536000`.";
    HstsShort "hsts-short" Notice "Strict-Transport-Security lasts less than half a year.",
        "Set `hsts_days` of `[tls]` if the gateway speaks TLS itself; else have the proxy add `Strict-Transport-Security: max-age=31536000`.";
    HttpRedirects "http-redirects" Ok "Plain HTTP leads to HTTPS.", "";
    HttpClosed "http-closed" Notice "Plain HTTP is not answered: links and typed addresses without https fail.",
        "Redirect port 80 to HTTPS, unless nobody types this address.";
    HttpNotRedirected "http-not-redirected" Warning "Plain HTTP is answered without leading to HTTPS: cookies with `Secure` are not set there.",
        "Let port 80 lead to `listen.http` of a gateway that speaks TLS itself; else have the proxy answer it with `301` and `Location: https://…`.";
    Clock "clock" Ok "The server's clock and this machine's agree.", "";
    ClockOff "clock-off" Warning "The server's clock and this machine's differ: events get wrong times, and platforms refuse those of the future.",
        "Switch NTP on, on whichever of the two is wrong.";
    CorsMirrored "cors-mirrored" Ok "The page's origin is allowed, with credentials.", "";
    CorsRefused "cors-refused" Error "The gateway does not allow the page's origin: browsers drop its events and cookies.",
        "Add the origin to `origins` of the site.";
    CorsNoCredentials "cors-no-credentials" Error "The origin is allowed, but without credentials: no cookie is sent or set.",
        "Answer with `Access-Control-Allow-Credentials: true` and the very origin, not `*`.";
    CorsAnyOrigin "cors-any-origin" Error "A foreign origin is allowed with credentials: any website can speak as the visitor.",
        "Mirror only the configured origins; look for a proxy in between that adds CORS headers of its own.";
    CorsForeign "cors-foreign" Warning "A foreign origin is allowed, without credentials: any website can send events.",
        "Mirror only the configured origins; look for a proxy in between that adds CORS headers of its own.";
    CorsForeignRefused "cors-foreign-refused" Ok "Foreign origins are not allowed.", "";
    CorsNoVary "cors-no-vary" Warning "The answer lacks `Vary: Origin`: a cache may give one origin's answer to another.",
        "Add the header `Vary: Origin`.";
    OriginNotListed "origin-not-listed" Error "The page's origin is none of the site's configured ones: its events are refused with 403.",
        "Add the origin to `origins` of the site.";
    SnippetServed "snippet-served" Ok "The snippet is served as JavaScript.", "";
    SnippetMissing "snippet-missing" Error "The snippet's address does not give it.", "Check the path in the configuration, and what a proxy in between does with it.";
    SnippetNotJavascript "snippet-not-javascript" Error "The snippet comes under a type that browsers do not run.",
        "Serve it with `Content-Type: text/javascript; charset=utf-8`.";
    SnippetNotCached "snippet-not-cached" Warning "Nothing lets browsers keep the snippet: it is fetched again for every page.",
        "Answer with `Cache-Control: public, max-age=3600` or longer.";
    SnippetIntegrity "snippet-integrity" Error "The tag's integrity hash is not the served snippet's: browsers refuse to run it.",
        "Change the tag's `integrity` to the hash of the snippet that is served.";
    SnippetNoCors "snippet-no-cors" Error "A tag with `integrity` needs CORS on another origin: browsers refuse to run the snippet.",
        "Add `crossorigin=\"anonymous\"` to the tag, and answer with `Access-Control-Allow-Origin`.";
    GatewayHealthy "gateway-healthy" Ok "The gateway says that it takes events.", "";
    GatewayUnhealthy "gateway-unhealthy" Error "The gateway says that it takes no events.", "Read `/readyz` on its admin address, which says why.";
    PageStatus "page-status" Error "The page is not answered with success.", "Check the page's address.";
    PageRedirects "page-redirects" Notice "The page leads to another address; the predictions are for the address that was given.",
        "Run the doctor for the address that visitors end at.";
    PageLeavesSite "page-leaves-site" Error "The page leads to another site.", "Run the doctor for the address that visitors end at.";
    PageRedirectLoop "page-redirect-loop" Error "The page leads on and on.", "Mend the page's redirects.";
    PageTooLarge "page-too-large" Warning "The page is larger than 2 MiB; only the beginning was looked at.", "Put the tag into the page's head.";
    TagFound "tag-found" Ok "The page loads the snippet.", "";
    TagMissing "tag-missing" Error "The page does not load the snippet: nothing is collected.", "Add the tag to the page's head.";
    TagManaged "tag-managed" Warning "The page does not load the snippet itself; its tag manager may.",
        "Look for the tag in the tag manager, or put it into the page's head, where it starts sooner.";
    TagElsewhere "tag-elsewhere" Error "The page loads the snippet from another place than this gateway.", "Change the tag's `src`.";
    TagTwice "tag-twice" Warning "The page loads the snippet more than once: its page views may count twice.", "Remove all tags but one.";
    TagBlocking "tag-blocking" Warning "The tag has neither `async` nor `defer`: the page waits for it.", "Add `async` to the tag.";
    TagNoKey "tag-no-key" Error "The tag has no write key: the gateway refuses its events with 401.", "Add `data-key` with the site's write key to the tag.";
    TagWrongKey "tag-wrong-key" Error "The tag's write key is not the site's: its events are refused, or go to another site.",
        "Change `data-key` to the site's write key.";
    TagInsecure "tag-insecure" Error "The tag loads the snippet over plain HTTP: browsers block it on an HTTPS page.", "Change the tag's `src` to `https:`.";
    CspAllows "csp-allows" Ok "No Content-Security-Policy blocks the snippet or its events.", "";
    CspBlocksScript "csp-blocks-script" Error "The page's Content-Security-Policy blocks the snippet.", "Add the tracking host to `script-src`.";
    CspBlocksConnect "csp-blocks-connect" Error "The page's Content-Security-Policy blocks the snippet's events.", "Add the tracking host to `connect-src`.";
    ConsentUnknown "consent-unknown" Warning "The tag's `data-consent` says something that the script does not know, and has no effect.",
        "Remove it, or use `wait`, which sends nothing before consent was told. What counts without a word is the site's `consent.default`.";
    Unchecked "unchecked" Notice "A check could not be made.", "Mend what the other findings name, and run the doctor again.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_named_once_and_says_what_to_do_unless_all_is_well() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(code.severity() == Severity::Ok, code.remedy().is_empty(), "{code}");
        }
    }

    #[test]
    fn the_guide_has_every_code() {
        let guide = include_str!("../../../../docs/guides/doctor.md");
        let row = |code: &Code| {
            let remedy = code.remedy();
            let space = if remedy.is_empty() { "" } else { " " };
            format!("| `{code}` | {} | {} |{space}{remedy} |", code.severity().as_str(), code.meaning())
        };
        let rows: Vec<String> = Code::ALL.iter().map(row).collect();
        let (_, findings) = guide.split_once("\n## Findings\n").unwrap();
        let listed: Vec<&str> = findings.lines().filter(|line| line.starts_with("| `")).collect();
        assert!(listed == rows, "docs/guides/doctor.md should have these rows alone:\n{}", rows.join("\n"));
    }
}
