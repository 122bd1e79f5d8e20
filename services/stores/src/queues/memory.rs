//! Queues within one process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::{BATCH, Backend, RETENTION, Received, VISIBILITY};
use crate::StoreError;

/// Messages that may wait in a queue; more are refused.
const WAITING: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<HashMap<String, Queue>>);

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    next_receipt: u64,
    came: Arc<Notify>,
}

#[derive(Debug)]
struct Message {
    body: Bytes,
    sent: Instant,
    receipt: u64,
    visible: Instant,
}

impl Memory {
    fn with<R>(&self, name: &str, f: impl FnOnce(&mut Queue) -> R) -> Result<R, StoreError> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.get_mut(name);
        let queue = queue.ok_or_else(|| StoreError::NotFound(format!("queue {name}")))?;
        Ok(f(queue))
    }
}

impl Queue {
    fn take(&mut self) -> Vec<Received> {
        let now = Instant::now();
        self.messages
            .retain(|message| now - message.sent < RETENTION);
        let visible = self.messages.iter_mut().filter(|m| m.visible <= now);
        let mut taken = Vec::new();
        for message in visible.take(BATCH) {
            self.next_receipt += 1;
            message.receipt = self.next_receipt;
            message.visible = now + VISIBILITY;
            taken.push(Received {
                body: message.body.clone(),
                receipt: message.receipt.to_string(),
            });
        }
        taken
    }

    /// When a message that was received and not deleted comes again.
    fn again(&self) -> Option<Instant> {
        self.messages.iter().map(|message| message.visible).min()
    }
}

#[async_trait::async_trait]
impl Backend for Memory {
    async fn create(&self, name: &str) -> Result<(), StoreError> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.entry(name.to_owned()).or_default();
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.remove(name) {
            queue.came.notify_waiters();
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<String>, StoreError> {
        let queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(queues.keys().cloned().collect())
    }

    async fn send(&self, name: &str, bodies: &[Bytes]) -> Result<(), StoreError> {
        self.with(name, |queue| {
            if queue.messages.len() + bodies.len() > WAITING {
                return Err(StoreError::Throttled(format!("queue {name} is full")));
            }
            let now = Instant::now();
            queue.messages.extend(bodies.iter().map(|body| Message {
                body: body.clone(),
                sent: now,
                receipt: 0,
                visible: now,
            }));
            queue.came.notify_waiters();
            Ok(())
        })?
    }

    async fn receive(&self, name: &str, wait: Duration) -> Result<Vec<Received>, StoreError> {
        let until = Instant::now() + wait;
        loop {
            let came = self.with(name, |queue| Arc::clone(&queue.came))?;
            let mut came = std::pin::pin!(came.notified());
            // What comes between looking and waiting is noticed.
            came.as_mut().enable();
            let (taken, again) = self.with(name, |queue| (queue.take(), queue.again()))?;
            if !taken.is_empty() || Instant::now() >= until {
                return Ok(taken);
            }
            let next = again.map_or(until, |again| again.min(until));
            // Then it is looked again, whether something came or not.
            let _ = timeout_at(next, came).await;
        }
    }

    async fn delete(&self, name: &str, receipts: &[String]) -> Result<(), StoreError> {
        self.with(name, |queue| {
            let deleted = |message: &Message| receipts.contains(&message.receipt.to_string());
            queue.messages.retain(|message| !deleted(message));
        })
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
