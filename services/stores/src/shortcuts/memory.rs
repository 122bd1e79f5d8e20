//! Announcements within one process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::broadcast;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;

use super::{Backend, LAG, Shortcut, ShortcutStream};
use crate::StoreError;

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<HashMap<String, broadcast::Sender<Shortcut>>>);

#[async_trait::async_trait]
impl Backend for Memory {
    async fn publish(&self, org: &str, shortcut: &Shortcut) -> Result<(), StoreError> {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Fails when the last listener has gone.
        if let Some(sender) = listeners.get(org)
            && sender.send(shortcut.clone()).is_err()
        {
            listeners.remove(org);
        }
        Ok(())
    }

    async fn subscribe(&self, org: &str) -> Result<ShortcutStream, StoreError> {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = listeners
            .entry(org.to_owned())
            .or_insert_with(|| broadcast::Sender::new(LAG));
        let stream = BroadcastStream::new(sender.subscribe()).filter_map(Result::ok);
        Ok(Box::pin(stream))
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
