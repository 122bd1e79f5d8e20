//! The log's directory, and what is found in it at the start.
//!
//! Segments are named `<writer>-<number>.log`, and `….stored` once the stores have them.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proto::storage::v1::LogRecord;

use super::reader;
use super::segment::{OPEN, Place, STORED, Segment};

/// The log's directory, which no other process uses.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

/// What was in the log.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Arc<Segment>>,
    /// Every report with its place, by segment and place.
    pub(crate) reports: Vec<(LogRecord, Place)>,
    pub(crate) damaged: u64,
    /// Bytes at the ends of segments that were being written when the process died.
    pub(crate) cut: u64,
}

impl Directory {
    pub(super) fn open(path: &Path) -> io::Result<(Self, Recovered)> {
        fs::create_dir_all(path)?;
        let lock = File::create(path.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::AddrInUse,
                "another process uses it; every replica of collection needs a directory of its own",
            ),
            TryLockError::Error(error) => error,
        })?;
        let mut recovered = Recovered::default();
        let mut paths: Vec<PathBuf> = fs::read_dir(path)?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<io::Result<_>>()?;
        paths.sort();
        for path in paths {
            let extension = path.extension().and_then(|e| e.to_str());
            match extension {
                Some(OPEN) => recovered.add(path, false)?,
                Some(STORED) => recovered.add(path, true)?,
                _ => {}
            }
        }
        let directory = Directory {
            path: path.to_owned(),
            _lock: lock,
        };
        Ok((directory, recovered))
    }

    /// A new file for a segment, which outlives a power failure as a name too.
    pub(super) fn create(&self, writer: u64, number: u64) -> io::Result<Segment> {
        let name = format!("{writer:016x}-{number:08}");
        let path = self.path.join(&name).with_extension(OPEN);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .open(&path)?;
        self.sync()?;
        Ok(Segment {
            name,
            path,
            file,
            bytes: AtomicU64::new(0),
            reports: AtomicU64::new(0),
            stored: AtomicBool::new(false),
            damaged: AtomicU64::new(0),
        })
    }

    /// The stores have it: it must not be stored again.
    pub(super) fn mark_stored(&self, segment: &Segment) -> io::Result<()> {
        // Another try after the sync failed finds it renamed.
        if !segment.is_stored() {
            fs::rename(&segment.path, segment.path.with_extension(STORED))?;
            segment.stored.store(true, Ordering::Release);
        }
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Recovered {
    fn add(&mut self, path: PathBuf, stored: bool) -> io::Result<()> {
        let file = OpenOptions::new().read(true).append(true).open(&path)?;
        let contents = reader::read(&file)?;
        self.damaged += contents.damaged;
        if contents.tail > 0 {
            self.cut += contents.tail;
            if !stored {
                file.set_len(contents.end)?;
                file.sync_all()?;
            }
        }
        let name = path.file_stem().and_then(|n| n.to_str());
        let segment = Arc::new(Segment {
            name: name.unwrap_or_default().to_owned(),
            path: path.with_extension(OPEN),
            file,
            bytes: AtomicU64::new(contents.end),
            reports: AtomicU64::new(contents.records.len() as u64),
            stored: AtomicBool::new(stored),
            damaged: AtomicU64::new(contents.damaged),
        });
        self.reports
            .extend(contents.records.into_iter().map(|read| {
                let place = Place {
                    segment: Arc::clone(&segment),
                    at: read.body_at,
                    bytes: read.body_bytes,
                };
                (read.record, place)
            }));
        self.segments.push(segment);
        Ok(())
    }
}
