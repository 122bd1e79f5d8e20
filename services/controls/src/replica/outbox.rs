//! Messages on their way to other replicas: what waits while others are being sent goes together.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use stores::queues::BATCH;
use stores::{Queues, StoreError};
use tokio::sync::oneshot;
use tracing::Instrument;

/// Messages to one replica that may wait.
const WAITING: usize = 1000;

/// Sends messages.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    queues: Queues,
    /// What waits, by receiver. While there is an entry, a task is sending.
    waiting: Arc<Mutex<HashMap<String, VecDeque<Item>>>>,
}

#[derive(Debug)]
struct Item {
    body: Bytes,
    sent: oneshot::Sender<Result<(), StoreError>>,
}

impl Outbox {
    pub(crate) fn new(queues: Queues) -> Self {
        Outbox {
            queues,
            waiting: Arc::default(),
        }
    }

    /// Sends a message. Letting go of this before it is sent takes it back.
    pub(crate) async fn send(&self, to: &str, body: Bytes) -> Result<(), StoreError> {
        let (sent, result) = oneshot::channel();
        self.enqueue(to, Item { body, sent })?;
        let dropped = |_| Err(StoreError::Unavailable("it was not sent".to_owned()));
        result.await.unwrap_or_else(dropped)
    }

    fn enqueue(&self, to: &str, item: Item) -> Result<(), StoreError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(items) = waiting.get_mut(to) {
            if items.len() >= WAITING {
                return Err(StoreError::Throttled("messages queue up".to_owned()));
            }
            items.push_back(item);
            return Ok(());
        }
        waiting.insert(to.to_owned(), VecDeque::from([item]));
        let (outbox, to) = (self.clone(), to.to_owned());
        let task = async move { while outbox.send_some(&to).await {} };
        tokio::spawn(task.instrument(tracing::info_span!("task", name = "sender of messages")));
        Ok(())
    }

    /// Sends what waits, as much as goes at once. Whether there was anything.
    async fn send_some(&self, to: &str) -> bool {
        let items = self.take(to);
        if items.is_empty() {
            return false;
        }
        let bodies: Vec<Bytes> = items.iter().map(|item| item.body.clone()).collect();
        let result = self.queues.send(to, &bodies).await;
        for item in items {
            // Whoever sent it may have gone.
            let _ = item.sent.send(result.clone());
        }
        true
    }

    fn take(&self, to: &str) -> Vec<Item> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut some = Vec::new();
        if let Some(items) = waiting.get_mut(to) {
            while some.len() < BATCH
                && let Some(item) = items.pop_front()
            {
                if !item.sent.is_closed() {
                    some.push(item);
                }
            }
        }
        if some.is_empty() {
            waiting.remove(to);
        }
        some
    }
}
