//! The server that every platform shares: it reads requests, follows the script, answers, and records.
//! Knows no platform: those judge requests and nothing else.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::behaviour::Script;
use crate::received::Log;
use crate::{Answer, Behaviour, Clock, Judgement, Keep, Platform, Received, Trouble};

/// Far above what any platform takes; a request past it is cut off.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a platform's connections share.
pub(crate) struct State {
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) clock: Clock,
    pub(crate) log: Log,
    pub(crate) script: Mutex<Script>,
}

type Answered = Response<Either<Full<Bytes>, Zeros>>;

/// How a connection ends when it does not end with an answer.
enum Ending {
    Close,
    Reset,
    Bytes(Bytes),
}

/// Hyper closes a connection without an answer when the service fails; what is then done with the socket is an [`Ending`].
#[derive(Debug, thiserror::Error)]
#[error("the fake was told to cut this connection")]
struct Cut;

/// Takes connections until stopped; each is a task of the tracker's.
pub(crate) async fn accept(listener: TcpListener, state: Arc<State>, tracker: TaskTracker, stopped: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stopped.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // A connection that fails before it is accepted is its client's affair.
        let Ok((stream, _)) = accepted else { continue };
        let (state, stopped) = (state.clone(), stopped.clone());
        tracker.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = serve(stream, state) => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    // Without this a small answer may wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let ending: Arc<Mutex<Option<Ending>>> = Arc::default();
    let service = service_fn({
        let ending = ending.clone();
        move |request| -> Pin<Box<dyn Future<Output = Result<Answered, Cut>> + Send>> {
            let (state, ending) = (state.clone(), ending.clone());
            Box::pin(async move {
                answer(request, &state).await.map_err(|how| {
                    *ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
                    Cut
                })
            })
        }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // The connection's error is the client's hanging up, or our own cut.
    let _ = std::future::poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let mut stream = connection.into_parts().io.into_inner();
    let ending = ending.lock().unwrap_or_else(PoisonError::into_inner).take();
    match ending {
        Some(Ending::Reset) => {
            let _ = stream.set_zero_linger();
        }
        Some(Ending::Bytes(bytes)) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Some(Ending::Close) | None => {
            let _ = stream.shutdown().await;
        }
    }
}

async fn answer(request: Request<Incoming>, state: &State) -> Result<Answered, Ending> {
    let received = read(request, state).await?;
    let behaviour = state.script.lock().unwrap_or_else(PoisonError::into_inner).take();
    let last = behaviour.last().clone();
    let platforms = match state.log.keep() {
        Keep::EventIds => tally(received, &last, state),
        Keep::Everything | Keep::Last(_) => judge(received, &last, state),
    };
    behaviour.wait().await;
    match last {
        Behaviour::Normal | Behaviour::Trouble(_) => Ok(response(platforms)),
        Behaviour::Answer(answer) => Ok(response(answer)),
        Behaviour::HugeBody(bytes) => Ok(Response::new(Either::Right(Zeros { left: bytes }))),
        Behaviour::NeverAnswer => std::future::pending().await,
        Behaviour::Reset => Err(Ending::Reset),
        Behaviour::NotHttp(bytes) => Err(Ending::Bytes(bytes)),
        // `last` never is a wait.
        Behaviour::LoseAnswer | Behaviour::Close | Behaviour::Slow(..) | Behaviour::Held(..) => Err(Ending::Close),
    }
}

async fn read(request: Request<Incoming>, state: &State) -> Result<Received, Ending> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| Ending::Close)?.to_bytes();
    let query = head.uri.query().unwrap_or_default();
    Ok(Received {
        order: 0,
        arrived_ms: state.clock.now_ms(),
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: head.headers,
        json: None,
        body,
        status: None,
        events: Vec::new(),
        problems: Vec::new(),
    })
}

/// Records the request as the platform sees it, and gives the platform's answer.
fn judge(mut received: Received, behaviour: &Behaviour, state: &State) -> Answer {
    received.json = serde_json::from_slice(&received.body).ok();
    let judgement = match behaviour {
        Behaviour::Trouble(trouble) => in_trouble(*trouble, &received, state),
        _ => state.platform.judge(&received, received.arrived_ms),
    };
    if matches!(behaviour, Behaviour::Normal | Behaviour::Trouble(_) | Behaviour::LoseAnswer) {
        received.events = judgement.events;
    }
    received.problems = judgement.problems;
    received.status = status(behaviour, &judgement.answer);
    state.log.record(received);
    judgement.answer
}

fn in_trouble(trouble: Trouble, received: &Received, state: &State) -> Judgement {
    let own = state.platform.trouble(trouble, received, received.arrived_ms);
    own.unwrap_or_else(|| match trouble.answer() {
        Some(answer) => Judgement { answer, events: Vec::new(), problems: Vec::new() },
        None => state.platform.judge(received, received.arrived_ms),
    })
}

/// Counts the request's events, and gives the platform's answer.
fn tally(received: Received, behaviour: &Behaviour, state: &State) -> Answer {
    let tally = state.platform.tally(&received);
    let taken = matches!(behaviour, Behaviour::Normal | Behaviour::LoseAnswer);
    if taken {
        state.log.tally(tally.events, tally.event_ids);
    } else {
        state.log.tally(0, Vec::new());
    }
    tally.answer
}

fn status(behaviour: &Behaviour, platforms: &Answer) -> Option<u16> {
    match behaviour {
        Behaviour::Normal | Behaviour::Trouble(_) => Some(platforms.status),
        Behaviour::Answer(answer) => Some(answer.status),
        Behaviour::HugeBody(_) => Some(200),
        _ => None,
    }
}

fn response(answer: Answer) -> Answered {
    let mut response = Response::new(Either::Left(Full::new(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        // A header that HTTP does not allow is left out: the fakes misbehave in better ways.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A body of zeros, made as it is sent.
struct Zeros {
    left: u64,
}

impl Body for Zeros {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        static CHUNK: [u8; 64 * 1024] = [0; 64 * 1024];
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let bytes = self.left.min(CHUNK.len() as u64);
        self.left -= bytes;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&CHUNK[..bytes as usize])))))
    }
}
