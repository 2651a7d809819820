//! Fan out: which of a site's destinations an event goes to, and for each what its plugin may see of it.

use std::sync::Arc;

use tidegate_sandbox::contract;

use super::consent::Consented;
use super::names;
use crate::destination::{Destination, Switch};
use crate::record::Dropped;
use crate::switch::{Position, Switches};

/// Where an event goes.
#[derive(Debug)]
pub struct Routes {
    pub(super) routes: Vec<Route>,
    pub(super) dropped: Vec<Dropped>,
}

/// One destination that the event's consent allows, with what its plugin is to see.
#[derive(Debug)]
pub struct Route {
    pub(super) destination: Arc<Destination>,
    pub(super) saw: contract::Event,
}

/// Routes an event to the destinations of its site.
pub fn fan_out(consented: &Consented, destinations: &[Arc<Destination>], switches: &Switches) -> Routes {
    let mut routes = Vec::with_capacity(destinations.len());
    let mut dropped = Vec::new();
    for destination in destinations {
        match obstacle(consented, destination, switches) {
            Some(reason) => dropped.push(Dropped { destination: destination.name.clone(), reason }),
            None => routes.push(Route {
                saw: destination.plugin.projection().apply(&consented.event),
                destination: Arc::clone(destination),
            }),
        }
    }
    Routes { routes, dropped }
}

fn obstacle(consented: &Consented, destination: &Destination, switches: &Switches) -> Option<String> {
    if names::is_signal(&consented.event.name) {
        return Some("it only tells the gateway of the visitor's consent".into());
    }
    if destination.switch == Switch::Off {
        return Some("the destination is switched off".into());
    }
    if let Some(switched) = switches.of(&destination.name).filter(|one| one.position == Position::Off) {
        return Some(format!("the destination was {switched}"));
    }
    destination.consent_obstacle(&consented.event.consent)
}
