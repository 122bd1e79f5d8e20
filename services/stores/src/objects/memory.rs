//! Objects in memory, for tests and for trying things out.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Backend, ObjectInfo, PAGE};
use crate::StoreError;

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<String, Bytes>>);

impl Memory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Backend for Memory {
    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        self.lock().insert(key.to_owned(), body);
        Ok(())
    }

    async fn get(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let missing = || StoreError::NotFound(key.to_owned());
        let body = self.lock().get(key).cloned().ok_or_else(missing)?;
        let range = usize::try_from(range.start)
            .ok()
            .zip(usize::try_from(range.end).ok());
        match range {
            Some((start, end)) if start <= end && end <= body.len() => Ok(body.slice(start..end)),
            _ => Err(missing()),
        }
    }

    async fn list(&self, prefix: &str, after: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let objects = self.lock();
        let from = Bound::Excluded(after.to_owned());
        let found = objects.range((from, Bound::Unbounded));
        let found = found.filter(|(key, _)| key.starts_with(prefix));
        let info = |(key, body): (&String, &Bytes)| ObjectInfo {
            key: key.clone(),
            bytes: body.len() as u64,
        };
        Ok(found.take(PAGE).map(info).collect())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), StoreError> {
        let mut objects = self.lock();
        for key in keys {
            objects.remove(key);
        }
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
