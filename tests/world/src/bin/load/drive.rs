//! Sends what is due, over keep-alive connections.

mod connection;
mod tally;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, watch};
use world::plugnmeet::sign_webhook;

use super::body::{self, API_KEY, API_SECRET, Room, WEBHOOKS};
use super::ledger::{Fate, Ledger};
use super::plan::{Kind, Plan};
use connection::{Connection, FORM, Outbound, WEBHOOK};
pub use tally::Tally;

/// Between room_created and participant_joined.
const UNTIL_JOINED: Duration = Duration::from_millis(100);
/// How long somebody is in a meeting.
const UNTIL_ENDED: Duration = Duration::from_millis(800);
/// Between session_ended and room_finished.
const UNTIL_FINISHED: Duration = Duration::from_millis(50);

/// One request that is due.
struct Job {
    due: Instant,
    what: What,
}

enum What {
    Start(u32),
    Again(Room),
    /// The webhook of this place in [`WEBHOOKS`].
    Webhook(usize, Room),
}

/// The sending side. What waits is bounded by the plan: five requests a meeting.
#[derive(Clone)]
pub struct Driver {
    plan: Plan,
    door: SocketAddr,
    chat: String,
    ledger: Arc<Ledger>,
    alone: bool,
    jobs: UnboundedSender<Job>,
    waiting: Arc<Mutex<UnboundedReceiver<Job>>>,
}

/// What was sent, and when the last trigger was answered.
pub struct Sent {
    /// Counts and latencies.
    pub tally: Tally,
    /// From the start to the answer of the last trigger.
    pub triggers_took: Duration,
}

impl Driver {
    /// Sends to `door`; late answers to commands are to go to `chat`. `alone`: rooms come about by themselves.
    pub fn new(
        plan: Plan,
        door: SocketAddr,
        chat: String,
        ledger: Arc<Ledger>,
        alone: bool,
    ) -> Self {
        let (jobs, waiting) = unbounded_channel();
        Self {
            plan,
            door,
            chat,
            ledger,
            alone,
            jobs,
            waiting: Arc::new(Mutex::new(waiting)),
        }
    }

    /// Takes rooms that came about: their webhooks are due from now on.
    pub fn rooms(&self) -> impl Fn(Room) + Send + Sync + 'static {
        let jobs = self.jobs.clone();
        move |room| push(&jobs, Instant::now(), What::Webhook(0, room))
    }

    /// Sends everything; ends when the last meeting has had its last webhook. Rooms that do not come about within
    /// `patience` after the last trigger are no longer waited for.
    pub async fn run(&self, connections: u32, patience: Duration) -> Sent {
        let began = Instant::now();
        let (stop, stopped) = watch::channel(false);
        let workers: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(self.clone().work(stopped.clone())))
            .collect();
        for number in 0..self.plan.triggers() {
            let due = began + self.plan.due(number);
            tokio::time::sleep_until(due.into()).await;
            push(&self.jobs, due, What::Start(number));
        }
        let triggers_took = began.elapsed();
        if !self.ledger.all_sent_within(patience).await {
            eprintln!("load: some rooms were never made");
        }
        // Ends the workers once they have nothing in hand.
        let _ = stop.send(true);
        let mut tally = Tally::default();
        for worker in workers {
            if let Ok(of_one) = worker.await {
                tally.add(of_one);
            }
        }
        Sent {
            tally,
            triggers_took,
        }
    }

    async fn work(self, mut stopped: watch::Receiver<bool>) -> Tally {
        let mut tally = Tally::default();
        let mut connection = Connection::to(self.door);
        loop {
            let job = async { self.waiting.lock().await.recv().await };
            let job = tokio::select! {
                biased;
                job = job => job,
                _ = stopped.wait_for(|stopped| *stopped) => None,
            };
            let Some(job) = job else {
                return tally;
            };
            self.carry_out(job, &mut connection, &mut tally).await;
        }
    }

    async fn carry_out(&self, job: Job, connection: &mut Connection, tally: &mut Tally) {
        let now = jiff::Timestamp::now().as_second();
        let (kind, outbound) = match &job.what {
            What::Start(number) => {
                self.ledger.note(*number, |entry| entry.due = Some(job.due));
                let kind = self.plan.kind(*number);
                let outbound = match kind {
                    Kind::Post => {
                        let body = body::post(&self.plan, *number, now);
                        Outbound::new("/mattermost/outgoing", FORM, body)
                    }
                    _ => self.command(*number, 'h'),
                };
                (kind, outbound)
            }
            What::Again(room) => (Kind::Again, self.command(room.number, 'a')),
            What::Webhook(step, room) => {
                let body = body::webhook(*step, room, now);
                let token = sign_webhook(API_KEY, API_SECRET, body.as_bytes(), now);
                let outbound = Outbound::new("/plugnmeet/webhook", WEBHOOK, body);
                (Kind::Webhook, outbound.signed(token))
            }
        };
        let answer = connection.send(outbound).await;
        let took = job.due.elapsed();
        let verdict = match &answer {
            Ok((status, headers, body)) => judge(kind, *status, headers, body),
            Err(why) => Err(why.to_string()),
        };
        tally.count(kind, took, verdict.as_ref().map(drop).map_err(Clone::clone));
        if let (What::Again(room), Ok((_, _, body))) = (&job.what, &answer)
            && String::from_utf8_lossy(body).contains("is running here already")
        {
            self.ledger
                .note(room.number, |entry| entry.again_answers += 1);
        }
        self.go_on(job, verdict.ok());
    }

    /// Notes what became of a request, and plans the meeting's next.
    fn go_on(&self, job: Job, accepted: Option<String>) {
        let is_accepted = accepted.is_some();
        let fate = accepted.map_or(Fate::Unclear, Fate::Accepted);
        match job.what {
            What::Start(number) => {
                self.ledger.note(number, |entry| entry.start = fate);
                if self.alone && is_accepted {
                    self.rooms()(Room {
                        number,
                        room: format!("mm-{number:013}"),
                        sid: uuid::Uuid::new_v4().to_string(),
                        created: jiff::Timestamp::now().as_second(),
                    });
                }
            }
            What::Again(room) => {
                self.ledger.note(room.number, |entry| entry.again = fate);
                self.later(UNTIL_ENDED, What::Webhook(2, room));
            }
            What::Webhook(0, room) => self.later(UNTIL_JOINED, What::Webhook(1, room)),
            What::Webhook(1, room) if self.plan.is_again(room.number) => {
                self.later(Duration::ZERO, What::Again(room));
            }
            What::Webhook(1, room) => self.later(UNTIL_ENDED, What::Webhook(2, room)),
            What::Webhook(step, room) => {
                let is_last = step + 1 == WEBHOOKS.len();
                self.ledger.note(room.number, |entry| {
                    entry.end_accepted |= is_accepted;
                    entry.is_done |= is_last;
                });
                if !is_last {
                    self.later(UNTIL_FINISHED, What::Webhook(step + 1, room));
                }
            }
        }
    }

    fn later(&self, pause: Duration, what: What) {
        let (jobs, due) = (self.jobs.clone(), Instant::now() + pause);
        tokio::spawn(async move {
            tokio::time::sleep_until(due.into()).await;
            push(&jobs, due, what);
        });
    }

    fn command(&self, number: u32, hook: char) -> Outbound {
        let body = body::command(&self.plan, number, hook, &self.chat);
        Outbound::new("/mattermost/command", FORM, body)
    }
}

fn push(jobs: &UnboundedSender<Job>, due: Instant, what: What) {
    // Nobody takes it any more when the run is over.
    drop(jobs.send(Job { due, what }));
}

/// The request's id if it was accepted, otherwise what the answer was. Commands are always answered 200, and what
/// was taken with a link to join.
fn judge(
    kind: Kind,
    status: StatusCode,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<String, String> {
    let is_command = matches!(kind, Kind::Command | Kind::Again);
    if !status.is_success() {
        return Err(status.as_u16().to_string());
    }
    if is_command && !body.windows(6).any(|part| part == b"/join/") {
        return Err(format!("{} without a link", status.as_u16()));
    }
    let id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    id.map(str::to_owned)
        .ok_or_else(|| format!("{} without X-Request-Id", status.as_u16()))
}
