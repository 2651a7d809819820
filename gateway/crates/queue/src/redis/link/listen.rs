//! Hears what is published on one channel, and subscribes again after a loss. Does not publish.

use std::sync::Arc;
use std::time::Duration;

use redis::{PushInfo, PushKind, Value, cmd};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::News;
use super::dial::{Connection, Dialer, Purpose};
use super::place::Place;
use super::trouble::Trouble;
use super::wire::pause;

/// How often a silent connection is asked whether it is alive: keepalive does not notice a server that is stuck.
const PING_EVERY: Duration = Duration::from_secs(30);
/// News that wait to be heard. When there are more, the connection is made anew, and a gap is told.
const QUEUED_MAX: usize = 1024;

pub(super) fn listen(dialer: Arc<Dialer>, place: Arc<Place>, channel: String) -> mpsc::Receiver<News> {
    let (news, receiver) = mpsc::channel(QUEUED_MAX);
    let tasks = dialer.tasks.clone();
    tasks.spawn(async move {
        let stop = dialer.stop.clone();
        let ear = Ear { dialer, place, channel, news };
        stop.run_until_cancelled(Box::pin(ear.go_on())).await;
    });
    receiver
}

struct Ear {
    dialer: Arc<Dialer>,
    place: Arc<Place>,
    channel: String,
    news: mpsc::Sender<News>,
}

/// Nobody listens any more.
struct Unheard;

impl Ear {
    async fn go_on(self) {
        let mut failures = 0;
        loop {
            match self.subscribe().await {
                Ok((connection, pushed)) => {
                    failures = 0;
                    if let Err(Unheard) = self.hear(&connection, pushed).await {
                        return;
                    }
                }
                Err(trouble) if failures == 0 => tracing::warn!("cannot hear what other gateways publish: {trouble}"),
                Err(_) => {}
            }
            tokio::select! {
                () = self.news.closed() => return,
                () = sleep(pause(failures)) => failures += 1,
            }
        }
    }

    async fn subscribe(&self) -> Result<(Connection, mpsc::Receiver<PushInfo>), Trouble> {
        let (sender, pushed) = mpsc::channel(QUEUED_MAX);
        let connection = self.place.dial(&self.dialer, Purpose::Listening(sender)).await?;
        let ms = self.dialer.timeouts.response.as_millis();
        match connection.requests.clone().subscribe(&self.channel).await {
            Ok(()) => Ok((connection, pushed)),
            Err(error) => Err(Trouble::of_exchange(&connection.node, &error, ms)),
        }
    }

    /// Until the connection is lost.
    async fn hear(&self, connection: &Connection, mut pushed: mpsc::Receiver<PushInfo>) -> Result<(), Unheard> {
        self.tell(News::Gap).await?;
        loop {
            tokio::select! {
                () = self.news.closed() => return Err(Unheard),
                () = connection.ended.cancelled() => return Ok(()),
                push = pushed.recv() => match push {
                    Some(push) => self.pass_on(push).await?,
                    None => return Ok(()),
                },
                () = sleep(PING_EVERY) => {
                    if connection.requests.clone().send_packed_command(&cmd("PING")).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn pass_on(&self, push: PushInfo) -> Result<(), Unheard> {
        match (push.kind, push.data.into_iter().nth(1)) {
            (PushKind::Message, Some(Value::BulkString(message))) => self.tell(News::Message(message)).await,
            _ => Ok(()),
        }
    }

    async fn tell(&self, news: News) -> Result<(), Unheard> {
        self.news.send(news).await.map_err(|_| Unheard)
    }
}
