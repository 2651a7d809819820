//! One connection through the proxy: carries its messages, and does to them what the switches say.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::Instant;

use super::frames::{Frame, Frames};
use super::{Control, Flow, Loss, Rule, Shared, Victim};

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Close,
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Answer,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pass,
    /// So many of its bytes pass, and then the connection ends.
    Last(usize, End),
}

struct Wire {
    shared: Arc<Shared>,
    follow: watch::Receiver<Control>,
    /// It lost bytes: what comes later makes no sense to either side.
    broken: AtomicBool,
    count: Mutex<Count>,
}

/// Where the connection is: the first request's answer is the first answer.
#[derive(Default)]
struct Count {
    requests: u64,
    answers: u64,
    /// The number of the answer that is to be lost, and how.
    doomed: Option<(u64, Loss)>,
}

/// Counts a connection as open, however its task ends.
pub(super) struct Open {
    shared: Arc<Shared>,
    generation: u64,
}

impl Open {
    pub(super) fn count(shared: &Arc<Shared>, follow: &watch::Receiver<Control>) -> Open {
        // Counted before the lock is let go: whoever makes a new generation afterwards finds it among the old ones.
        let mut open = shared.open();
        let generation = follow.borrow().generation;
        *open.entry(generation).or_default() += 1;
        Open { shared: Arc::clone(shared), generation }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.shared.open();
        if let Some(count) = open.get_mut(&self.generation) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.generation);
            }
        }
    }
}

pub(super) async fn connection(mut client: TcpStream, open: Open, mut follow: watch::Receiver<Control>) {
    let (shared, generation) = (Arc::clone(&open.shared), open.generation);
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.target)).await else {
        return reset(&client);
    };
    let wire = Wire { shared, follow: follow.clone(), broken: AtomicBool::new(false), count: Mutex::default() };
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let end = tokio::select! {
        end = wire.carry(Direction::Request, from_client, to_server) => end,
        end = wire.carry(Direction::Answer, from_server, to_client) => end,
        // Also when the proxy itself is gone.
        _ = follow.wait_for(|control| control.generation > generation) => End::Reset,
    };
    if end == End::Reset {
        reset(&client);
        reset(&server);
    }
    // The sockets first: whoever sees the count go down may rely on it.
    drop((client, server));
    drop(open);
}

/// Makes the socket's end a reset instead of an orderly one.
fn reset(socket: &TcpStream) {
    // A socket that the other side has reset already refuses this.
    let _ = socket.set_zero_linger();
}

impl Wire {
    async fn carry(&self, direction: Direction, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> End {
        let mut frames = Frames::default();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let read = match from.read(&mut chunk).await {
                Ok(0) => Err(End::Close),
                Ok(count) => Ok(count),
                Err(_) => Err(End::Reset),
            };
            let count = match read {
                Ok(count) => count,
                Err(end) => {
                    self.until_heard(direction).await;
                    return end;
                }
            };
            let arrived = Instant::now();
            frames.push(&chunk[..count]);
            while let Some(frame) = frames.next() {
                if !self.may_pass(direction, arrived).await {
                    continue;
                }
                let (bytes, fate) = match frame {
                    Frame::Opaque(bytes) => (bytes, Fate::Pass),
                    Frame::Message(bytes) => {
                        let fate = self.fate(direction, &bytes);
                        (bytes, fate)
                    }
                };
                let (bytes, end) = match fate {
                    Fate::Pass => (&bytes[..], None),
                    Fate::Last(count, end) => (&bytes[..count.min(bytes.len())], Some(end)),
                };
                if to.write_all(bytes).await.is_err() {
                    return End::Reset;
                }
                if let Some(end) = end {
                    self.shared.losses.fetch_add(1, Ordering::SeqCst);
                    return end;
                }
            }
        }
    }

    /// Waits while nothing passes; false when what is there is to be lost.
    async fn may_pass(&self, direction: Direction, arrived: Instant) -> bool {
        let mut follow = self.follow.clone();
        loop {
            let flow = follow.borrow_and_update().flow;
            if flow == Flow::Swallow {
                self.broken.store(true, Ordering::SeqCst);
            }
            if self.broken.load(Ordering::SeqCst) {
                return false;
            }
            let due = match flow {
                Flow::Delay { request, .. } if direction == Direction::Request => arrived + request,
                Flow::Delay { answer, .. } => arrived + answer,
                Flow::Hold => {
                    let _ = follow.changed().await;
                    continue;
                }
                Flow::Pass | Flow::Swallow => return true,
            };
            if due <= Instant::now() {
                return true;
            }
            let _ = tokio::time::timeout_at(due, follow.changed()).await;
        }
    }

    /// A client does not learn of the server's end while nothing passes.
    async fn until_heard(&self, direction: Direction) {
        if direction == Direction::Answer && !self.may_pass(direction, Instant::now()).await {
            std::future::pending::<()>().await;
        }
    }

    fn fate(&self, direction: Direction, message: &[u8]) -> Fate {
        let mut rule = self.shared.rule();
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        match direction {
            Direction::Request => {
                count.requests += 1;
                let loss = match &*rule {
                    Some(Rule { victim: Victim::Of(word), loss }) if contains(message, word) => *loss,
                    _ => return Fate::Pass,
                };
                *rule = None;
                if loss == Loss::Request {
                    return Fate::Last(0, End::Reset);
                }
                count.doomed = Some((count.requests, loss));
                Fate::Pass
            }
            // A message that the server sends of itself is no answer.
            Direction::Answer if message.first() == Some(&b'>') => Fate::Pass,
            Direction::Answer => {
                count.answers += 1;
                if let Some(Rule { victim: Victim::AnswerAfter(left), loss }) = &mut *rule {
                    if *left == 0 {
                        count.doomed = Some((count.answers, *loss));
                        *rule = None;
                    } else {
                        *left -= 1;
                    }
                }
                match count.doomed {
                    Some((number, loss)) if number == count.answers => match loss {
                        Loss::RestOfAnswer(bytes) => Fate::Last(bytes, End::Close),
                        Loss::Answer | Loss::Request => Fate::Last(0, End::Reset),
                    },
                    _ => Fate::Pass,
                }
            }
        }
    }
}

fn contains(message: &[u8], word: &[u8]) -> bool {
    message.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}
