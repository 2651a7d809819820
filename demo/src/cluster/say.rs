//! What is printed. The one place of the cluster that writes to the terminal.

#![expect(clippy::print_stdout, reason = "what the demo prints is what it is for")]

use std::time::Duration;

use super::fleet::Running;
use super::store::Node;
use super::tally::Numbers;
use super::{Options, shown};
use crate::{gateway, shop};

/// So many have no answer yet even when all is well.
const UNDER_WAY_USUAL: usize = 20;

pub(super) fn starting() {
    println!("\n  Starting six Redis servers, two gateways and two workers …");
}

/// Everything that runs, and what to try.
pub(super) fn running(options: &Options, nodes: &[Node], members: &[Running]) {
    let shop = shop::url(options.shop);
    println!("\n  {:<11} {:>8}  {:<17} role", "process", "pid", "address");
    for running in members {
        let (member, pid) = (&running.member, running.pid());
        let address = member.http.map_or("-".to_owned(), |http| http.to_string());
        println!("  {:<11} {pid:>8}  {address:<17} {}, dashboard http://{}", member.name, member.role(), member.admin);
    }
    for node in nodes {
        println!("  {:<11} {:>8}  {:<17} {}", node.name, node.pid, node.address, node.role);
    }
    println!("\n  the shop           {shop}");
    println!("  the platforms      {shop}platforms");
    println!("  a dashboard        {}/#token={}", gateway::dashboard_url(options.admin), gateway::ADMIN_TOKEN);
    println!("  configurations     {} (logs beside them)\n", shown(&options.data.join("*.toml")));
    println!("  Try:  curl -H 'Authorization: Bearer {}' http://{}/v1/events \\", gateway::API_KEY, options.gateway);
    println!("          -d '{{\"event\":\"purchase_completed\",\"anonymous_id\":\"a1\",\"consent\":\"marketing\"}}'");
    println!("  Kill any of them, which is then started again:  kill -9 PID");
    if !options.client {
        println!("  With --client (`make cluster CLIENT=yes`), events are sent all the time, and counted.");
    }
    println!("  Stop with Ctrl-C. What was stored is gone then.\n");
}

pub(super) fn died(name: &str, pid: u32, how: &str, restart_after: Duration) {
    println!(
        "  {name} ({pid}) {how}; it is started again in {} s, as a service manager would",
        restart_after.as_secs()
    );
}

pub(super) fn back(name: &str, pid: u32) {
    println!("  {name} is back: pid {pid}");
}

pub(super) fn promoted(name: &str, instead_of: &str) {
    println!("  {name} is a primary now, instead of {instead_of}");
}

/// One line a second, while events are sent.
pub(super) fn numbers(since_start: Duration, numbers: &Numbers) {
    let mut line = format!(
        "  {:>4} s  acknowledged {:<7} delivered {:<7} on their way {:<5} lost {:<3}",
        since_start.as_secs(),
        numbers.acknowledged,
        numbers.delivered,
        numbers.open - numbers.lost.min(numbers.open),
        numbers.lost
    );
    if numbers.under_way > UNDER_WAY_USUAL {
        line.push_str(&format!("  not taken yet {}", numbers.under_way));
    }
    if numbers.silence >= Duration::from_secs(1) {
        line.push_str(&format!("  nothing acknowledged for {:.1} s", numbers.silence.as_secs_f32()));
    }
    let refusals: Vec<String> = numbers.refusals.iter().map(|(why, count)| format!("{why} ({count})")).collect();
    if !refusals.is_empty() {
        line.push_str(&format!("  {}", refusals.join(", ")));
    }
    println!("{}", line.trim_end());
}

pub(super) fn ending() {
    println!("\n  Ending: first the client, then gateways and workers, then the servers …");
}

pub(super) fn summary(numbers: &Numbers) {
    println!(
        "  {} events were acknowledged, {} delivered, {} are on their way, {} lost.\n",
        numbers.acknowledged,
        numbers.delivered,
        numbers.open - numbers.lost.min(numbers.open),
        numbers.lost
    );
}
