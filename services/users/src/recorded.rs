//! What other services have written down.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use client::Caller;
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use proto::users::v1::audit_service_server::AuditService;
use tokio::sync::{mpsc, oneshot};
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::store::{Event, Store, millis};
use crate::{Error, names};

/// Events of one call.
const MOST: usize = 256;
/// Calls whose events wait for the transaction before.
const WAITING: usize = 1024;
/// Calls whose events go into one transaction.
const TOGETHER: usize = 256;
const ACTION_BYTES: usize = 64;
const TEXT_BYTES: usize = 1024;
/// Events of other services may have waited for so long.
const AGE: Duration = Duration::from_secs(24 * 3600);

/// Writes events of many calls together: each transaction waits for the disk once.
#[derive(Debug)]
pub struct Recorded {
    calls: mpsc::Sender<Call>,
}

#[derive(Debug)]
struct Call {
    events: Vec<Event>,
    written: oneshot::Sender<bool>,
}

impl Recorded {
    pub(crate) fn new(store: Store) -> Self {
        let (calls, waiting) = mpsc::channel(WAITING);
        // As long as there may be calls, which are waited for when the process ends; this is not.
        let span = tracing::info_span!("task", name = "events for the audit log");
        tokio::spawn(write(store, waiting).instrument(span));
        Recorded { calls }
    }
}

/// Until no one can call any more.
async fn write(store: Store, mut waiting: mpsc::Receiver<Call>) {
    let mut calls = Vec::new();
    while waiting.recv_many(&mut calls, TOGETHER).await > 0 {
        let events = calls.iter().flat_map(|call| call.events.iter().cloned());
        let recorded = store.record(events.collect()).await;
        if let Err(error) = &recorded {
            tracing::warn!(%error, "events for the audit log could not be written");
        }
        for call in calls.drain(..) {
            // Whoever called may have given up.
            let _ = call.written.send(recorded.is_ok());
        }
    }
}

#[tonic::async_trait]
impl AuditService for Recorded {
    async fn record_events(
        &self,
        request: Request<pb::RecordEventsRequest>,
    ) -> Result<Response<pb::RecordEventsResponse>, Status> {
        Caller::of(&request, Permission::Operate)?;
        let events = request.into_inner().events;
        if !(1..=MOST).contains(&events.len()) {
            return Err(Status::invalid_argument("a call has 1 to 256 events"));
        }
        let now = SystemTime::now();
        let events = events.into_iter().map(|event| checked(event, now));
        let events = events.collect::<Result<_, _>>()?;
        let (written, done) = oneshot::channel();
        let call = Call { events, written };
        let away = || Status::unavailable("the audit log cannot be written to; try again later");
        self.calls.send(call).await.map_err(|_| away())?;
        if done.await.unwrap_or(false) {
            Ok(Response::new(pb::RecordEventsResponse {}))
        } else {
            Err(away())
        }
    }
}

fn checked(event: pb::AuditEvent, now: SystemTime) -> Result<Event, Error> {
    let named = |b: u8| b.is_ascii_lowercase() || b == b'.';
    let action = &event.action;
    if action.is_empty() || action.len() > ACTION_BYTES || !action.bytes().all(named) {
        return Err(Error::Invalid("an action has 1 to 64 bytes of [a-z.]"));
    }
    if event.target.len() > TEXT_BYTES || event.detail.len() > TEXT_BYTES {
        return Err(Error::Invalid("a target or detail is longer than 1 KiB"));
    }
    if event.actor.len() > 128 {
        return Err(Error::Invalid("an actor is longer than 128 bytes"));
    }
    let address = event.address.parse::<IpAddr>();
    let at = event.at.and_then(|at| SystemTime::try_from(at).ok());
    let at = at.map_or(now, |at| at.clamp(now - AGE, now));
    Ok(Event {
        at: millis(at),
        org_id: match event.org_id.as_str() {
            "" => String::new(),
            org_id => names::org_id(org_id)?,
        },
        actor: event.actor,
        address: address.map_or_else(|_| String::new(), |address| address.to_string()),
        action: event.action,
        target: printable(event.target),
        detail: printable(event.detail),
    })
}

/// Without what would move a terminal's cursor, or end a text in PostgreSQL.
fn printable(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    text.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_bounded_and_printable() {
        let now = SystemTime::now();
        let event = |target: &str, org_id: &str, address: &str| pb::AuditEvent {
            action: "control.run".to_owned(),
            target: target.to_owned(),
            org_id: org_id.to_owned(),
            address: address.to_owned(),
            ..pb::AuditEvent::default()
        };
        let sound = checked(event("a\0\x1b[2Jb", "amber", "192.0.2.1"), now).expect("sound");
        assert_eq!(sound.target, "a\u{fffd}\u{fffd}[2Jb");
        assert_eq!((&*sound.address, sound.at), ("192.0.2.1", millis(now)));
        let elsewhere = checked(event("", "", "over there"), now).expect("sound");
        assert_eq!(elsewhere.address, "");
        for bad in [
            event(&"x".repeat(1025), "amber", ""),
            event("", "no such id", ""),
            pb::AuditEvent::default(),
            pb::AuditEvent {
                action: "DROP TABLE".to_owned(),
                ..pb::AuditEvent::default()
            },
        ] {
            assert!(checked(bad.clone(), now).is_err(), "{bad:?}");
        }
        let old = pb::AuditEvent {
            at: Some((now + 9 * AGE).into()),
            ..event("", "", "")
        };
        assert_eq!(
            checked(old, now).expect("sound").at,
            millis(now),
            "not in the future"
        );
    }
}
