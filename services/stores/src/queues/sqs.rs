//! Standard queues of SQS, whose names begin with a prefix.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{Builder, Config};
use aws_sdk_sqs::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, DeleteMessageBatchRequestEntry, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;

use super::{BATCH, Backend, RETENTION, Received, VISIBILITY, is_name};
use crate::address::Address;
use crate::{OpenError, StoreError, aws};

/// SQS's bound on one call.
const CALL_BYTES: usize = 256 << 10;
/// SQS's bound on a name is 80 characters.
const PREFIX_BYTES: usize = 40;
/// Names that are listed in one call: SQS's bound.
const PAGE: i32 = 1000;
/// Pages that are listed at most: more queues are somebody's mistake.
const PAGES: usize = 10;
/// Both mean that there is no such queue.
const MISSING: [&str; 2] = [
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
];

#[derive(Debug)]
pub(super) struct Sqs {
    /// For calls that change nothing, or the same however often they are made.
    reads: Client,
    writes: Client,
    /// With its hyphen.
    prefix: String,
    /// Where queues are, by name.
    urls: Mutex<HashMap<String, String>>,
}

impl Sqs {
    pub(super) async fn open(address: &Address<'_>) -> Result<Self, OpenError> {
        let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let prefix = address
            .host()
            .filter(|_| matches!(address.path(), "" | "/"))
            .filter(|host| host.len() <= PREFIX_BYTES && host.chars().all(known));
        let prefix = prefix.ok_or_else(|| {
            OpenError::Url(format!(
                "sqs: needs a prefix of up to {PREFIX_BYTES} letters, digits and hyphens, as in sqs://weft"
            ))
        })?;
        let config = Builder::from(&aws::config(address).await?);
        let writes = config.clone().retry_config(aws::write_retries());
        Ok(Sqs {
            reads: Client::from_conf(config.build()),
            writes: Client::from_conf(writes.build()),
            prefix: format!("{prefix}-"),
            urls: Mutex::default(),
        })
    }

    fn urls(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a queue is; it is asked for once.
    async fn url(&self, name: &str) -> Result<String, StoreError> {
        if let Some(url) = self.urls().get(name) {
            return Ok(url.clone());
        }
        let full = format!("{}{name}", self.prefix);
        let found = self.reads.get_queue_url().queue_name(full).send().await;
        let found = found.map_err(|error| self.failed(name, &error))?;
        let url = found.queue_url.unwrap_or_default();
        self.urls().insert(name.to_owned(), url.clone());
        Ok(url)
    }

    fn failed<E>(&self, name: &str, error: &SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if error.code().is_some_and(is_missing) {
            self.urls().remove(name);
            return StoreError::NotFound(format!("queue {}{name}", self.prefix));
        }
        aws::classify(error, aws::advice)
    }

    async fn send_some(&self, name: &str, bodies: &[String]) -> Result<(), StoreError> {
        let entry = |(id, body): (usize, &String)| {
            let entry = SendMessageBatchRequestEntry::builder().id(id.to_string());
            entry.message_body(body).build()
        };
        let entries: Result<Vec<_>, _> = bodies.iter().enumerate().map(entry).collect();
        let bytes = bodies.iter().map(String::len).sum();
        let time = Config::builder().timeout_config(aws::timeouts(bytes));
        let request = self.writes.send_message_batch();
        let request = request.queue_url(self.url(name).await?);
        let request = request.set_entries(Some(entries.map_err(|e| unbuilt(&e))?));
        let sent = request.customize().config_override(time).send().await;
        let sent = sent.map_err(|error| self.failed(name, &error))?;
        all_done(sent.failed())
    }
}

fn is_missing(code: &str) -> bool {
    MISSING.contains(&code)
}

fn unbuilt(error: &BuildError) -> StoreError {
    StoreError::Refused(error.to_string())
}

/// Entries of a batch can fail by themselves.
fn all_done(failed: &[BatchResultErrorEntry]) -> Result<(), StoreError> {
    match failed.first() {
        None => Ok(()),
        Some(entry) => {
            let status = if entry.sender_fault() { 400 } else { 500 };
            let message = entry.message().unwrap_or_default();
            Err(aws::by_code(status, entry.code(), message, aws::advice))
        }
    }
}

/// In groups that one call can send.
fn grouped(bodies: &[Bytes]) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut room = 0;
    for body in bodies {
        let text = STANDARD_NO_PAD.encode(body);
        match groups.last_mut() {
            Some(group) if text.len() <= room && group.len() < BATCH => {
                room -= text.len();
                group.push(text);
            }
            _ => {
                room = CALL_BYTES.saturating_sub(text.len());
                groups.push(vec![text]);
            }
        }
    }
    groups
}

#[async_trait::async_trait]
impl Backend for Sqs {
    async fn create(&self, name: &str) -> Result<(), StoreError> {
        let seconds = |time: Duration| time.as_secs().to_string();
        let request = self
            .writes
            .create_queue()
            .queue_name(format!("{}{name}", self.prefix))
            .attributes(
                QueueAttributeName::MessageRetentionPeriod,
                seconds(RETENTION),
            )
            .attributes(QueueAttributeName::VisibilityTimeout, seconds(VISIBILITY))
            .tags("weft", "replica");
        let made = request.send().await;
        let made = made.map_err(|error| self.failed(name, &error))?;
        let url = made.queue_url.unwrap_or_default();
        self.urls().insert(name.to_owned(), url);
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let removed = async {
            let url = self.url(name).await?;
            let removed = self.writes.delete_queue().queue_url(url).send().await;
            removed.map_err(|error| self.failed(name, &error))
        };
        let removed = removed.await;
        self.urls().remove(name);
        match removed {
            Ok(_) | Err(StoreError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn list(&self) -> Result<Vec<String>, StoreError> {
        let (mut names, mut token) = (Vec::new(), None);
        for _ in 0..PAGES {
            let request = self.reads.list_queues().queue_name_prefix(&self.prefix);
            let request = request.max_results(PAGE).set_next_token(token);
            let page = request.send().await;
            let page = page.map_err(|error| aws::classify(&error, aws::advice))?;
            for url in page.queue_urls() {
                let name = url.rsplit('/').next().unwrap_or_default();
                // Others of this prefix are somebody else's.
                let ours = name.strip_prefix(&self.prefix).filter(|name| is_name(name));
                if let Some(name) = ours {
                    self.urls().insert(name.to_owned(), url.clone());
                    names.push(name.to_owned());
                }
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(names)
    }

    async fn send(&self, name: &str, bodies: &[Bytes]) -> Result<(), StoreError> {
        for group in grouped(bodies) {
            self.send_some(name, &group).await?;
        }
        Ok(())
    }

    async fn receive(&self, name: &str, wait: Duration) -> Result<Vec<Received>, StoreError> {
        let seconds = i32::try_from(wait.as_secs()).unwrap_or(i32::MAX);
        let patience = TimeoutConfig::builder()
            .operation_attempt_timeout(wait + aws::ATTEMPT)
            .operation_timeout(wait + aws::ATTEMPT)
            .build();
        let request = self.reads.receive_message();
        let request = request.queue_url(self.url(name).await?);
        let request = request.max_number_of_messages(BATCH as i32);
        let request = request.wait_time_seconds(seconds).customize();
        let time = Config::builder().timeout_config(patience);
        let received = request.config_override(time).send().await;
        let received = received.map_err(|error| self.failed(name, &error))?;
        let messages = received.messages.unwrap_or_default().into_iter();
        let decoded = messages.map(|message| {
            let body = STANDARD_NO_PAD.decode(message.body.unwrap_or_default());
            Received {
                body: body.unwrap_or_default().into(),
                receipt: message.receipt_handle.unwrap_or_default(),
            }
        });
        Ok(decoded.collect())
    }

    async fn delete(&self, name: &str, receipts: &[String]) -> Result<(), StoreError> {
        let entry = |(id, receipt): (usize, &String)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string());
            entry.receipt_handle(receipt).build()
        };
        let entries: Result<Vec<_>, _> = receipts.iter().enumerate().map(entry).collect();
        let request = self.writes.delete_message_batch();
        let request = request.queue_url(self.url(name).await?);
        let request = request.set_entries(Some(entries.map_err(|e| unbuilt(&e))?));
        let deleted = request.send().await;
        let deleted = deleted.map_err(|error| self.failed(name, &error))?;
        all_done(deleted.failed())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let request = self.reads.list_queues().queue_name_prefix(&self.prefix);
        let listed = request.max_results(1).send().await;
        listed.map_err(|error| aws::classify(&error, aws::advice))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::MESSAGE_BYTES;
    use super::*;

    #[test]
    fn what_is_sent_at_once_fits_into_a_call() {
        let sizes = |sizes: &[usize]| -> Vec<usize> {
            let bodies: Vec<Bytes> = sizes.iter().map(|&n| vec![0xff; n].into()).collect();
            let groups = grouped(&bodies);
            for group in &groups {
                let bytes: usize = group.iter().map(String::len).sum();
                assert!(bytes <= CALL_BYTES, "{bytes}");
            }
            groups.iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[MESSAGE_BYTES; 3]), [1, 1, 1]);
        assert_eq!(sizes(&[10; 10]), [10]);
        assert_eq!(sizes(&[90 << 10, 90 << 10, 90 << 10, 1]), [2, 2]);
    }
}
