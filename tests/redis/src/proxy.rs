//! A proxy in front of a server, which loses, delays and cuts what passes through it. Runs on a thread of its own, so
//! that it goes on while a test blocks.
//!
//! A switch acts on existing and on new connections, and has acted when its call returns. The proxy counts a
//! connection's requests and answers, to know which answer belongs to which request; it does so until the connection
//! subscribes, and not with TLS.

mod frames;
mod wire;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::port;
use crate::wait::until;

/// A proxy of one server.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    control: watch::Sender<Control>,
    thread: Option<JoinHandle<()>>,
}

/// What the connections' tasks follow.
#[derive(Debug, Clone, Copy)]
struct Control {
    flow: Flow,
    door: Door,
    /// Connections of an earlier number have to be reset.
    generation: u64,
}

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Pass,
    Delay { request: Duration, answer: Duration },
    Hold,
    Swallow,
}

/// What becomes of new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    Shut,
    /// The proxy itself ends.
    Gone,
}

#[derive(Debug)]
struct Shared {
    port: u16,
    target: u16,
    rule: Mutex<Option<Rule>>,
    losses: AtomicU64,
    /// How many connections are open, by their generation.
    open: Mutex<BTreeMap<u64, u64>>,
    accepted: AtomicU64,
    listening: AtomicU64,
}

/// One loss that is to happen, once.
#[derive(Debug, Clone)]
struct Rule {
    victim: Victim,
    loss: Loss,
}

#[derive(Debug, Clone)]
enum Victim {
    /// The request that has this word in it, in any case of letters; or its answer.
    Of(Vec<u8>),
    /// The answer after so many, of all connections.
    AnswerAfter(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Request,
    Answer,
    /// The answer but for its first bytes.
    RestOfAnswer(usize),
}

impl Proxy {
    /// Starts a proxy of a port of this machine. The server need not run yet.
    pub fn start(target: u16) -> Proxy {
        let (listener, port) = until("the proxy has a port", || {
            let port = port::free();
            Some((TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?, port))
        });
        let shared = Arc::new(Shared {
            port,
            target,
            rule: Mutex::new(None),
            losses: AtomicU64::new(0),
            open: Mutex::default(),
            accepted: AtomicU64::new(0),
            listening: AtomicU64::new(1),
        });
        let (control, follow) = watch::channel(Control { flow: Flow::Pass, door: Door::Open, generation: 0 });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || runtime.block_on(serve(listener, served, follow)));
        Proxy { shared, control, thread: Some(thread) }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// `redis://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.shared.port)
    }

    /// Everything passes again, and what was armed is disarmed. Connections that lost bytes stay silent.
    pub fn pass(&self) {
        *self.shared.rule() = None;
        self.flow(Flow::Pass);
        self.accept_new();
    }

    /// Holds what is sent for a while. What is sent in the meantime waits with it, at most twice as long.
    pub fn delay(&self, request: Duration, answer: Duration) {
        self.flow(Flow::Delay { request, answer });
    }

    /// Nothing passes and nothing is lost: what was sent arrives after [`Proxy::pass`], as after a short break of a
    /// network.
    pub fn hold(&self) {
        self.flow(Flow::Hold);
    }

    /// Takes all that is sent and passes nothing on, in both directions: the connection is open and nobody is there.
    pub fn half_open(&self) {
        self.flow(Flow::Swallow);
    }

    /// Resets all connections; new ones are accepted as before.
    pub fn reset(&self) {
        self.control.send_modify(|control| control.generation += 1);
        let generation = self.control.borrow().generation;
        until("the connections are reset", || {
            let oldest = self.shared.open().keys().next().copied();
            oldest.is_none_or(|oldest| oldest >= generation).then_some(())
        });
    }

    /// Refuses new connections, as a machine does where no server runs; existing ones go on.
    pub fn refuse_new(&self) {
        self.control.send_modify(|control| control.door = Door::Shut);
        until("the port is closed", || (self.shared.listening.load(Ordering::SeqCst) == 0).then_some(()));
    }

    /// Accepts new connections again.
    pub fn accept_new(&self) {
        self.control.send_modify(|control| control.door = Door::Open);
        until("the port is open", || (self.shared.listening.load(Ordering::SeqCst) == 1).then_some(()));
    }

    /// Once: lets so many more answers pass, of all connections together; the server has done what the next answer is
    /// about, but that is lost and its connection reset.
    pub fn drop_answers_after(&self, answers: u64) {
        self.arm(Victim::AnswerAfter(answers), Loss::Answer);
    }

    /// Once: the same with the answer to the next request that has this word in it, such as `EXEC`.
    pub fn drop_answer_to(&self, word: &str) {
        self.arm(Victim::Of(word.to_ascii_uppercase().into_bytes()), Loss::Answer);
    }

    /// Once: as [`Proxy::drop_answers_after`], but the first bytes of the answer arrive, and the connection is closed.
    pub fn cut_answer_after(&self, answers: u64, bytes: usize) {
        self.arm(Victim::AnswerAfter(answers), Loss::RestOfAnswer(bytes));
    }

    /// Once: the same with the answer to the next request that has this word in it.
    pub fn cut_answer_to(&self, word: &str, bytes: usize) {
        self.arm(Victim::Of(word.to_ascii_uppercase().into_bytes()), Loss::RestOfAnswer(bytes));
    }

    /// Once: the next request that has this word in it never reaches the server, and its connection is reset.
    pub fn drop_request(&self, word: &str) {
        self.arm(Victim::Of(word.to_ascii_uppercase().into_bytes()), Loss::Request);
    }

    /// How many of the armed losses have happened.
    pub fn losses(&self) -> u64 {
        self.shared.losses.load(Ordering::SeqCst)
    }

    /// How many connections are open through it.
    pub fn connections(&self) -> u64 {
        self.shared.open().values().sum()
    }

    /// How many connections it has taken so far.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    fn flow(&self, flow: Flow) {
        self.control.send_modify(|control| control.flow = flow);
    }

    fn arm(&self, victim: Victim, loss: Loss) {
        *self.shared.rule() = Some(Rule { victim, loss });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.control.send_modify(|control| control.door = Door::Gone);
        if let Some(thread) = self.thread.take() {
            // Its panic was printed already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rule(&self) -> MutexGuard<'_, Option<Rule>> {
        self.rule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections until the proxy is dropped. The tasks of its connections end with it.
async fn serve(listener: TcpListener, shared: Arc<Shared>, mut follow: watch::Receiver<Control>) {
    let mut connections = JoinSet::new();
    let mut listener = Some(listen(listener));
    loop {
        match follow.borrow_and_update().door {
            Door::Gone => return,
            Door::Shut => listener = None,
            // Whoever took the port in the meantime may let go of it: the switch waits for that.
            Door::Open if listener.is_none() => {
                listener = TcpListener::bind((Ipv4Addr::LOCALHOST, shared.port)).ok().map(listen);
            }
            Door::Open => {}
        }
        shared.listening.store(listener.is_some().into(), Ordering::SeqCst);
        let accept = async {
            match &listener {
                Some(listener) => listener.accept().await.ok(),
                None => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    None
                }
            }
        };
        tokio::select! {
            accepted = accept => {
                let Some((client, _)) = accepted else { continue };
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                let open = wire::Open::count(&shared, &follow);
                connections.spawn(wire::connection(client, open, follow.clone()));
            }
            changed = follow.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
        }
    }
}

fn listen(listener: TcpListener) -> tokio::net::TcpListener {
    listener.set_nonblocking(true).expect("a socket can be made so");
    tokio::net::TcpListener::from_std(listener).expect("the runtime takes it")
}
