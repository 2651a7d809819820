//! kill -9 of each process in turn, which comes back as a service manager would have it.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_tests::{Form, Process};

use crate::stand::{Stand, Story, block};

/// Which process is killed. Of the servers, the number says the shard: who is its primary changes.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Worker(usize),
    Gateway(usize),
    Replica(usize),
    Primary(usize),
}

impl Victim {
    fn kind(self) -> &'static str {
        match self {
            Victim::Worker(_) => "worker",
            Victim::Gateway(_) => "gateway",
            Victim::Replica(_) => "replica",
            Victim::Primary(_) => "primary",
        }
    }
}

/// All ten, or one of each kind. A dead worker's leases take half a minute, in which the others may die.
fn victims(form: Form) -> Vec<Victim> {
    let (processes, shards) = form.of((1, 1), (2, 3));
    let workers = (0..processes).map(Victim::Worker);
    let gateways = (0..processes).map(Victim::Gateway);
    let replicas = (0..shards).map(Victim::Replica);
    workers.chain(gateways).chain(replicas).chain((0..shards).map(Victim::Primary)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_process_may_be_killed() {
    let form = Form::asked();
    let rounds = form.of(1, 4);
    let mut stand = Stand::start().await;
    let mut silent = BTreeMap::<&str, Duration>::new();
    for _ in 0..rounds {
        for victim in victims(form) {
            let fault = stand.begin().await;
            kill(&mut stand, victim).await;
            let longest = stand.end(fault).await;
            let known = silent.entry(victim.kind()).or_default();
            *known = longest.max(*known);
        }
    }
    let silences = silent.iter().map(|(kind, time)| format!("{kind} {} ms", time.as_millis()));
    let silences = silences.collect::<Vec<_>>().join(", ");
    let killed = victims(form).len();
    let story = Story {
        name: "52-cluster-process-killed",
        fault: "Cluster: one of ten processes killed",
        done: format!("kill -9 of {killed} processes in turn, {rounds} times; nothing acknowledged for: {silences}"),
    };
    stand.settle(story).await;
}

/// Kills it, and has it back.
async fn kill(stand: &mut Stand, victim: Victim) {
    match victim {
        Victim::Worker(n) => {
            stand.workers.remove(n).kill().await;
            let worker = Process::start_as(&stand.config, "deliver").await;
            stand.workers.insert(n, worker);
        }
        Victim::Gateway(n) => {
            stand.gateways.remove(n).kill().await;
            // The clients know its address still, and find nobody there.
            stand.senders.more(10).await;
            let gateway = Process::start_as(&stand.config, "collect").await;
            stand.gateways.insert(n, gateway);
            stand.point_senders();
        }
        Victim::Replica(shard) => block(|| {
            let primary = stand.cluster.owner_of_slot(first_slot(shard));
            let replica = stand.cluster.partner(primary);
            stand.cluster.kill(replica);
            stand.cluster.restart(replica);
        }),
        Victim::Primary(shard) => block(|| {
            let primary = stand.cluster.owner_of_slot(first_slot(shard));
            stand.cluster.kill(primary);
            // One that is back sooner may lack what only its replica confirmed: operators are told to let it rest.
            stand.cluster.until_replaced(primary);
            stand.cluster.restart(primary);
        }),
    }
}

/// The first slot of a shard, of three that are alike.
fn first_slot(shard: usize) -> u16 {
    u16::try_from(shard * usize::from(tidegate_test_redis::SLOTS) / 3).unwrap()
}
