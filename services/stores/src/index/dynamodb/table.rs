//! The table: whether it is there, and making it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
};
use tokio::sync::Mutex;

use super::{ENTRY, HOUR, no_request};
use crate::{StoreError, aws};

/// DynamoDB's word for a table that is not there, or not yet.
pub(super) const MISSING: &str = "ResourceNotFoundException";
const EXISTS: &str = "ResourceInUseException";

/// How often a table that is being made is looked at.
const POLL: Duration = Duration::from_millis(200);
const POLLS: usize = 50;

pub(super) struct Table {
    pub(super) name: String,
    pub(super) reads: Client,
    pub(super) writes: Client,
    create: bool,
    /// Known to be there.
    there: AtomicBool,
    making: Mutex<()>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({})", self.name)
    }
}

impl Table {
    pub(super) fn new(name: &str, create: bool, config: Builder) -> Self {
        let writes = config.clone().retry_config(aws::write_retries());
        Table {
            name: name.to_owned(),
            reads: Client::from_conf(config.build()),
            writes: Client::from_conf(writes.build()),
            create,
            there: AtomicBool::new(!create),
            making: Mutex::default(),
        }
    }

    pub(super) fn failed<E>(&self, error: &SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        // It was deleted since, or was in a server's memory.
        if self.create && error.code() == Some(MISSING) {
            self.there.store(false, Ordering::Relaxed);
        }
        aws::classify(error, |code| match code {
            MISSING if self.create => Some(format!("the table {} has gone", self.name)),
            MISSING => Some(format!(
                "create the table {}, or add create=true to the URL",
                self.name
            )),
            code => aws::advice(code),
        })
    }

    /// Makes the table if that was asked for, and waits until it can be used.
    pub(super) async fn ensure(&self) -> Result<(), StoreError> {
        if self.there.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _one_at_a_time = self.making.lock().await;
        for _ in 0..POLLS {
            if self.there.load(Ordering::Relaxed) {
                return Ok(());
            }
            match self.status().await? {
                Some(TableStatus::Active | TableStatus::Updating) => {
                    self.there.store(true, Ordering::Relaxed);
                }
                Some(_) => tokio::time::sleep(POLL).await,
                None => self.make().await?,
            }
        }
        let name = &self.name;
        Err(StoreError::Unavailable(format!(
            "the table {name} is being made"
        )))
    }

    async fn status(&self) -> Result<Option<TableStatus>, StoreError> {
        let about = self.reads.describe_table().table_name(&self.name);
        match about.send().await {
            Ok(about) => Ok(about.table.and_then(|table| table.table_status)),
            Err(error) if error.code() == Some(MISSING) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn make(&self) -> Result<(), StoreError> {
        let mut request = self.writes.create_table().table_name(&self.name);
        for (name, kind) in [(HOUR, KeyType::Hash), (ENTRY, KeyType::Range)] {
            let (attribute, key) = column(name, kind).map_err(no_request)?;
            request = request.attribute_definitions(attribute).key_schema(key);
        }
        let made = request.billing_mode(BillingMode::PayPerRequest).send();
        match made.await {
            Ok(_) => tracing::info!(table = self.name, "made the table"),
            // By another process at the same time.
            Err(error) if error.code() == Some(EXISTS) => {}
            Err(error) => return Err(self.failed(&error)),
        }
        Ok(())
    }
}

fn column(
    name: &str,
    kind: KeyType,
) -> Result<(AttributeDefinition, KeySchemaElement), BuildError> {
    let attribute = AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()?;
    let key = KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()?;
    Ok((attribute, key))
}
