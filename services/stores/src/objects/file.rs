//! Objects as files in a directory, for one machine.
//!
//! An object is written beside the others in `~writing`, which no key can name, and renamed into its place when it is on
//! the disk; so a reader sees all of it or nothing, and a crash leaves nothing but a file in `~writing`.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::{Backend, ObjectInfo, PAGE};
use crate::{OpenError, StoreError};

const WRITING: &str = "~writing";
/// What was being written so long ago never will be.
const ABANDONED: Duration = Duration::from_secs(3600);
/// A directory may be removed, being empty, between its making and the renaming into it.
const TRIES: usize = 5;

#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    pub(super) async fn open(root: PathBuf) -> Result<Self, OpenError> {
        let at = root.clone();
        let made = blocking(move || {
            make_directory(&at.join(WRITING))?;
            remove_abandoned(&at.join(WRITING))
        });
        match made.await {
            Ok(()) => Ok(Files { root }),
            Err(error) => Err(OpenError::Io(root.display().to_string(), error)),
        }
    }
}

#[async_trait::async_trait]
impl Backend for Files {
    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        let (root, path) = (self.root.clone(), self.root.join(key));
        let put = blocking(move || put(&root, &path, &body));
        put.await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => gone(),
            _ => classify(key, &error),
        })
    }

    async fn get(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let path = self.root.join(key);
        let got = blocking(move || get(&path, range)).await;
        got.map_err(|error| classify(key, &error))
    }

    async fn list(&self, prefix: &str, after: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let mut list = Listing {
            prefix: prefix.to_owned(),
            after: after.to_owned(),
            found: Vec::new(),
        };
        let root = self.root.clone();
        let listed = blocking(move || list.directory(&root, "").map(|()| list.found));
        listed.await.map_err(|error| classify(prefix, &error))
    }

    async fn delete(&self, keys: &[String]) -> Result<(), StoreError> {
        let (root, keys) = (self.root.clone(), keys.to_vec());
        let deleted = blocking(move || keys.iter().try_for_each(|key| delete(&root, key)));
        deleted.await.map_err(|error| classify("", &error))
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let writing = self.root.join(WRITING);
        match blocking(move || fs::metadata(writing)).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(gone()),
            Err(error) => Err(classify("", &error)),
        }
    }
}

async fn blocking<T, F>(work: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) => Err(io::Error::other(join)),
    }
}

fn put(root: &Path, path: &Path, body: &[u8]) -> io::Result<()> {
    let (writing, mut file) = create(&root.join(WRITING))?;
    let written = file.write_all(body).and_then(|()| file.sync_all());
    let written = written.and_then(|()| rename(&writing, path));
    if written.is_err() {
        // It failed already; what is left goes when the store is opened again.
        let _ = fs::remove_file(&writing);
    }
    written
}

/// A new file. Processes in two containers may have the same id, hence the tries.
fn create(directory: &Path) -> io::Result<(PathBuf, File)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("{}-{number}", std::process::id()));
        match File::create_new(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return Ok((path, created?)),
        }
    }
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let directory = to.parent().unwrap_or(to);
    let mut tries = 0;
    loop {
        tries += 1;
        make_directory(directory)?;
        match fs::rename(from, to).and_then(|()| sync_directory(directory)) {
            Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => {}
            done => return done,
        }
    }
}

/// Makes it and what it is in, durably.
fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_directory),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => match path.parent() {
            Some(parent) => {
                make_directory(parent)?;
                // Somebody else may have made it meanwhile.
                fs::create_dir_all(path)?;
                sync_directory(parent)
            }
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn get(path: &Path, range: Range<u64>) -> io::Result<Bytes> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() || range.end > about.len() {
        return Err(ErrorKind::NotFound.into());
    }
    let length = range.end.saturating_sub(range.start);
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut body = vec![0; length];
    file.read_exact_at(&mut body, range.start)?;
    Ok(body.into())
}

fn delete(root: &Path, key: &str) -> io::Result<()> {
    let path = root.join(key);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    let mut directory = path.parent();
    // Removing a directory fails where it is not empty, and there it ends.
    while let Some(empty) = directory.filter(|d| *d != root && fs::remove_dir(d).is_ok()) {
        directory = empty.parent();
    }
    match directory.map_or(Ok(()), sync_directory) {
        // Somebody else removed it.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}

fn remove_abandoned(writing: &Path) -> io::Result<()> {
    for entry in fs::read_dir(writing)? {
        let entry = entry?;
        let age = entry.metadata().and_then(|about| about.modified());
        let age = age.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED) {
            // Another process may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// A walk in the order of keys.
struct Listing {
    prefix: String,
    after: String,
    found: Vec<ObjectInfo>,
}

impl Listing {
    fn directory(&mut self, path: &Path, key: &str) -> io::Result<()> {
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        let mut keys = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.contains('~')) else {
                continue;
            };
            // With its slash a directory sorts as the keys in it do.
            let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
            keys.push((format!("{key}{name}{slash}"), entry.path()));
        }
        keys.sort_unstable();
        for (key, path) in keys {
            if self.found.len() == PAGE {
                break;
            }
            if key.ends_with('/') {
                if self.may_hold(&key) {
                    self.directory(&path, &key)?;
                }
            } else if key.starts_with(&self.prefix) && key > self.after {
                self.file(key, &path)?;
            }
        }
        Ok(())
    }

    fn may_hold(&self, directory: &str) -> bool {
        let wanted = directory.starts_with(&self.prefix) || self.prefix.starts_with(directory);
        wanted && (directory > self.after.as_str() || self.after.starts_with(directory))
    }

    fn file(&mut self, key: String, path: &Path) -> io::Result<()> {
        match fs::metadata(path) {
            // Deleted since.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            about => self.found.push(ObjectInfo {
                key,
                bytes: about?.len(),
            }),
        }
        Ok(())
    }
}

fn gone() -> StoreError {
    StoreError::Refused("its directory is gone, or its disk is not mounted".to_owned())
}

fn classify(key: &str, error: &io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::NotFound => StoreError::NotFound(key.to_owned()),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            StoreError::Refused(format!("make room on the disk: {error}"))
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            StoreError::Refused(format!("let this user write to the directory: {error}"))
        }
        ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            StoreError::Refused(format!(
                "{key}: a key cannot be another one's folder: {error}"
            ))
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}
