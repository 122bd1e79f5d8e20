//! All pipes of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::pipe::Pipe;

/// How long an end may be missing.
const GRACE: Duration = Duration::from_secs(60);
/// How long a closed pipe is remembered.
const TOMBSTONE: Duration = Duration::from_secs(600);
/// Open pipes of one organisation.
const PIPES: usize = 1000;
/// Remembered closed pipes of one organisation; the oldest are forgotten first.
const TOMBSTONES: usize = 10_000;

/// Why there is no pipe.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PipeError {
    #[error("the pipe was closed")]
    Closed,
    #[error("there is no such pipe")]
    Unknown,
    #[error("the pipe's id must be 1 to 128 characters of A-Z, a-z, 0-9, dot, underscore and dash")]
    BadId,
    #[error("the organisation has {PIPES} open pipes; close some")]
    TooMany,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<HashMap<String, Organisation>>>);

#[derive(Debug, Default)]
struct Organisation {
    open: HashMap<String, Arc<Pipe>>,
    closed: HashMap<String, Instant>,
}

fn check(id: &str) -> Result<(), PipeError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=128).contains(&id.len()) && id.bytes().all(fits) {
        return Ok(());
    }
    Err(PipeError::BadId)
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Organisation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pipe, which is made if it is new.
    pub(crate) fn open(&self, org: &str, id: &str) -> Result<Arc<Pipe>, PipeError> {
        check(id)?;
        let mut organisations = self.lock();
        let organisation = organisations.entry(org.to_owned()).or_default();
        if organisation.closed.contains_key(id) {
            return Err(PipeError::Closed);
        }
        if let Some(pipe) = organisation.open.get(id) {
            return Ok(Arc::clone(pipe));
        }
        if organisation.open.len() >= PIPES {
            return Err(PipeError::TooMany);
        }
        let pipe = Arc::new(Pipe::new());
        organisation.open.insert(id.to_owned(), Arc::clone(&pipe));
        Ok(pipe)
    }

    /// The pipe if it is open.
    pub(crate) fn find(&self, org: &str, id: &str) -> Result<Arc<Pipe>, PipeError> {
        check(id)?;
        let organisations = self.lock();
        let organisation = organisations.get(org).ok_or(PipeError::Unknown)?;
        if organisation.closed.contains_key(id) {
            return Err(PipeError::Closed);
        }
        let pipe = organisation.open.get(id);
        pipe.map(Arc::clone).ok_or(PipeError::Unknown)
    }

    /// Ends a pipe and remembers that; an unknown one too, whose first end may still be on its way.
    pub(crate) fn close(&self, org: &str, id: &str) -> Result<(), PipeError> {
        check(id)?;
        let mut organisations = self.lock();
        organisations.entry(org.to_owned()).or_default().close(id);
        Ok(())
    }

    /// Closes what was abandoned and forgets what was closed long ago.
    pub(crate) fn collect(&self) {
        self.lock().retain(|_, organisation| {
            let abandoned = organisation.open.iter();
            let abandoned: Vec<String> = abandoned
                .filter(|(_, pipe)| pipe.is_abandoned(GRACE))
                .map(|(id, _)| id.clone())
                .collect();
            for id in abandoned {
                tracing::info!(pipe = id, "closing a pipe with a missing end");
                organisation.close(&id);
            }
            organisation.closed.retain(|_, at| at.elapsed() < TOMBSTONE);
            !(organisation.open.is_empty() && organisation.closed.is_empty())
        });
    }

    /// How many pipes are open.
    pub(crate) fn len(&self) -> usize {
        self.lock().values().map(|o| o.open.len()).sum()
    }
}

impl Organisation {
    fn close(&mut self, id: &str) {
        if let Some(pipe) = self.open.remove(id) {
            pipe.closed.cancel();
        }
        if self.closed.len() >= TOMBSTONES {
            let oldest = self.closed.iter().min_by_key(|(_, at)| **at);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.closed.remove(&oldest);
            }
        }
        self.closed.insert(id.to_owned(), Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn closed_pipe_is_remembered_for_ten_minutes() {
        let registry = Registry::default();
        let pipe = registry.open("a", "p").expect("new");
        registry.close("a", "p").expect("closed");
        assert!(pipe.closed.is_cancelled());
        assert_eq!(registry.open("a", "p").err(), Some(PipeError::Closed));
        tokio::time::advance(TOMBSTONE).await;
        registry.collect();
        assert!(registry.open("a", "p").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn pipe_without_both_ends_is_collected() {
        let registry = Registry::default();
        let pipe = registry.open("a", "p").expect("new");
        let _user = pipe.connect(proto::pipes::v1::End::User);
        tokio::time::advance(GRACE).await;
        registry.collect();
        assert_eq!(registry.find("a", "p").err(), Some(PipeError::Closed));
    }

    #[test]
    fn pipes_of_organisations_are_apart_and_ids_are_checked() {
        let registry = Registry::default();
        registry.open("a", "p").expect("new");
        assert_eq!(registry.find("b", "p").err(), Some(PipeError::Unknown));
        assert_eq!(registry.open("a", "").err(), Some(PipeError::BadId));
        assert_eq!(registry.open("a", "p/q").err(), Some(PipeError::BadId));
    }
}
