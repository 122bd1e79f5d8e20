//! The pipes that this replica holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stores::PipeKey;

use crate::error::{PIPES, PipeError};
use crate::pipe::{Ended, Pipe};

#[derive(Debug, Clone, Default)]
pub(crate) struct Held(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    pipes: HashMap<PipeKey, Arc<Pipe>>,
    /// How many each organisation has.
    counts: HashMap<String, usize>,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &PipeKey) -> Option<Arc<Pipe>> {
        self.lock().pipes.get(key).cloned()
    }

    /// Fails if the organisation has too many.
    pub(crate) fn check_room(&self, org: &str) -> Result<(), PipeError> {
        match self.lock().counts.get(org) {
            Some(&count) if count >= PIPES => Err(PipeError::TooMany),
            _ => Ok(()),
        }
    }

    /// Holds a pipe from now on; the one that is held already, if there is one.
    pub(crate) fn insert(&self, key: &PipeKey, pipe: Pipe) -> Arc<Pipe> {
        let mut state = self.lock();
        if let Some(pipe) = state.pipes.get(key) {
            return Arc::clone(pipe);
        }
        let pipe = Arc::new(pipe);
        state.pipes.insert(key.clone(), Arc::clone(&pipe));
        *state.counts.entry(key.org.clone()).or_default() += 1;
        pipe
    }

    /// Lets go of a pipe; its attachments end.
    pub(crate) fn remove(&self, key: &PipeKey, ended: Ended) -> Option<Arc<Pipe>> {
        let mut state = self.lock();
        let pipe = state.pipes.remove(key)?;
        if let Some(count) = state.counts.get_mut(&key.org) {
            *count -= 1;
            if *count == 0 {
                state.counts.remove(&key.org);
            }
        }
        drop(state);
        pipe.end(ended);
        Some(pipe)
    }

    /// Lets go of all: others may hold them now.
    pub(crate) fn release(&self) {
        let state = std::mem::take(&mut *self.lock());
        for pipe in state.pipes.values() {
            pipe.end(Ended::Moved);
        }
    }

    pub(crate) fn all(&self) -> Vec<(PipeKey, Arc<Pipe>)> {
        let state = self.lock();
        let all = state.pipes.iter();
        all.map(|(key, pipe)| (key.clone(), Arc::clone(pipe)))
            .collect()
    }

    /// How many pipes are held.
    pub(crate) fn len(&self) -> usize {
        self.lock().pipes.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proto::tenant::v1::Permission;

    use super::*;
    use crate::access::Access;

    #[tokio::test]
    async fn organisations_have_bounds_of_their_own() {
        let held = Held::default();
        let key = |org: &str, i: usize| PipeKey {
            org: org.to_owned(),
            id: i.to_string(),
        };
        let access = || Access {
            permission: Permission::Exec,
            opener: String::new(),
        };
        let pipe = || Pipe::new(access(), 0, Duration::ZERO);
        for i in 0..PIPES {
            held.check_room("a").expect("room");
            held.insert(&key("a", i), pipe());
            held.insert(&key("a", i), pipe());
        }
        assert!(matches!(held.check_room("a"), Err(PipeError::TooMany)));
        held.check_room("b").expect("room");
        let one = held.remove(&key("a", 0), Ended::Moved).expect("held");
        assert_eq!(one.ended().await, Ended::Moved);
        held.check_room("a").expect("room again");
        held.release();
        assert_eq!(held.len(), 0);
        held.check_room("a").expect("room again");
    }
}
