//! Whether an order for a host has a chance: asked before the authority is, so that a wrong DNS record costs no failed
//! validation.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// What [`Precheck::check`] returns.
pub type Checking<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Says whether a host leads to us.
pub trait Precheck: Send + Sync + 'static {
    /// Fails with what is wrong and how to mend it, in a sentence: `t.shop.example has no address; …`.
    fn check<'a>(&'a self, host: &'a str) -> Checking<'a>;
}

/// The host resolves, to whatever address: for gateways that cannot know their own, behind a load balancer.
#[derive(Debug, Default, Clone, Copy)]
pub struct Resolves;

/// The host resolves, and only to these addresses: an authority may try any of them.
#[derive(Debug, Clone)]
pub struct PointsTo(pub Vec<IpAddr>);

impl Precheck for Resolves {
    fn check<'a>(&'a self, host: &'a str) -> Checking<'a> {
        Box::pin(async move { resolve(host).await.map(drop) })
    }
}

impl Precheck for PointsTo {
    fn check<'a>(&'a self, host: &'a str) -> Checking<'a> {
        Box::pin(async move {
            let found = resolve(host).await?;
            match found.iter().find(|address| !self.0.contains(address)) {
                None => Ok(()),
                Some(other) => Err(format!(
                    "`{host}` also or only leads to {other}, which is not ours: correct its A or AAAA record"
                )),
            }
        })
    }
}

async fn resolve(host: &str) -> Result<Vec<IpAddr>, String> {
    let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((host, 443))).await;
    let mend = "add an A, AAAA or CNAME record that leads here";
    match found {
        Err(_) => Err(format!("`{host}` was not resolved within {} s: check the resolver", RESOLVE_TIMEOUT.as_secs())),
        Ok(Err(error)) => Err(format!("`{host}` does not resolve ({error}): {mend}")),
        Ok(Ok(addresses)) => {
            let addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
            if addresses.is_empty() { Err(format!("`{host}` has no address: {mend}")) } else { Ok(addresses) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_that_leads_elsewhere_fails_before_the_authority_is_asked() {
        let ours = PointsTo(vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]);
        assert_eq!(ours.check("localhost").await, Ok(()));
        let other = PointsTo(vec!["192.0.2.1".parse().unwrap()]);
        assert!(other.check("localhost").await.unwrap_err().contains("which is not ours"));
        assert_eq!(Resolves.check("localhost").await, Ok(()));
    }
}
