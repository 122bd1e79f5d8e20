//! Who was at a pipe, in the audit log.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use client::Caller;
use runtime::{Event, Recorder};
use stores::PipeKey;
use tonic::Status;

use crate::pipe::Pipe;

/// Callers of one pipe that are told apart. When there are more, some are written down again.
const CALLERS: usize = 256;

/// What somebody does with a pipe, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Use(u8);

impl Use {
    pub(crate) const READS: Use = Use(1);
    pub(crate) const TYPES: Use = Use(2);
    pub(crate) const BOTH: Use = Use(3);

    /// What an end of this caller does that is attached.
    pub(crate) fn attached(pipe: &Pipe, caller: &Caller) -> Use {
        if pipe.access.may_write(caller) {
            Use::BOTH
        } else {
            Use::READS
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Use::READS => "reads",
            Use::TYPES => "types",
            _ => "reads and types",
        }
    }
}

/// What each subject did from each address.
#[derive(Debug, Default)]
pub(crate) struct Attended(Mutex<HashMap<(String, String), u8>>);

impl Attended {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_known(&self, who: &(String, String), use_: Use) -> bool {
        let known = self.lock().get(who).copied().unwrap_or(0);
        known & use_.0 == use_.0
    }

    fn remember(&self, who: (String, String), use_: Use) {
        let mut known = self.lock();
        if known.len() >= CALLERS && !known.contains_key(&who) {
            known.clear();
        }
        *known.entry(who).or_default() |= use_.0;
    }
}

/// Writes down that somebody uses a pipe that is held here, unless that was done: before it does, but where another replica
/// held the pipe and has seen to it most likely.
pub(crate) async fn attend(
    recorder: &Recorder,
    key: &PipeKey,
    pipe: &Pipe,
    caller: &Caller,
    use_: Use,
) -> Result<(), Status> {
    let who = (caller.subject.clone(), caller.address_text());
    if pipe.attended.is_known(&who, use_) {
        return Ok(());
    }
    let event = Event {
        action: "terminal.attach",
        target: key.id.clone(),
        detail: use_.in_words().to_owned(),
    };
    let event = event.by(caller);
    if pipe.moves == 0 {
        recorder.record(event).await?;
    } else {
        recorder.record_later(event);
    }
    pipe.attended.remember(who, use_);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_of_a_caller_is_told_apart_within_a_bound() {
        let attended = Attended::default();
        let who = |n: usize| (format!("usr_{n}"), "192.0.2.1".to_owned());
        attended.remember(who(0), Use::READS);
        assert!(attended.is_known(&who(0), Use::READS));
        assert!(!attended.is_known(&who(0), Use::BOTH));
        assert!(!attended.is_known(&who(1), Use::READS));
        attended.remember(who(0), Use::TYPES);
        assert!(attended.is_known(&who(0), Use::BOTH));
        for n in 0..10 * CALLERS {
            attended.remember(who(n), Use::BOTH);
            assert!(attended.lock().len() <= CALLERS);
        }
    }
}
