//! Fair shares of something: so many at once in all, and so many per organisation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns at something.
#[derive(Debug)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    per_org: usize,
    orgs: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _all: OwnedSemaphorePermit,
    _of_org: OwnedSemaphorePermit,
    _org: Arc<Semaphore>,
}

impl Turns {
    /// At least one of each.
    pub(crate) fn new(all: usize, per_org: usize) -> Self {
        Turns {
            all: Arc::new(Semaphore::new(all.max(1))),
            per_org: per_org.max(1),
            orgs: Mutex::default(),
        }
    }

    /// Waits for a turn. Whoever waits for the organisation's own takes none of all.
    pub(crate) async fn wait(&self, org: &str) -> Option<Turn> {
        let org = self.org(org);
        let of_org = Arc::clone(&org).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn {
            _all: all,
            _of_org: of_org,
            _org: org,
        })
    }

    /// A turn now, or none.
    pub(crate) fn take(&self, org: &str) -> Option<Turn> {
        let org = self.org(org);
        let of_org = Arc::clone(&org).try_acquire_owned().ok()?;
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Turn {
            _all: all,
            _of_org: of_org,
            _org: org,
        })
    }

    fn org(&self, org: &str) -> Arc<Semaphore> {
        let mut orgs = self.orgs.lock().unwrap_or_else(PoisonError::into_inner);
        orgs.retain(|_, turns| turns.strong_count() > 0);
        if let Some(known) = orgs.get(org).and_then(Weak::upgrade) {
            return known;
        }
        let new = Arc::new(Semaphore::new(self.per_org));
        orgs.insert(org.to_owned(), Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_organisation_cannot_take_all_turns() {
        let turns = Turns::new(3, 2);
        let first = turns.take("a").expect("a turn");
        let _second = turns.take("a").expect("a turn");
        assert!(turns.take("a").is_none());
        let _third = turns.take("b").expect("a turn");
        assert!(turns.take("b").is_none());
        drop(first);
        assert!(turns.wait("a").await.is_some());
    }
}
