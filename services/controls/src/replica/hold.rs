//! The holder's side: commands of other replicas.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use proto::controls::v1 as pb;
use proto::controls::v1::replica_message::Message;
use proto::controls::v1::reply::Outcome;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::Replica;
use crate::connections::{CallError, Waiting};
use crate::directory::Probe;

/// A caller that has not heard of its command for longer believes that this replica is gone.
const RUNNING: Duration = Duration::from_secs(1);
/// No caller waits longer.
const LONGEST: Duration = Duration::from_secs(60);
/// Commands that are remembered before those are forgotten that would come too late anyway.
const SEEN: usize = 10_000;

/// Commands that came, with the moment after which one that comes again is too late.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<u64, u64>);

impl Seen {
    /// Whether it is the first time.
    fn first(&mut self, id: u64, start_by_ms: u64, now_ms: u64) -> bool {
        if self.0.len() >= SEEN {
            self.0.retain(|_, start_by_ms| *start_by_ms >= now_ms);
        }
        self.0.insert(id, start_by_ms).is_none()
    }
}

impl Replica {
    /// Runs a command, unless it comes too late, or again.
    pub(super) fn command(self: &Arc<Self>, from: &str, command: pb::Command) {
        let (id, now) = (command.id, self.now_ms());
        let first = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.first(id, command.start_by_ms, now)
        };
        if !first {
            return;
        }
        let wait = Duration::from_millis(command.wait_ms).min(LONGEST);
        let deadline = Instant::now() + wait;
        match self.begin(command, now) {
            Ok((waiting, permit)) => {
                let (replica, to) = (Arc::clone(self), from.to_owned());
                self.rt.spawn_draining("command", async move {
                    replica.finish(&to, id, waiting, deadline).await;
                    drop(permit);
                });
            }
            Err(failure) => self.post(from, replied(id, Outcome::Failure(failure.into()))),
        }
    }

    fn begin(
        &self,
        command: pb::Command,
        now: u64,
    ) -> Result<(Waiting, OwnedSemaphorePermit), pb::Failure> {
        let left = command
            .start_by_ms
            .checked_sub(now)
            .ok_or(pb::Failure::Late)?;
        let permit = Arc::clone(&self.running).try_acquire_owned();
        let permit = permit.map_err(|_| pb::Failure::Busy)?;
        let mut call = command.call.unwrap_or_default();
        call.start_within = Duration::from_millis(left).try_into().ok();
        let probe = Probe::new(&command.org_id, &command.probe_id);
        let handed = self.connections.call(&probe, command.epoch, call);
        let waiting = handed.map_err(|error| match error {
            CallError::NotConnected => pb::Failure::NotConnected,
            CallError::Busy => pb::Failure::Busy,
        })?;
        Ok((waiting, permit))
    }

    /// Waits for the answer and sends it, unless its caller has given up by then.
    async fn finish(self: &Arc<Self>, to: &str, id: u64, mut waiting: Waiting, deadline: Instant) {
        let soon = deadline.min(Instant::now() + RUNNING);
        let mut answer = timeout_at(soon, &mut waiting.answer).await;
        if answer.is_err() {
            self.post(to, replied(id, Outcome::Running(true)));
            answer = timeout_at(deadline, &mut waiting.answer).await;
        }
        let outcome = match answer {
            Ok(Ok(result)) => Outcome::Result(result),
            Ok(Err(_)) => Outcome::Failure(pb::Failure::Gone.into()),
            Err(_) => return,
        };
        if let Err(error) = self.send(to, replied(id, outcome)).await {
            tracing::debug!(%error, to, "an answer was not sent");
        }
    }
}

fn replied(id: u64, outcome: Outcome) -> Message {
    Message::Reply(pb::Reply {
        id,
        outcome: Some(outcome),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_is_known_as_long_as_it_is_not_too_late() {
        let mut seen = Seen::default();
        assert!(seen.first(0, 1000, 0));
        for id in 1..2 * SEEN as u64 {
            assert!(seen.first(id, 10, 11));
        }
        assert!(!seen.first(0, 1000, 999));
        assert!(seen.0.len() <= SEEN, "{}", seen.0.len());
    }
}
