//! The caller's side: from a call to whoever holds the probe, and back.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use proto::controls::v1 as pb;
use proto::controls::v1::replica_message::Message;
use proto::controls::v1::reply::Outcome;
use stores::StoreError;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::Replica;
use crate::connections::CallError;
use crate::directory::{Holder, Probe};

/// A call that was not handed to its probe by then is not any more.
const START: Duration = Duration::from_secs(3);
/// How long after that one may not have heard of it.
const HEARD: Duration = Duration::from_secs(2);
/// How long a replica that has just started may take to learn who holds what.
pub(super) const SYNC: Duration = Duration::from_secs(2);

/// Why a control has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvokeError {
    #[error("probe {0} is not connected right now")]
    NotConnected(String),
    #[error(
        "probe {0} is not connected here, and who else it is connected to cannot be asked right now; try again later"
    )]
    Alone(String),
    #[error("probe {0} has too many calls waiting; try again later")]
    Busy(String),
    #[error("probe {0} could not be reached in time; nothing was done")]
    Late(String),
    #[error("probe {0} went away before it answered; it may have acted")]
    Gone(String),
    #[error("the replica that probe {0} is connected to does not answer; it may have acted")]
    Silent(String),
    #[error(
        "the queues to the replica that probe {0} is connected to are away; it may have acted; try again later"
    )]
    Unsent(String),
    #[error("probe {probe} did not answer within {} s; it may have acted", wait.as_secs_f64())]
    TimedOut { probe: String, wait: Duration },
}

/// A caller that waits; letting go of it forgets the answer.
struct Waiter<'a> {
    replica: &'a Replica,
    id: u64,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.replica.waiting().remove(&self.id);
    }
}

impl Replica {
    /// Has a probe's newest connection run this, wherever it is, and waits for so long for the answer.
    pub(crate) async fn invoke(
        self: &Arc<Self>,
        probe: &Probe,
        call: pb::ControlCall,
        wait: Duration,
    ) -> Result<pb::ControlResult, InvokeError> {
        let deadline = Instant::now() + wait;
        let running = async {
            let holder = self.find(probe).await?;
            if holder.replica == self.id {
                self.run_here(probe, holder.epoch, call, wait).await
            } else {
                self.run_there(probe, &holder, call, wait).await
            }
        };
        let timed_out = |_| {
            let probe = probe.id.clone();
            Err(InvokeError::TimedOut { probe, wait })
        };
        timeout_at(deadline, running)
            .await
            .unwrap_or_else(timed_out)
    }

    async fn find(&self, probe: &Probe) -> Result<Holder, InvokeError> {
        if let Some(holder) = self.directory().newest(probe) {
            return Ok(holder);
        }
        let mut synced = self.synced.subscribe();
        let synced = timeout(SYNC, synced.wait_for(|synced| *synced))
            .await
            .is_ok();
        if let Some(holder) = self.directory().newest(probe) {
            return Ok(holder);
        }
        let known = synced && self.rt.dependency("queues").is_up();
        let error = if known {
            InvokeError::NotConnected
        } else {
            InvokeError::Alone
        };
        Err(error(probe.id.clone()))
    }

    async fn run_here(
        &self,
        probe: &Probe,
        epoch: u64,
        mut call: pb::ControlCall,
        wait: Duration,
    ) -> Result<pb::ControlResult, InvokeError> {
        call.start_within = start_within(wait).try_into().ok();
        let mut waiting =
            self.connections
                .call(probe, epoch, call)
                .map_err(|error| match error {
                    CallError::NotConnected => InvokeError::NotConnected(probe.id.clone()),
                    CallError::Busy => InvokeError::Busy(probe.id.clone()),
                })?;
        let answer = (&mut waiting.answer).await;
        answer.map_err(|_| InvokeError::Gone(probe.id.clone()))
    }

    async fn run_there(
        self: &Arc<Self>,
        probe: &Probe,
        holder: &Holder,
        call: pb::ControlCall,
        wait: Duration,
    ) -> Result<pb::ControlResult, InvokeError> {
        let lost = || InvokeError::NotConnected(probe.id.clone());
        let start_by = Instant::now() + start_within(wait);
        let command = pb::Command {
            id: rand::random(),
            org_id: probe.org.clone(),
            probe_id: probe.id.clone(),
            epoch: holder.epoch,
            start_by_ms: self.moment_of(&holder.replica, start_by).ok_or_else(lost)?,
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            call: Some(call),
        };
        let (mut replies, _waiter) = self.wait_for(command.id);
        let first = async {
            let sent = self.send(&holder.replica, Message::Command(command));
            match sent.await {
                Ok(()) => Ok(replies.recv().await),
                Err(StoreError::NotFound(_)) => Err(lost()),
                // It may have got there all the same, and run until then.
                Err(_) => {
                    let reply = timeout_at(start_by, replies.recv()).await;
                    reply.map_err(|_| InvokeError::Unsent(probe.id.clone()))
                }
            }
        };
        let mut reply = match timeout_at(start_by + HEARD, first).await {
            Ok(reply) => reply?,
            Err(_) => {
                self.doubt(&holder.replica);
                return Err(InvokeError::Silent(probe.id.clone()));
            }
        };
        if let Some(Outcome::Running(_)) = reply {
            reply = replies.recv().await;
        }
        outcome(reply, &probe.id)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<Outcome>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for(&self, id: u64) -> (mpsc::Receiver<Outcome>, Waiter<'_>) {
        // That it runs, and what came of it.
        let (sender, replies) = mpsc::channel(2);
        self.waiting().insert(id, sender);
        (replies, Waiter { replica: self, id })
    }

    /// Takes in what became of a command; what nobody waits for is dropped.
    pub(super) fn reply(&self, reply: pb::Reply) {
        let waiting = self.waiting();
        if let (Some(waiter), Some(outcome)) = (waiting.get(&reply.id), reply.outcome) {
            // It is full of what came twice.
            let _ = waiter.try_send(outcome);
        }
    }
}

/// What is left of the wait is for the probe to act in.
fn start_within(wait: Duration) -> Duration {
    (wait * 3 / 4).min(START)
}

fn outcome(reply: Option<Outcome>, probe: &str) -> Result<pb::ControlResult, InvokeError> {
    let probe = probe.to_owned();
    Err(match reply {
        Some(Outcome::Result(result)) => return Ok(result),
        Some(Outcome::Failure(failure)) => match pb::Failure::try_from(failure) {
            Ok(pb::Failure::NotConnected) => InvokeError::NotConnected(probe),
            Ok(pb::Failure::Busy) => InvokeError::Busy(probe),
            Ok(pb::Failure::Late) => InvokeError::Late(probe),
            Ok(pb::Failure::Gone | pb::Failure::Unspecified) | Err(_) => InvokeError::Gone(probe),
        },
        // The replica is of another version.
        Some(Outcome::Running(_)) | None => InvokeError::Silent(probe),
    })
}
