//! Objects by key.

mod file;
mod memory;
mod s3;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use runtime::Runtime;
use url::Url;

use crate::address::Address;
use crate::calls::Calls;
use crate::{OpenError, StoreError, aws};

/// How many objects a call of `list` gives at most.
const PAGE: usize = 1000;

/// An object's key and size in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
}

/// Objects by key. Keys are `[A-Za-z0-9._/-]`, at most 512 bytes, of parts of 1 to 255 bytes that are not `.` or `..`; no
/// key is another one's folder.
///
/// A process opens its objects once and clones them: metrics and, in memory, what is stored belong to what was opened.
#[derive(Debug, Clone)]
pub struct Objects {
    backend: Arc<dyn Backend>,
    calls: Calls,
}

#[async_trait::async_trait]
trait Backend: std::fmt::Debug + Send + Sync {
    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError>;
    async fn get(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError>;
    async fn list(&self, prefix: &str, after: &str) -> Result<Vec<ObjectInfo>, StoreError>;
    async fn delete(&self, keys: &[String]) -> Result<(), StoreError>;
    /// Whether it answers, found out as cheaply as possible.
    async fn probe(&self) -> Result<(), StoreError>;
}

impl Objects {
    /// Opens `memory:`, `file:///directory` or `s3://bucket/prefix?endpoint=…&region=…&credentials=/file`. What is away at
    /// this moment is no error: calls fail until it is there.
    ///
    /// # Errors
    /// If the URL is wrong, a directory cannot be made, or objects are open already.
    pub async fn open(url: &Url, rt: &Runtime) -> Result<Self, OpenError> {
        let backend: Arc<dyn Backend> = match url.scheme() {
            "memory" => {
                Address::parse(url, &[])?;
                Arc::new(memory::Memory::default())
            }
            "file" => {
                let root = Address::parse(url, &[])?.file_path()?;
                Arc::new(file::Files::open(root).await?)
            }
            "s3" => {
                let address = Address::parse(url, &aws::PARAMETERS)?;
                Arc::new(s3::S3::open(&address).await?)
            }
            other => {
                return Err(OpenError::Url(format!(
                    "{other}: is no store of objects; file:///directory and s3://bucket are"
                )));
            }
        };
        let calls = Calls::register("objects", rt)?;
        let probed = Arc::clone(&backend);
        calls.probe(rt, move || {
            let backend = Arc::clone(&probed);
            async move { backend.probe().await }
        });
        Ok(Objects { backend, calls })
    }

    /// Writes an object, whole or not at all; one of that key is replaced. It is durable when this returns.
    ///
    /// # Errors
    /// As the store says.
    pub async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        check_key(key)?;
        self.calls.write("put", self.backend.put(key, body)).await
    }

    /// Reads a part of an object: exactly the range, or an error.
    ///
    /// # Errors
    /// As the store says; [`StoreError::NotFound`] also when the object is shorter.
    pub async fn get(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        check_key(key)?;
        if range.start > range.end {
            return Err(StoreError::Refused(format!("{range:?} is no range")));
        }
        self.calls.read("get", self.backend.get(key, range)).await
    }

    /// Up to 1,000 objects whose keys begin so, after this one, in the order of their keys' bytes.
    ///
    /// # Errors
    /// As the store says.
    pub async fn list(&self, prefix: &str, after: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        check_characters(prefix)?;
        check_characters(after)?;
        self.calls
            .read("list", self.backend.list(prefix, after))
            .await
    }

    /// Deletes objects; those that are not there count as deleted.
    ///
    /// # Errors
    /// As the store says; some may be deleted then.
    pub async fn delete(&self, keys: &[String]) -> Result<(), StoreError> {
        keys.iter().try_for_each(|key| check_key(key))?;
        if keys.is_empty() {
            return Ok(());
        }
        self.calls.write("delete", self.backend.delete(keys)).await
    }
}

fn check_key(key: &str) -> Result<(), StoreError> {
    check_characters(key)?;
    let wrong = |part: &str| matches!(part.len(), 0 | 256..) || part == "." || part == "..";
    if key.split('/').any(wrong) {
        return Err(no_key(key));
    }
    Ok(())
}

fn check_characters(key: &str) -> Result<(), StoreError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._/-".contains(&b);
    if key.len() > 512 || !key.bytes().all(allowed) {
        return Err(no_key(key));
    }
    Ok(())
}

fn no_key(key: &str) -> StoreError {
    StoreError::Refused(format!("{key:?} is no key of an object"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_inside() {
        for key in ["a", "a/b.c", "a-b/_/0", "...", "a/.b"] {
            assert!(check_key(key).is_ok(), "{key}");
        }
        let long = "a/".repeat(257);
        let part = "a".repeat(256);
        for key in [
            "", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a b", "a~b", "a\\b", "ä", "a\0",
            &long, &part,
        ] {
            assert!(check_key(key).is_err(), "{key}");
        }
    }
}
