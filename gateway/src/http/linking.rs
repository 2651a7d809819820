//! Links between a site's own domains: who arrives by one, and the token that the page's next one carries. What a token holds,
//! and what it is worth to somebody who copies it, is [`tidegate_identity::link`]'s.

use tidegate_event::Level;
use tidegate_identity::link::{self, Passenger};
use tidegate_identity::visitor::Found;

use super::collect::{Answering, Caller};
use super::sites::is_ours;
use crate::config::Site;
use crate::journey::Identity;
use crate::journey::decode::Envelope;

impl Answering<'_> {
    /// Who arrives with a request's events by a link. A browser that has a cookie stays who that says.
    pub(super) fn passenger(&self, envelope: &Envelope, caller: &Caller, site: &Site) -> Option<Passenger> {
        let token = envelope.arrived.as_deref()?;
        if site.cookieless || matches!(caller.found, Found::Visitor(_)) || !is_ours(&caller.host, &site.hosts) {
            return None;
        }
        let here = caller.place.domain.as_ref()?;
        let read = link::read(&self.sites.ring, token, caller.now_ms, here);
        read.inspect_err(|why| tracing::debug!("a link's token {why}")).ok()
    }

    /// The token for the page's links to the site's other domains, as far as consent goes: none below analytics, and where
    /// the site has no other domain.
    pub(super) fn link(
        &self,
        envelope: &Envelope,
        caller: &Caller,
        identity: &Identity,
        site: &Site,
    ) -> Option<String> {
        if !envelope.wants_link || site.cookieless || identity.consent.level < Level::Analytics {
            return None;
        }
        let domains = site.linked_domains();
        if domains.len() < 2 {
            return None;
        }
        let clicks = if identity.consent.level == Level::Marketing { identity.clicks.clone() } else { Vec::new() };
        let passenger = Passenger { visitor: identity.visitor, clicks };
        link::make(&self.sites.ring, &passenger, caller.now_ms, &domains)
    }
}
