//! An index in memory, for tests and for trying things out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Backend, Hour, IndexEntry};
use crate::StoreError;

type Entries = BTreeMap<(String, i64, String), IndexEntry>;

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Entries>);

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Backend for Memory {
    async fn put(&self, entries: &[IndexEntry]) -> Result<(), StoreError> {
        let mut all = self.lock();
        for entry in entries {
            let key = (entry.org.clone(), entry.first, entry.name.clone());
            all.insert(key, entry.clone());
        }
        Ok(())
    }

    async fn hour(
        &self,
        org: &str,
        hour: Hour,
        from: i64,
        until: i64,
    ) -> Result<Vec<IndexEntry>, StoreError> {
        if from >= until {
            return Ok(Vec::new());
        }
        let key = |first| (org.to_owned(), first, String::new());
        let all = self.lock();
        let found = all.range(key(from)..key(until)).map(|(_, entry)| entry);
        Ok(found.filter(|e| e.hour() == hour).cloned().collect())
    }

    async fn hours(&self, before: Hour, most: usize) -> Result<Vec<(Hour, String)>, StoreError> {
        let all = self.lock();
        let hours = all.values().map(|e| (e.hour(), e.org.clone()));
        let hours: BTreeSet<_> = hours.filter(|(hour, _)| *hour < before).collect();
        Ok(hours.into_iter().take(most).collect())
    }

    async fn delete_hour(&self, org: &str, hour: Hour) -> Result<(), StoreError> {
        self.lock()
            .retain(|_, entry| entry.org != org || entry.hour() != hour);
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
