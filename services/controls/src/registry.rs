//! Which probe can be reached through which connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::controls::v1::{ControlCall, ControlResult};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Calls that may wait in a connection for its probe to read them.
const QUEUE: usize = 64;

/// Why a call could not be handed to a probe.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("probe {0} is not connected right now")]
    NotConnected(String),
    #[error("probe {0} has too many calls waiting")]
    Busy(String),
}

/// All connections of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By organisation, then probe.
    probes: HashMap<String, HashMap<String, Connection>>,
    next_connection: u64,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    version: String,
    since: Instant,
    calls: mpsc::Sender<ControlCall>,
    waiting: HashMap<u64, oneshot::Sender<ControlResult>>,
    next_sequence: u64,
}

/// A probe's hold on its registration; letting go of it ends that one and no newer one.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Registry,
    org: String,
    probe: String,
    number: u64,
}

/// A call that was handed over.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) answer: oneshot::Receiver<ControlResult>,
    sequence: u64,
    registration: (String, String, u64),
    registry: Registry,
}

/// A connected probe, for listings.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) probe: String,
    pub(crate) version: String,
    pub(crate) since: Instant,
}

impl Registry {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes this the newest connection of the probe. Calls that wait for an older one still get their answers from it.
    pub(crate) fn register(
        &self,
        org: &str,
        probe: &str,
        version: &str,
    ) -> (Registration, mpsc::Receiver<ControlCall>) {
        let (calls, receiver) = mpsc::channel(QUEUE);
        let number = self.with(|state| {
            state.next_connection += 1;
            let connection = Connection {
                number: state.next_connection,
                version: version.to_owned(),
                since: Instant::now(),
                calls,
                waiting: HashMap::new(),
                next_sequence: 0,
            };
            let probes = state.probes.entry(org.to_owned()).or_default();
            probes.insert(probe.to_owned(), connection);
            state.next_connection
        });
        let registration = Registration {
            registry: self.clone(),
            org: org.to_owned(),
            probe: probe.to_owned(),
            number,
        };
        (registration, receiver)
    }

    /// Hands a call to the probe's newest connection.
    pub(crate) fn call(
        &self,
        org: &str,
        probe: &str,
        mut call: ControlCall,
    ) -> Result<Waiting, CallError> {
        let (sender, answer) = oneshot::channel();
        let (number, sequence) = self.with(|state| {
            let connection = state.probes.get_mut(org).and_then(|p| p.get_mut(probe));
            let connection = connection.ok_or_else(|| CallError::NotConnected(probe.to_owned()))?;
            call.sequence = connection.next_sequence;
            connection.calls.try_send(call).map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => CallError::Busy(probe.to_owned()),
                mpsc::error::TrySendError::Closed(_) => CallError::NotConnected(probe.to_owned()),
            })?;
            let sequence = connection.next_sequence;
            connection.next_sequence += 1;
            connection.waiting.insert(sequence, sender);
            Ok((connection.number, sequence))
        })?;
        Ok(Waiting {
            answer,
            sequence,
            registration: (org.to_owned(), probe.to_owned(), number),
            registry: self.clone(),
        })
    }

    /// The probes of an organisation, ordered by id.
    pub(crate) fn connected(&self, org: &str) -> Vec<Connected> {
        let mut probes: Vec<_> = self.with(|state| {
            let probes = state.probes.get(org).into_iter().flatten();
            probes
                .map(|(probe, c)| Connected {
                    probe: probe.clone(),
                    version: c.version.clone(),
                    since: c.since,
                })
                .collect()
        });
        probes.sort_by(|a: &Connected, b| a.probe.cmp(&b.probe));
        probes
    }

    fn connection<R>(
        &self,
        (org, probe, number): (&str, &str, u64),
        f: impl FnOnce(&mut Connection) -> R,
    ) -> Option<R> {
        self.with(|state| {
            let connection = state.probes.get_mut(org)?.get_mut(probe)?;
            (connection.number == number).then(|| f(connection))
        })
    }
}

impl Registration {
    /// Delivers an answer; one that nobody waits for any more is dropped.
    pub(crate) fn answer(&self, sequence: u64, result: ControlResult) {
        let key = (self.org.as_str(), self.probe.as_str(), self.number);
        let waiter = self
            .registry
            .connection(key, |c| c.waiting.remove(&sequence))
            .flatten();
        if let Some(waiter) = waiter {
            // The caller may have gone in this very moment.
            let _ = waiter.send(result);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.with(|state| {
            let Some(probes) = state.probes.get_mut(&self.org) else {
                return;
            };
            if probes
                .get(&self.probe)
                .is_some_and(|c| c.number == self.number)
            {
                probes.remove(&self.probe);
            }
            if probes.is_empty() {
                state.probes.remove(&self.org);
            }
        });
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let (org, probe, number) = &self.registration;
        self.registry
            .connection((org, probe, *number), |c| c.waiting.remove(&self.sequence));
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

    #[test]
    fn newest_connection_gets_the_calls_and_survives_the_older_one() {
        let registry = Registry::default();
        let (old, mut old_calls) = registry.register("a", "p", "1");
        let (_new, mut new_calls) = registry.register("a", "p", "1");
        let _waiting = registry.call("a", "p", call("x")).expect("connected");
        assert!(old_calls.try_recv().is_err());
        assert_eq!(new_calls.try_recv().expect("handed over").control, "x");
        drop(old);
        assert!(registry.call("a", "p", call("y")).is_ok());
    }

    #[test]
    fn probes_of_other_organisations_cannot_be_reached() {
        let registry = Registry::default();
        let _held = registry.register("a", "p", "1");
        assert_eq!(
            registry.call("b", "p", call("x")).err(),
            Some(CallError::NotConnected("p".to_owned()))
        );
    }

    #[test]
    fn answer_reaches_the_caller_with_the_same_number() {
        let registry = Registry::default();
        let (registration, mut calls) = registry.register("a", "p", "1");
        let mut first = registry.call("a", "p", call("x")).expect("connected");
        let mut second = registry.call("a", "p", call("y")).expect("connected");
        let numbers = [calls.try_recv(), calls.try_recv()].map(|c| c.expect("call").sequence);
        registration.answer(
            numbers[1],
            ControlResult {
                pipe_id: "2".to_owned(),
                ..ControlResult::default()
            },
        );
        assert!(first.answer.try_recv().is_err());
        assert_eq!(second.answer.try_recv().expect("answered").pipe_id, "2");
    }

    #[test]
    fn calls_end_when_their_connection_does() {
        let registry = Registry::default();
        let (registration, _calls) = registry.register("a", "p", "1");
        let mut waiting = registry.call("a", "p", call("x")).expect("connected");
        drop(registration);
        assert_eq!(
            waiting.answer.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        );
    }
}
