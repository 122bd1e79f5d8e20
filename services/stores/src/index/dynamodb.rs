//! An index in a table of DynamoDB.
//!
//! | `hour`, the partition | `entry`, the sort key | |
//! |---|---|---|
//! | `<org in hex>#<hour>` | `<first, 19 digits>#<name>` | an entry: `last`, `payload` |
//! | `hours` | `<hour, 10 digits>#<org in hex>` | there are entries in this partition |
//!
//! The second kind is written before the first entry of an hour and deleted after the last, so no entry is forgotten.
//! Nothing is written conditionally: what is written twice is the same, and a condition costs as much as a write.

mod table;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::config::{Builder, Config};
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Backend, Hour, IndexEntry};
use crate::address::Address;
use crate::{OpenError, StoreError, aws};
use table::Table;

const HOUR: &str = "hour";
const ENTRY: &str = "entry";
const LAST: &str = "last";
const PAYLOAD: &str = "payload";
/// The partition of hours; no other can have this name.
const HOURS: &str = "hours";

/// DynamoDB's bound.
const BATCH: usize = 25;
const BATCHES_AT_ONCE: usize = 4;
/// How often what DynamoDB left of a batch is sent again, after so long and twice as long each time.
const LEFTOVER_TRIES: u32 = 6;
const LEFTOVER_WAIT: Duration = Duration::from_millis(50);
/// Hours that are remembered as registered.
const REGISTERED: usize = 100_000;

type Item = HashMap<String, AttributeValue>;

#[derive(Debug)]
pub(super) struct DynamoDb {
    table: Table,
    /// What this process has registered, by sort key.
    registered: Mutex<HashSet<String>>,
}

impl DynamoDb {
    pub(super) async fn open(address: &Address<'_>) -> Result<Self, OpenError> {
        let name = address
            .host()
            .filter(|_| matches!(address.path(), "" | "/"))
            .ok_or_else(|| {
                OpenError::Url("dynamodb: needs a table, as in dynamodb://table".to_owned())
            })?;
        let config = Builder::from(&aws::config(address).await?);
        let table = Table::new(name, address.flag("create")?, config);
        Ok(DynamoDb {
            table,
            registered: Mutex::default(),
        })
    }

    fn failed<E>(&self, error: &SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if error.code() == Some(table::MISSING) {
            self.registered().clear();
        }
        self.table.failed(error)
    }

    fn registered(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn register(&self, entries: &[IndexEntry]) -> Result<(), StoreError> {
        let mut hours: HashSet<String> = entries
            .iter()
            .map(|entry| registration(entry.hour(), &entry.org))
            .collect();
        hours.retain(|hour| !self.registered().contains(hour));
        let requests = hours.iter().map(|hour| write(item(HOURS, hour)));
        self.write(requests.collect::<Result<_, _>>()?).await?;
        let mut registered = self.registered();
        if registered.len() > REGISTERED {
            registered.clear();
        }
        registered.extend(hours);
        Ok(())
    }

    async fn write(&self, requests: Vec<WriteRequest>) -> Result<(), StoreError> {
        stream::iter(requests.chunks(BATCH))
            .map(Ok)
            .try_for_each_concurrent(BATCHES_AT_ONCE, |batch| self.write_batch(batch.to_vec()))
            .await
    }

    async fn write_batch(&self, mut requests: Vec<WriteRequest>) -> Result<(), StoreError> {
        let Table { name, writes, .. } = &self.table;
        for tries in 0..LEFTOVER_TRIES {
            let bytes = requests.iter().map(payload_bytes).sum();
            let time = Config::builder().timeout_config(aws::timeouts(bytes));
            let request = writes.batch_write_item().request_items(name, requests);
            let done = request.customize().config_override(time).send().await;
            let done = done.map_err(|error| self.failed(&error))?;
            let left = done.unprocessed_items.and_then(|mut i| i.remove(name));
            requests = left.unwrap_or_default();
            if requests.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(LEFTOVER_WAIT * 2_u32.pow(tries)).await;
        }
        let left = requests.len();
        Err(StoreError::Throttled(format!(
            "{left} of a batch of {BATCH} were not taken"
        )))
    }

    /// Everything that a query finds, page by page, up to a number.
    async fn pages(&self, query: QueryFluentBuilder, most: usize) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let page = query.clone().set_exclusive_start_key(start);
            let page = page.send().await.map_err(|error| self.failed(&error))?;
            found.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
    }

    /// Of one partition, in order, with what was written before.
    fn query(&self, partition: &str, condition: &str) -> QueryFluentBuilder {
        let query = self.table.reads.query().table_name(&self.table.name);
        query
            .consistent_read(true)
            .key_condition_expression(format!("#hour = :hour{condition}"))
            .expression_attribute_names("#hour", HOUR)
            .expression_attribute_values(":hour", text(partition))
    }
}

#[async_trait::async_trait]
impl Backend for DynamoDb {
    async fn put(&self, entries: &[IndexEntry]) -> Result<(), StoreError> {
        self.table.ensure().await?;
        self.register(entries).await?;
        // A batch with one key twice is refused.
        let mut items = BTreeMap::new();
        for entry in entries {
            let partition = partition(&entry.org, entry.hour());
            let sort = format!("{}#{}", digits(entry.first), entry.name);
            let mut item = item(&partition, &sort);
            item.insert(LAST.into(), AttributeValue::N(entry.last.to_string()));
            let payload = Blob::new(entry.payload.to_vec());
            item.insert(PAYLOAD.into(), AttributeValue::B(payload));
            items.insert((partition, sort), item);
        }
        let requests = items.into_values().map(write).collect::<Result<_, _>>()?;
        self.write(requests).await
    }

    async fn hour(
        &self,
        org: &str,
        hour: Hour,
        from: i64,
        until: i64,
    ) -> Result<Vec<IndexEntry>, StoreError> {
        self.table.ensure().await?;
        // Between is inclusive, but every key goes on after its digits.
        let query = self
            .query(
                &partition(org, hour),
                " AND #entry BETWEEN :from AND :until",
            )
            .expression_attribute_names("#entry", ENTRY)
            .expression_attribute_values(":from", text(&digits(from)))
            .expression_attribute_values(":until", text(&digits(until)));
        let items = self.pages(query, usize::MAX).await?;
        items.iter().map(|item| entry(org, item)).collect()
    }

    async fn hours(&self, before: Hour, most: usize) -> Result<Vec<(Hour, String)>, StoreError> {
        self.table.ensure().await?;
        let query = self
            .query(HOURS, " AND #entry < :before")
            .expression_attribute_names("#entry", ENTRY)
            .expression_attribute_values(":before", text(&format!("{:010}", before.max(0))))
            .limit(i32::try_from(most.min(1000)).unwrap_or(1000));
        let items = self.pages(query, most).await?;
        items
            .iter()
            .map(|item| registered(item).ok_or_else(foreign))
            .collect()
    }

    async fn delete_hour(&self, org: &str, hour: Hour) -> Result<(), StoreError> {
        self.table.ensure().await?;
        let query = self
            .query(&partition(org, hour), "")
            .projection_expression("#hour, #entry")
            .expression_attribute_names("#entry", ENTRY);
        let keys = self.pages(query, usize::MAX).await?;
        let requests = keys.into_iter().map(remove).collect::<Result<_, _>>()?;
        self.write(requests).await?;
        let registration = registration(hour, org);
        self.registered().remove(&registration);
        self.write(vec![remove(item(HOURS, &registration))?]).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.table.ensure().await?;
        let query = self.query(HOURS, "").limit(1);
        self.pages(query, 1).await.map(drop)
    }
}

fn partition(org: &str, hour: Hour) -> String {
    format!("{}#{hour}", hex(org))
}

/// So many digits that text sorts as numbers do.
fn digits(nanos: i64) -> String {
    format!("{:019}", nanos.max(0))
}

fn registration(hour: Hour, org: &str) -> String {
    format!("{hour:010}#{}", hex(org))
}

fn registered(item: &Item) -> Option<(Hour, String)> {
    let (hour, org) = item.get(ENTRY)?.as_s().ok()?.split_once('#')?;
    Some((hour.parse().ok()?, from_hex(org)?))
}

fn entry(org: &str, item: &Item) -> Result<IndexEntry, StoreError> {
    let read = || {
        let (first, name) = item.get(ENTRY)?.as_s().ok()?.split_once('#')?;
        Some(IndexEntry {
            org: org.to_owned(),
            first: first.parse().ok()?,
            last: item.get(LAST)?.as_n().ok()?.parse().ok()?,
            name: name.to_owned(),
            payload: Bytes::copy_from_slice(item.get(PAYLOAD)?.as_b().ok()?.as_ref()),
        })
    };
    read().ok_or_else(foreign)
}

fn foreign() -> StoreError {
    StoreError::Refused("the table holds items that Weft did not write".to_owned())
}

fn item(partition: &str, sort: &str) -> Item {
    let key = [(HOUR, partition), (ENTRY, sort)];
    key.map(|(name, value)| (name.to_owned(), text(value)))
        .into()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn write(item: Item) -> Result<WriteRequest, StoreError> {
    let put = PutRequest::builder().set_item(Some(item)).build();
    Ok(WriteRequest::builder()
        .put_request(put.map_err(no_request)?)
        .build())
}

fn remove(key: Item) -> Result<WriteRequest, StoreError> {
    let delete = DeleteRequest::builder().set_key(Some(key)).build();
    Ok(WriteRequest::builder()
        .delete_request(delete.map_err(no_request)?)
        .build())
}

fn no_request(error: BuildError) -> StoreError {
    StoreError::Refused(error.to_string())
}

fn payload_bytes(request: &WriteRequest) -> usize {
    let payload = request.put_request().and_then(|put| put.item.get(PAYLOAD));
    let blob = payload.and_then(|payload| payload.as_b().ok());
    blob.map_or(0, |blob| blob.as_ref().len())
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<String> {
    let bytes = (0..text.len()).step_by(2).map(|at| {
        let digits = text.get(at..at + 2)?;
        u8::from_str_radix(digits, 16).ok()
    });
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()
}
