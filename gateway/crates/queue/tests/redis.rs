//! The Redis backend on one server: the contract.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

#[macro_use]
mod contract;

use std::sync::Arc;
use std::time::Duration;

use contract::Backend;
use tidegate_queue::redis::{Address, Options, Time, Timeouts, Wanted};
use tidegate_queue::{Level, Limits, Queue, RedisQueue};
use tidegate_test_redis::Server;
use tokio::runtime::Handle;

/// A server that writes to the disk before it answers. A crash kills the server; and the queue, which is not closed.
struct Redis {
    server: Server,
}

impl Redis {
    fn new() -> Self {
        Self { server: Server::with(&["appendfsync always"]) }
    }
}

impl Backend for Redis {
    fn open(&mut self, limits: Limits) -> Arc<dyn Queue> {
        let options = Options {
            address: Address::parse(&self.server.url()).unwrap(),
            ca_file: None,
            prefix: "test".into(),
            partitions: 64,
            limits,
            durability: Wanted { level: Level::Fsync, assumed: None },
            timeouts: Timeouts { connect: Duration::from_secs(5), response: Duration::from_secs(20) },
            time: Time::Caller,
            // The contract knows of no poison.
            lapses_max: u32::MAX,
        };
        let open = RedisQueue::open(options);
        Arc::new(tokio::task::block_in_place(|| Handle::current().block_on(open)).unwrap())
    }

    fn crash(&mut self) {
        tokio::task::block_in_place(|| {
            self.server.kill();
            self.server.restart();
        });
    }

    fn sweeps_profiles(&self) -> bool {
        false
    }
}

contract!(Redis::new);
