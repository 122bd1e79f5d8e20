//! Queues between replicas of one service.

mod memory;
mod sqs;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use runtime::Runtime;
use url::Url;

use crate::address::Address;
use crate::calls::Calls;
use crate::{OpenError, StoreError};

/// The largest message, in bytes: what base64 makes of it must fit into one of SQS (256 KiB).
pub const MESSAGE_BYTES: usize = 190 << 10;
/// Messages that are sent, received and deleted in one call: SQS's bound.
pub const BATCH: usize = 10;
/// How long a message that nobody receives is kept: the shortest that SQS offers.
pub const RETENTION: Duration = Duration::from_secs(60);
/// How long a message that was received and not deleted is withheld before it is delivered again.
const VISIBILITY: Duration = Duration::from_secs(30);
/// How long a name may be.
const NAME_BYTES: usize = 32;

/// A message that was received. It comes again unless it is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What was sent; nothing if it was put there by somebody else and makes no sense.
    pub body: Bytes,
    /// What deletes it.
    pub receipt: String,
}

/// Queues by name, in which messages are neither in order nor delivered only once.
///
/// A process opens its queues once and clones them: metrics and, in memory, the queues belong to what was opened.
#[derive(Debug, Clone)]
pub struct Queues {
    backend: Arc<dyn Backend>,
    calls: Calls,
}

#[async_trait::async_trait]
trait Backend: std::fmt::Debug + Send + Sync {
    async fn create(&self, name: &str) -> Result<(), StoreError>;
    async fn remove(&self, name: &str) -> Result<(), StoreError>;
    async fn list(&self) -> Result<Vec<String>, StoreError>;
    async fn send(&self, name: &str, bodies: &[Bytes]) -> Result<(), StoreError>;
    async fn receive(&self, name: &str, wait: Duration) -> Result<Vec<Received>, StoreError>;
    async fn delete(&self, name: &str, receipts: &[String]) -> Result<(), StoreError>;
    /// Whether it answers.
    async fn probe(&self) -> Result<(), StoreError>;
}

impl Queues {
    /// Opens `memory:` (this process alone) or `sqs://prefix?endpoint=URL&region=NAME&credentials=/file`. Names of queues
    /// begin with the prefix and a hyphen. What is away at this moment is no error.
    ///
    /// # Errors
    /// If the URL is wrong, or queues are open already.
    pub async fn open(url: &Url, rt: &Runtime) -> Result<Self, OpenError> {
        let backend: Arc<dyn Backend> = match url.scheme() {
            "memory" => {
                Address::parse(url, &[])?;
                Arc::new(memory::Memory::default())
            }
            "sqs" => {
                let address = Address::parse(url, &crate::aws::PARAMETERS)?;
                Arc::new(sqs::Sqs::open(&address).await?)
            }
            other => {
                return Err(OpenError::Url(format!(
                    "{other}: has no queues; memory: and sqs://prefix do"
                )));
            }
        };
        let calls = Calls::register("queues", rt)?;
        let probed = Arc::clone(&backend);
        calls.probe(rt, move || {
            let backend = Arc::clone(&probed);
            async move { backend.probe().await }
        });
        Ok(Queues { backend, calls })
    }

    /// Makes a queue of this name, 1 to 32 characters of `[a-z0-9]`, unless there is one.
    ///
    /// # Errors
    /// If the store is away or refuses.
    pub async fn create(&self, name: &str) -> Result<(), StoreError> {
        check(name)?;
        self.calls.write("create", self.backend.create(name)).await
    }

    /// Deletes a queue and what is in it; one that is not there is no error.
    ///
    /// # Errors
    /// If the store is away or refuses.
    pub async fn remove(&self, name: &str) -> Result<(), StoreError> {
        check(name)?;
        self.calls.write("remove", self.backend.remove(name)).await
    }

    /// The names of all queues. One that was made or deleted within the last minute may be missing, or still be there.
    ///
    /// # Errors
    /// If the store is away or refuses.
    pub async fn list(&self) -> Result<Vec<String>, StoreError> {
        self.calls.read("list", self.backend.list()).await
    }

    /// Sends up to [`BATCH`] messages of 1 to [`MESSAGE_BYTES`] bytes. After an error each of them may be in the queue.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue; if the store is away or refuses.
    pub async fn send(&self, name: &str, bodies: &[Bytes]) -> Result<(), StoreError> {
        check(name)?;
        let sized = |body: &Bytes| (1..=MESSAGE_BYTES).contains(&body.len());
        if bodies.is_empty() || bodies.len() > BATCH || !bodies.iter().all(sized) {
            return Err(StoreError::Refused(format!(
                "1 to {BATCH} messages of 1 to {MESSAGE_BYTES} bytes can be sent at once"
            )));
        }
        let sent = self.backend.send(name, bodies);
        self.calls.write("send", sent).await
    }

    /// Up to [`BATCH`] messages: at once if there are any, else when one comes, or none after waiting in vain for up to 20 s.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue; if the store is away or refuses.
    pub async fn receive(&self, name: &str, wait: Duration) -> Result<Vec<Received>, StoreError> {
        check(name)?;
        let wait = wait.min(Duration::from_secs(20));
        self.calls
            .read("receive", self.backend.receive(name, wait))
            .await
    }

    /// Deletes up to [`BATCH`] messages that were received; those that are gone already are no error.
    ///
    /// # Errors
    /// If the store is away or refuses. What was not deleted is received again.
    pub async fn delete(&self, name: &str, received: &[Received]) -> Result<(), StoreError> {
        check(name)?;
        let receipts = received.iter().map(|message| message.receipt.clone());
        let receipts: Vec<String> = receipts.take(BATCH).collect();
        if receipts.is_empty() {
            return Ok(());
        }
        self.calls
            .write("delete", self.backend.delete(name, &receipts))
            .await
    }
}

/// Names become parts of names in a store that others use too.
fn check(name: &str) -> Result<(), StoreError> {
    if is_name(name) {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "a queue's name has 1 to {NAME_BYTES} characters of [a-z0-9]"
    )))
}

fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(known)
}
