//! Objects in a bucket of S3, or of a server that speaks its protocol.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Config, RequestChecksumCalculation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::{Backend, ObjectInfo, PAGE, check_key};
use crate::address::Address;
use crate::{OpenError, StoreError, aws};

/// No object is larger. Servers differ in what they make of larger numbers.
const MOST_BYTES: u64 = 1 << 50;
/// Deletions at a time where a server has no batches.
const DELETES_AT_ONCE: usize = 16;

pub(super) struct S3 {
    reads: Client,
    writes: Client,
    bucket: String,
    /// Empty or with a slash at its end.
    prefix: String,
    /// The server has no DeleteObjects.
    no_batches: AtomicBool,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S3({}/{})", self.bucket, self.prefix)
    }
}

impl S3 {
    pub(super) async fn open(address: &Address<'_>) -> Result<Self, OpenError> {
        let bucket = address.host().ok_or_else(|| {
            OpenError::Url("s3: needs a bucket, as in s3://bucket/prefix".to_owned())
        })?;
        let prefix = address.path().trim_matches('/');
        let prefix = match check_key(prefix) {
            _ if prefix.is_empty() => String::new(),
            Ok(()) => format!("{prefix}/"),
            Err(_) => {
                let refusal = "s3: the prefix is of A-Z, a-z, 0-9, '.', '_', '-' and '/'";
                return Err(OpenError::Url(refusal.to_owned()));
            }
        };
        let mut config = Builder::from(&aws::config(address).await?);
        if address.endpoint()?.is_some() {
            // Such servers seldom have a name per bucket, and some know no checksums but in MD5.
            config = config
                .force_path_style(true)
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        }
        let writes = config.clone().retry_config(aws::write_retries());
        Ok(S3 {
            reads: Client::from_conf(config.build()),
            writes: Client::from_conf(writes.build()),
            bucket: bucket.to_owned(),
            prefix,
            no_batches: AtomicBool::new(false),
        })
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn failed<E>(&self, key: &str, error: &SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        match (error.code(), status) {
            (Some("NoSuchKey" | "InvalidRange" | "NotFound"), _) | (None, Some(404 | 416)) => {
                StoreError::NotFound(key.to_owned())
            }
            _ => aws::classify(error, |code| self.advice(code)),
        }
    }

    fn advice(&self, code: &str) -> Option<String> {
        match code {
            "NoSuchBucket" => Some(format!("create the bucket {}", self.bucket)),
            code => aws::advice(code),
        }
    }

    async fn length(&self, key: &str) -> Result<u64, StoreError> {
        let head = self.reads.head_object().bucket(&self.bucket);
        let head = head.key(self.key(key)).send().await;
        let head = head.map_err(|error| self.failed(key, &error))?;
        let length = head.content_length().unwrap_or_default();
        Ok(u64::try_from(length).unwrap_or_default())
    }

    async fn delete_batch(&self, keys: &[String]) -> Result<(), StoreError> {
        let ids = keys
            .iter()
            .map(|key| ObjectIdentifier::builder().key(self.key(key)).build());
        let ids = ids.collect::<Result<_, _>>().map_err(no_request)?;
        let batch = Delete::builder().set_objects(Some(ids)).quiet(true);
        let request = self.writes.delete_objects().bucket(&self.bucket);
        let request = request.delete(batch.build().map_err(no_request)?);
        let done = match request.send().await {
            Err(error) if lacks_batches(&error) => {
                tracing::info!("this server deletes objects one by one");
                self.no_batches.store(true, Ordering::Relaxed);
                return self.delete_each(keys).await;
            }
            done => done.map_err(|error| self.failed("", &error))?,
        };
        let error = done.errors().iter().find(|e| e.code() != Some("NoSuchKey"));
        error.map_or(Ok(()), |error| {
            let (code, message) = (error.code().unwrap_or_default(), error.message());
            let message = message.unwrap_or_default();
            Err(aws::by_code(200, code, message, |code| self.advice(code)))
        })
    }

    async fn delete_each(&self, keys: &[String]) -> Result<(), StoreError> {
        stream::iter(keys)
            .map(Ok)
            .try_for_each_concurrent(DELETES_AT_ONCE, async |key| {
                let delete = self.writes.delete_object().bucket(&self.bucket);
                let deleted = delete.key(self.key(key)).send().await;
                match deleted.map_err(|error| self.failed(key, &error)) {
                    Ok(_) | Err(StoreError::NotFound(_)) => Ok(()),
                    Err(error) => Err(error),
                }
            })
            .await
    }
}

#[async_trait::async_trait]
impl Backend for S3 {
    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        let time = Config::builder().timeout_config(aws::timeouts(body.len()));
        let put = self.writes.put_object().bucket(&self.bucket);
        let put = put.key(self.key(key)).body(ByteStream::from(body));
        let put = put.customize().config_override(time).send().await;
        put.map(drop).map_err(|error| self.failed(key, &error))
    }

    async fn get(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let missing = || StoreError::NotFound(key.to_owned());
        if range.end > MOST_BYTES {
            return Err(missing());
        }
        // HTTP has no empty ranges.
        if range.is_empty() {
            let there = range.end <= self.length(key).await?;
            return there.then(Bytes::new).ok_or_else(missing);
        }
        let bytes = usize::try_from(range.end - range.start).map_err(|_| missing())?;
        let get = self.reads.get_object().bucket(&self.bucket);
        let range = format!("bytes={}-{}", range.start, range.end - 1);
        let got = get.key(self.key(key)).range(range).send().await;
        let got = got.map_err(|error| self.failed(key, &error))?;
        let body = timeout(aws::ATTEMPT + aws::time_for(bytes), read(got, bytes)).await;
        let late = |_| StoreError::Unavailable("the body did not come in time".to_owned());
        body.map_err(late)??.ok_or_else(missing)
    }

    async fn list(&self, prefix: &str, after: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let list = self.reads.list_objects_v2().bucket(&self.bucket);
            let list = list
                .prefix(self.key(prefix))
                .set_start_after((!after.is_empty()).then(|| self.key(after)))
                .set_continuation_token(token)
                .max_keys(PAGE as i32);
            let page = list.send().await.map_err(|error| self.failed("", &error))?;
            for object in page.contents() {
                let key = object.key().and_then(|key| key.strip_prefix(&self.prefix));
                // Others may have put there what is no key of ours.
                if let Some(key) = key.filter(|key| check_key(key).is_ok()) {
                    let bytes = object.size().and_then(|size| u64::try_from(size).ok());
                    found.push(ObjectInfo {
                        key: key.to_owned(),
                        bytes: bytes.unwrap_or_default(),
                    });
                }
            }
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() || found.len() >= PAGE {
                found.truncate(PAGE);
                return Ok(found);
            }
        }
    }

    async fn delete(&self, keys: &[String]) -> Result<(), StoreError> {
        for keys in keys.chunks(PAGE) {
            if self.no_batches.load(Ordering::Relaxed) {
                self.delete_each(keys).await?;
            } else {
                self.delete_batch(keys).await?;
            }
        }
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let list = self.reads.list_objects_v2().bucket(&self.bucket);
        let listed = list.prefix(&self.prefix).max_keys(1).send().await;
        listed.map(drop).map_err(|error| self.failed("", &error))
    }
}

/// The body, or nothing if it is shorter.
async fn read(got: GetObjectOutput, bytes: usize) -> Result<Option<Bytes>, StoreError> {
    let broken = |error: &dyn std::error::Error| StoreError::Unavailable(error.to_string());
    let mut stream = got.body;
    let mut body = BytesMut::with_capacity(bytes);
    while let Some(part) = stream.try_next().await.map_err(|error| broken(&error))? {
        if body.len() + part.len() > bytes {
            let refusal = "the server sends more than the range that was asked for";
            return Err(StoreError::Refused(refusal.to_owned()));
        }
        body.extend_from_slice(&part);
    }
    Ok((body.len() == bytes).then(|| body.freeze()))
}

fn lacks_batches<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let status = error.raw_response().map(|raw| raw.status().as_u16());
    let lacks = ["NotImplemented", "MethodNotAllowed", "MissingContentMD5"];
    matches!(status, Some(405 | 501)) || error.code().is_some_and(|code| lacks.contains(&code))
}

fn no_request(error: aws_sdk_s3::error::BuildError) -> StoreError {
    StoreError::Refused(error.to_string())
}
