//! Announcements of reports that came out of turn.

mod memory;

use std::pin::Pin;
use std::sync::Arc;

use runtime::Runtime;
use tokio_stream::Stream;
use url::Url;

use crate::{OpenError, StoreError};

/// "This report came."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortcut {
    /// The replica of collection that has it.
    pub replica: String,
    /// Its number among the organisation's reports there.
    pub sequence: u64,
}

/// Announcements, by organisation. They are hints: one may be lost, none is late by much.
#[derive(Debug, Clone)]
pub struct Shortcuts {
    backend: Arc<dyn Backend>,
}

/// An organisation's announcements, for as long as it is held.
pub type ShortcutStream = Pin<Box<dyn Stream<Item = Shortcut> + Send>>;

#[async_trait::async_trait]
trait Backend: std::fmt::Debug + Send + Sync {
    async fn publish(&self, org: &str, shortcut: &Shortcut) -> Result<(), StoreError>;
    async fn subscribe(&self, org: &str) -> Result<ShortcutStream, StoreError>;
}

impl Shortcuts {
    /// Opens `memory:` (this process alone) or `nats://host:port`. What is away at this moment is no error: nothing is
    /// announced until it is there.
    ///
    /// # Errors
    /// If the URL is wrong.
    pub async fn open(url: &Url, _rt: &Runtime) -> Result<Self, OpenError> {
        match url.scheme() {
            "memory" => Ok(Shortcuts {
                backend: Arc::new(memory::Memory::default()),
            }),
            other => Err(OpenError::Url(format!(
                "{other}: carries no shortcuts; memory: and nats://host:port do"
            ))),
        }
    }

    /// Announces a report. Returns at once; nobody may be listening.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn publish(&self, org: &str, shortcut: &Shortcut) -> Result<(), StoreError> {
        self.backend.publish(org, shortcut).await
    }

    /// What is announced of this organisation from now on; goes on by itself after the store was away.
    ///
    /// # Errors
    /// If the store never was there.
    pub async fn subscribe(&self, org: &str) -> Result<ShortcutStream, StoreError> {
        self.backend.subscribe(org).await
    }
}
