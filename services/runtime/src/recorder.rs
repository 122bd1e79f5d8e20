//! How a service has written down what people do with it, in the audit log that users keep.

use std::time::Duration;

use client::{Caller, Channel, Key, authorise};
use prometheus::{IntCounterVec, Opts};
use proto::tenant::v1::Permission;
use proto::users::v1::audit_service_client::AuditServiceClient;
use proto::users::v1::{AuditEvent, RecordEventsRequest};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};

use crate::{Runtime, Tally};

/// How long a call may take.
const TRY: Duration = Duration::from_secs(5);
/// Events that wait to be written. More are dropped, and counted.
const WAITING: usize = 8192;
/// Events of one call, which is what users takes.
const AT_ONCE: usize = 256;
/// Until users is asked again that was away.
const AGAIN: Duration = Duration::from_millis(500);
/// How long what waits may still be written after shutdown began.
const LAST: Duration = Duration::from_secs(2);
/// Nothing more is expected then after nothing came for so long.
const QUIET: Duration = Duration::from_millis(300);
/// How often it is said how many events were counted only.
const COUNTED: Duration = Duration::from_secs(60);

/// Writes events down. Clones share what waits.
#[derive(Debug, Clone)]
pub struct Recorder {
    users: Option<AuditServiceClient<Channel>>,
    key: Key,
    later: mpsc::Sender<AuditEvent>,
    refused: Tally<String>,
    events: IntCounterVec,
}

/// What happened, without who did it and when.
#[derive(Debug, Clone)]
pub struct Event {
    /// `control.run`, for example.
    pub action: &'static str,
    /// The id of what it was done to, at most 1 KiB; what is longer is cut.
    pub target: String,
    /// In words for people, at most 1 KiB; what is longer is cut.
    pub detail: String,
}

impl Event {
    /// As this caller did it, now.
    #[must_use]
    pub fn by(self, caller: &Caller) -> AuditEvent {
        let address = caller.address_text();
        self.done(&caller.org_id, &caller.subject, address)
    }

    /// As the program did it by itself, now.
    #[must_use]
    pub fn by_itself(self, org_id: &str) -> AuditEvent {
        self.done(org_id, "weft", String::new())
    }

    fn done(self, org_id: &str, actor: &str, address: String) -> AuditEvent {
        AuditEvent {
            position: 0,
            at: Some(std::time::SystemTime::now().into()),
            org_id: org_id.to_owned(),
            actor: actor.to_owned(),
            action: self.action.to_owned(),
            target: cut(self.target),
            detail: cut(self.detail),
            address,
        }
    }
}

/// Within what the audit log takes.
fn cut(mut text: String) -> String {
    const MOST: usize = 1024;
    if text.len() > MOST {
        let end = (0..=MOST).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
    }
    text
}

impl Recorder {
    /// One that writes to this replica of users.
    ///
    /// # Errors
    /// When there is one in this process already.
    pub fn start(users: Channel, rt: &Runtime) -> Result<Self, prometheus::Error> {
        Recorder::new(Some(AuditServiceClient::new(users)), rt)
    }

    /// One that writes nothing down, for tests and benchmarks of a service by itself.
    ///
    /// # Errors
    /// When there is one in this process already.
    pub fn nowhere(rt: &Runtime) -> Result<Self, prometheus::Error> {
        Recorder::new(None, rt)
    }

    fn new(
        users: Option<AuditServiceClient<Channel>>,
        rt: &Runtime,
    ) -> Result<Self, prometheus::Error> {
        let opts = Opts::new(
            "weft_audit_events_total",
            "Events for the audit log: written, failed (and so was what they were about), or dropped.",
        );
        let events = IntCounterVec::new(opts, &["outcome"])?;
        rt.registry.register(Box::new(events.clone()))?;
        let (later, waiting) = mpsc::channel(WAITING);
        let recorder = Recorder {
            users,
            key: rt.key.clone(),
            later,
            refused: Tally::default(),
            events,
        };
        let writing = recorder.clone();
        let leaving = rt.shutdown.clone();
        rt.spawn_draining("audit events that wait", async move {
            writing.write_later(waiting, leaving).await;
        });
        let counting = recorder.clone();
        rt.spawn("audit events that are counted only", async move {
            loop {
                sleep(COUNTED).await;
                counting.say_counted();
            }
        });
        Ok(recorder)
    }

    /// Returns once the event is in the log: for what must not happen otherwise.
    ///
    /// # Errors
    /// UNAVAILABLE when it is not known to be.
    pub async fn record(&self, event: AuditEvent) -> Result<(), Status> {
        self.write(vec![event]).await.map_err(|status| {
            self.count("failed", 1);
            tracing::warn!(%status, "nothing is done that cannot be written into the audit log");
            Status::unavailable(
                "this must be written into the audit log, which is not possible right now; try again later",
            )
        })
    }

    /// Writes the event down as soon as that is possible: for what has happened already.
    pub fn record_later(&self, event: AuditEvent) {
        if self.later.try_send(event).is_err() {
            self.count("dropped", 1);
        }
    }

    /// As [`Recorder::record_later`], for what was refused, which anybody may try without end: the first few of an
    /// organisation in a minute, and how many more there were.
    pub fn record_refused(&self, event: AuditEvent) {
        if self.refused.lets(&event.org_id) {
            self.record_later(event);
        }
    }

    fn say_counted(&self) {
        for (org_id, count) in self.refused.rest() {
            let event = Event {
                action: "control.refuse",
                target: String::new(),
                detail: format!("and {count} more within a minute"),
            };
            self.record_later(event.by_itself(&org_id));
        }
    }

    async fn write_later(
        &self,
        mut waiting: mpsc::Receiver<AuditEvent>,
        leaving: CancellationToken,
    ) {
        let mut events = Vec::new();
        let writing = self.write_all(&mut waiting, &mut events, None);
        leaving.run_until_cancelled(writing).await;
        // Whoever ends calls now has something to say about it.
        let rest = self.write_all(&mut waiting, &mut events, Some(QUIET));
        let _ = timeout(LAST, rest).await;
        let left = events.len() + waiting.len();
        if left > 0 {
            self.count("dropped", left);
            tracing::warn!(left, "the audit log lacks events that could not be written");
        }
    }

    /// Writes what waits, until nothing came for so long.
    async fn write_all(
        &self,
        waiting: &mut mpsc::Receiver<AuditEvent>,
        events: &mut Vec<AuditEvent>,
        quiet: Option<Duration>,
    ) {
        loop {
            if events.is_empty() {
                let more = waiting.recv_many(events, AT_ONCE);
                let came = match quiet {
                    None => more.await,
                    Some(quiet) => timeout(quiet, more).await.unwrap_or(0),
                };
                if came == 0 {
                    return;
                }
            }
            match self.write(events.clone()).await {
                Ok(()) => events.clear(),
                Err(status) if status.code() == Code::InvalidArgument => {
                    tracing::error!(%status, "users refuses events of the audit log");
                    self.count("dropped", events.len());
                    events.clear();
                }
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    async fn write(&self, events: Vec<AuditEvent>) -> Result<(), Status> {
        let count = events.len();
        if let Some(mut users) = self.users.clone() {
            let request = Request::new(RecordEventsRequest { events });
            let permissions = [Permission::Operate];
            let mut request = authorise(request, &self.key, "", "weft", &permissions);
            request.set_timeout(TRY);
            users.record_events(request).await?;
        }
        self.count("written", count);
        Ok(())
    }

    fn count(&self, outcome: &str, events: usize) {
        let counter = self.events.with_label_values(&[outcome]);
        counter.inc_by(u64::try_from(events).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use proto::users::v1::RecordEventsResponse;
    use proto::users::v1::audit_service_server::{AuditService, AuditServiceServer};
    use tonic::{Code, Response};

    use super::*;

    /// Users that can be away, and what was written when it was not.
    #[derive(Clone, Default)]
    struct Log {
        away: Arc<AtomicBool>,
        targets: Arc<Mutex<Vec<String>>>,
    }

    #[tonic::async_trait]
    impl AuditService for Log {
        async fn record_events(
            &self,
            request: Request<RecordEventsRequest>,
        ) -> Result<Response<RecordEventsResponse>, Status> {
            Caller::of(&request, Permission::Operate)?;
            if self.away.load(Ordering::SeqCst) {
                return Err(Status::unavailable("away"));
            }
            let events = request.into_inner().events.into_iter();
            let mut targets = self.targets.lock().expect("not poisoned");
            targets.extend(events.map(|event| event.target));
            Ok(Response::new(RecordEventsResponse {}))
        }
    }

    impl Log {
        fn targets(&self) -> Vec<String> {
            self.targets.lock().expect("not poisoned").clone()
        }
    }

    fn event(target: &str) -> AuditEvent {
        let event = Event {
            action: "control.run",
            target: target.to_owned(),
            detail: String::new(),
        };
        event.by_itself("amber")
    }

    fn recorder(log: &Log) -> (Recorder, Runtime) {
        let rt = Runtime::new(crate::Config::default(), Key::generate());
        let users = crate::local(AuditServiceServer::new(log.clone()), &rt);
        (Recorder::start(users, &rt).expect("the first"), rt)
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_written_is_refused_and_what_has_happened_waits() {
        let log = Log::default();
        let (recorder, _rt) = recorder(&log);
        recorder.record(event("before")).await.expect("written");
        log.away.store(true, Ordering::SeqCst);
        let refused = recorder.record(event("refused")).await;
        assert_eq!(refused.expect_err("refused").code(), Code::Unavailable);
        recorder.record_later(event("one"));
        recorder.record_later(event("two"));
        sleep(10 * AGAIN).await;
        assert_eq!(log.targets(), ["before"]);
        log.away.store(false, Ordering::SeqCst);
        sleep(2 * AGAIN).await;
        assert_eq!(log.targets(), ["before", "one", "two"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_bounded_counted_and_written_at_the_end() {
        let log = Log::default();
        let (recorder, rt) = recorder(&log);
        log.away.store(true, Ordering::SeqCst);
        for _ in 0..WAITING + AT_ONCE + 100 {
            recorder.record_later(event("later"));
        }
        let dropped = recorder.events.with_label_values(&["dropped"]).get();
        assert!((100..=100 + AT_ONCE as u64).contains(&dropped), "{dropped}");
        log.away.store(false, Ordering::SeqCst);
        rt.shutdown.cancel();
        rt.drained().await;
        let all = (WAITING + AT_ONCE + 100) as u64;
        assert_eq!(log.targets().len() as u64, all - dropped);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_without_end_are_a_few_lines() {
        let log = Log::default();
        let (recorder, _rt) = recorder(&log);
        for _ in 0..5000 {
            recorder.record_refused(event("refused"));
        }
        sleep(COUNTED + AGAIN).await;
        let targets = log.targets();
        assert_eq!(targets.len(), 21, "the first 20, and how many more");
        assert_eq!(targets[20], "", "which says nothing of one");
    }
}
