//! The connections of probes to this replica.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::controls::v1::{ControlCall, ControlResult};
use tokio::sync::{mpsc, oneshot};

use crate::directory::Probe;

/// Calls that may wait in a connection for its probe to read them.
const QUEUE: usize = 64;
/// Calls of a connection that may be without an answer.
const UNANSWERED: usize = 256;

/// Why a call could not be handed over. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallError {
    /// That connection has ended.
    NotConnected,
    /// It has too much to do.
    Busy,
}

/// By epoch, which names a connection within a replica.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<HashMap<u64, Connection>>>);

#[derive(Debug)]
struct Connection {
    probe: Probe,
    calls: mpsc::Sender<ControlCall>,
    waiting: HashMap<u64, oneshot::Sender<ControlResult>>,
    next_sequence: u64,
}

/// A call that was handed over. Letting go of it forgets the answer.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) answer: oneshot::Receiver<ControlResult>,
    sequence: u64,
    epoch: u64,
    connections: Connections,
}

impl Connections {
    fn with<R>(&self, f: impl FnOnce(&mut HashMap<u64, Connection>) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a connection; its calls.
    pub(crate) fn open(&self, probe: Probe, epoch: u64) -> mpsc::Receiver<ControlCall> {
        let (calls, receiver) = mpsc::channel(QUEUE);
        let connection = Connection {
            probe,
            calls,
            waiting: HashMap::new(),
            next_sequence: 0,
        };
        self.with(|all| all.insert(epoch, connection));
        receiver
    }

    /// Removes it; who waits for its answers learns that.
    pub(crate) fn close(&self, epoch: u64) {
        self.with(|all| all.remove(&epoch));
    }

    /// Hands a call to this connection of this probe and no other.
    pub(crate) fn call(
        &self,
        probe: &Probe,
        epoch: u64,
        mut call: ControlCall,
    ) -> Result<Waiting, CallError> {
        let (sender, answer) = oneshot::channel();
        let sequence = self.with(|all| {
            let connection = all.get_mut(&epoch).filter(|c| c.probe == *probe);
            let connection = connection.ok_or(CallError::NotConnected)?;
            if connection.waiting.len() >= UNANSWERED {
                return Err(CallError::Busy);
            }
            let sequence = connection.next_sequence;
            call.sequence = sequence;
            connection.calls.try_send(call).map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => CallError::Busy,
                mpsc::error::TrySendError::Closed(_) => CallError::NotConnected,
            })?;
            connection.next_sequence += 1;
            connection.waiting.insert(sequence, sender);
            Ok(sequence)
        })?;
        Ok(Waiting {
            answer,
            sequence,
            epoch,
            connections: self.clone(),
        })
    }

    /// Delivers an answer; one that nobody waits for any more is dropped.
    pub(crate) fn answer(&self, epoch: u64, sequence: u64, result: ControlResult) {
        let waiting = self.with(|all| all.get_mut(&epoch)?.waiting.remove(&sequence));
        if let Some(waiting) = waiting {
            // Who waited may have gone in this very moment.
            let _ = waiting.send(result);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.connections.with(|all| {
            let connection = all.get_mut(&self.epoch)?;
            connection.waiting.remove(&self.sequence)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(control: &str) -> ControlCall {
        ControlCall {
            control: control.to_owned(),
            ..ControlCall::default()
        }
    }

    fn probe(org: &str) -> Probe {
        Probe::new(org, "p")
    }

    #[test]
    fn call_reaches_the_connection_that_it_is_for_and_no_other() {
        let connections = Connections::default();
        let mut old = connections.open(probe("a"), 1);
        let mut new = connections.open(probe("a"), 2);
        let to_old = connections.call(&probe("a"), 1, call("x"));
        assert_eq!(old.try_recv().expect("handed over").control, "x");
        assert!(new.try_recv().is_err());
        connections.close(1);
        let after = connections.call(&probe("a"), 1, call("y"));
        assert_eq!(after.err(), Some(CallError::NotConnected));
        let foreign = connections.call(&probe("b"), 2, call("y"));
        assert_eq!(foreign.err(), Some(CallError::NotConnected));
        assert!(new.try_recv().is_err());
        let mut waiting = to_old.expect("handed over");
        assert_eq!(
            waiting.answer.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        );
    }

    #[test]
    fn answer_reaches_the_caller_with_the_same_number() {
        let connections = Connections::default();
        let mut calls = connections.open(probe("a"), 1);
        let mut first = connections.call(&probe("a"), 1, call("x")).expect("handed");
        let mut second = connections.call(&probe("a"), 1, call("y")).expect("handed");
        let numbers = [calls.try_recv(), calls.try_recv()].map(|c| c.expect("call").sequence);
        let result = ControlResult {
            pipe_id: "2".to_owned(),
            ..ControlResult::default()
        };
        connections.answer(1, numbers[1], result);
        assert!(first.answer.try_recv().is_err());
        assert_eq!(second.answer.try_recv().expect("answered").pipe_id, "2");
    }

    #[test]
    fn probe_that_does_not_read_is_busy_and_forgotten_calls_make_room() {
        let connections = Connections::default();
        let _calls = connections.open(probe("a"), 1);
        let next = || connections.call(&probe("a"), 1, call("x"));
        let held: Vec<_> = (0..QUEUE).map(|_| next().expect("handed")).collect();
        assert_eq!(next().err(), Some(CallError::Busy));

        let mut calls = connections.open(probe("a"), 2);
        let mut next = || {
            let waiting = connections.call(&probe("a"), 2, call("x"));
            let _ = calls.try_recv();
            waiting
        };
        let unanswered: Vec<_> = (0..UNANSWERED).map(|_| next().expect("handed")).collect();
        assert_eq!(next().err(), Some(CallError::Busy));
        drop(unanswered);
        assert!(next().is_ok());
        drop(held);
    }
}
