//! A file of the log.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;

use super::reader::{self, Contents};

/// The extension of a segment that waits for the stores.
pub(super) const OPEN: &str = "log";
/// The extension of a segment that the stores have.
pub(super) const STORED: &str = "stored";

/// A file of the log. Its bytes can be read as long as somebody holds it, even after it was deleted.
#[derive(Debug)]
pub(crate) struct Segment {
    /// `<writer>-<number>`: the same whenever it is read again.
    pub(crate) name: String,
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) bytes: AtomicU64,
    pub(super) reports: AtomicU64,
    pub(super) stored: AtomicBool,
    /// Damaged records in it that were told, so that each is told once however often it is read.
    pub(super) damaged: AtomicU64,
}

/// Where a body is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) segment: Arc<Segment>,
    pub(crate) at: u64,
    pub(crate) bytes: u32,
}

impl Segment {
    pub(crate) fn is_stored(&self) -> bool {
        self.stored.load(Ordering::Acquire)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Reads it from its start and checks every record. Blocks.
    pub(crate) fn contents(&self) -> io::Result<Contents> {
        // A file of its own, because places read from the other one at the same time.
        reader::read(&File::open(self.current_path())?)
    }

    pub(super) fn current_path(&self) -> PathBuf {
        let extension = if self.is_stored() { STORED } else { OPEN };
        self.path.with_extension(extension)
    }

    /// Deletes its file; those who hold the segment can go on reading.
    pub(crate) fn delete(&self) -> io::Result<()> {
        std::fs::remove_file(self.current_path())
    }

    /// How many of these damaged records are news.
    pub(crate) fn newly_damaged(&self, damaged: u64) -> u64 {
        damaged.saturating_sub(self.damaged.swap(damaged, Ordering::Relaxed))
    }

    pub(crate) fn reports(&self) -> u64 {
        self.reports.load(Ordering::Relaxed)
    }
}

impl Place {
    /// The body. Blocks.
    pub(crate) fn read(&self) -> io::Result<Bytes> {
        let mut body = vec![0; self.bytes as usize];
        self.segment.file.read_exact_at(&mut body, self.at)?;
        Ok(body.into())
    }
}
