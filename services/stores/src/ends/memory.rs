//! Places within one process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Backend, PipeKey};
use crate::StoreError;

#[derive(Debug, Default)]
pub(super) struct Memory {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    places: BTreeMap<PipeKey, (Vec<u8>, u64)>,
    /// Addresses by name, which is also the session.
    members: HashMap<String, String>,
    version: u64,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Backend for Memory {
    async fn get(&self, key: &PipeKey) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        Ok(self.lock().places.get(key).cloned())
    }

    async fn swap(
        &self,
        key: &PipeKey,
        version: u64,
        value: Option<Vec<u8>>,
    ) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let found = state.places.get(key).map(|(_, version)| *version);
        if found.is_none() && value.is_none() {
            return Ok(true);
        }
        if found.unwrap_or(0) != version {
            return Ok(false);
        }
        state.version += 1;
        let version = state.version;
        match value {
            Some(value) => state.places.insert(key.clone(), (value, version)),
            None => state.places.remove(key),
        };
        Ok(true)
    }

    async fn list(&self) -> Result<Vec<(PipeKey, Vec<u8>, u64)>, StoreError> {
        let state = self.lock();
        let all = state.places.iter();
        Ok(all
            .map(|(key, (value, version))| (key.clone(), value.clone(), *version))
            .collect())
    }

    async fn join(&self, name: &str, address: &str) -> Result<String, StoreError> {
        let members = &mut self.lock().members;
        members.insert(name.to_owned(), address.to_owned());
        Ok(name.to_owned())
    }

    async fn renew(&self, session: &str) -> Result<bool, StoreError> {
        Ok(self.lock().members.contains_key(session))
    }

    async fn leave(&self, session: &str) -> Result<(), StoreError> {
        self.lock().members.remove(session);
        self.changed.send_replace(());
        Ok(())
    }

    async fn member(&self, name: &str) -> Result<Option<(String, String)>, StoreError> {
        let address = self.lock().members.get(name).cloned();
        Ok(address.map(|address| (name.to_owned(), address)))
    }

    async fn watch(&self, name: &str) -> Result<(), StoreError> {
        let mut changes = self.changed.subscribe();
        if self.lock().members.contains_key(name) {
            // Its sender is in `self`.
            let _ = changes.changed().await;
        }
        Ok(())
    }

    async fn members(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.lock().members.keys().cloned().collect())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use client::Key;
    use runtime::Runtime;
    use url::Url;

    use crate::{Ends, conformance};

    #[tokio::test]
    async fn memory_does_what_the_suite_says() {
        let rt = Runtime::new(runtime::Config::default(), Key::generate());
        let url = Url::parse("memory:").expect("a URL");
        let ends = Ends::open(&url, &rt).await.expect("opened");
        conformance::ends(&ends, &ends).await;
    }
}
