//! Announcements of reports that came out of turn.

mod memory;
mod nats;

use std::pin::Pin;
use std::sync::Arc;

use runtime::Runtime;
use tokio_stream::Stream;
use url::Url;

use crate::address::Address;
use crate::calls::Calls;
use crate::{OpenError, StoreError};

/// Announcements that a listener may lag behind before it misses some.
const LAG: usize = 64;

/// "This report came."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortcut {
    /// The replica of collection that has it.
    pub replica: String,
    /// Its number among the organisation's reports there.
    pub sequence: u64,
}

/// Announcements, by organisation. They are hints: one may be lost, none is late by much.
///
/// A process opens its shortcuts once and clones them: metrics and, in memory, who listens belong to what was opened.
#[derive(Debug, Clone)]
pub struct Shortcuts {
    backend: Arc<dyn Backend>,
    calls: Calls,
}

/// An organisation's announcements, for as long as it is held.
pub type ShortcutStream = Pin<Box<dyn Stream<Item = Shortcut> + Send>>;

#[async_trait::async_trait]
trait Backend: std::fmt::Debug + Send + Sync {
    async fn publish(&self, org: &str, shortcut: &Shortcut) -> Result<(), StoreError>;
    async fn subscribe(&self, org: &str) -> Result<ShortcutStream, StoreError>;
    /// Whether it is connected.
    async fn probe(&self) -> Result<(), StoreError>;
}

impl Shortcuts {
    /// Opens `memory:` (this process alone) or `nats://host:port?credentials=/file`. What is away at this moment is no error: nothing is
    /// announced until it is there.
    ///
    /// # Errors
    /// If the URL is wrong, or shortcuts are open already.
    pub async fn open(url: &Url, rt: &Runtime) -> Result<Self, OpenError> {
        let backend: Arc<dyn Backend> = match url.scheme() {
            "memory" => {
                Address::parse(url, &[])?;
                Arc::new(memory::Memory::default())
            }
            "nats" => {
                let address = Address::parse(url, &nats::PARAMETERS)?;
                Arc::new(nats::Nats::open(&address, rt).await?)
            }
            other => {
                return Err(OpenError::Url(format!(
                    "{other}: carries no shortcuts; memory: and nats://host:port do"
                )));
            }
        };
        let calls = Calls::register("shortcuts", rt)?;
        let probed = Arc::clone(&backend);
        calls.probe(rt, move || {
            let backend = Arc::clone(&probed);
            async move { backend.probe().await }
        });
        Ok(Shortcuts { backend, calls })
    }

    /// Announces a report. Returns at once; nobody may be listening.
    ///
    /// # Errors
    /// If the store is away.
    pub async fn publish(&self, org: &str, shortcut: &Shortcut) -> Result<(), StoreError> {
        self.calls
            .write("publish", self.backend.publish(org, shortcut))
            .await
    }

    /// What is announced of this organisation from now on; goes on by itself after the store was away.
    ///
    /// # Errors
    /// If the store never was there.
    pub async fn subscribe(&self, org: &str) -> Result<ShortcutStream, StoreError> {
        self.calls
            .read("subscribe", self.backend.subscribe(org))
            .await
    }
}
