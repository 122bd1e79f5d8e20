//! Reading a segment from its start.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use prost::Message;
use proto::storage::v1::LogRecord;

use super::record::{self, MAGIC, PREFIX};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// A record, and where in the segment its body is.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) record: LogRecord,
    pub(crate) body_at: u64,
    pub(crate) body_bytes: u32,
}

/// What a segment's file turned out to hold.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) records: Vec<Located>,
    /// Records in its midst that are not what was written.
    pub(crate) damaged: u64,
    /// Bytes at its end that are no record: what was being written when the process died, or damage.
    pub(super) tail: u64,
    /// Where they begin.
    pub(super) end: u64,
}

/// Reads all records from the file's start.
pub(super) fn read(file: &File) -> io::Result<Contents> {
    let mut file = file;
    file.seek(SeekFrom::Start(0))?;
    let mut window = Window {
        file,
        bytes: Vec::new(),
        at: 0,
        base: 0,
        ended: false,
    };
    let mut contents = Contents::default();
    // Bytes since the last sound record.
    let mut lost = false;
    loop {
        window.fill(PREFIX)?;
        if window.left().is_empty() {
            break;
        }
        let Some(prefix) = record::prefix(window.left()) else {
            lost = true;
            if !window.skip_to_magic()? {
                break;
            }
            continue;
        };
        window.fill(PREFIX + prefix.rest())?;
        let Some(rest) = window.left().get(PREFIX..PREFIX + prefix.rest()) else {
            // It ends beyond the end of the file: cut short, or its length is not its own.
            lost = true;
            window.skip(MAGIC.len());
            continue;
        };
        let record = LogRecord::decode(&rest[..prefix.head as usize]);
        match record {
            Ok(record) if prefix.matches(rest) => {
                contents.damaged += u64::from(std::mem::take(&mut lost));
                contents.records.push(Located {
                    record,
                    body_at: window.position() + (PREFIX as u64) + u64::from(prefix.head),
                    body_bytes: prefix.body,
                });
                window.skip(PREFIX + prefix.rest());
                contents.end = window.position();
            }
            _ => {
                contents.damaged += 1;
                window.skip(PREFIX + prefix.rest());
                contents.end = window.position();
            }
        }
    }
    contents.tail = window.position() - contents.end;
    Ok(contents)
}

/// The part of a file that is looked at.
struct Window<'a> {
    file: &'a File,
    bytes: Vec<u8>,
    /// Where in `bytes` the next record is looked for.
    at: usize,
    /// Where in the file `bytes` begin.
    base: u64,
    ended: bool,
}

impl Window<'_> {
    fn left(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Reads until so many bytes are left, or the file ends.
    fn fill(&mut self, bytes: usize) -> io::Result<()> {
        if self.left().len() >= bytes || self.ended {
            return Ok(());
        }
        self.bytes.drain(..self.at);
        self.base += self.at as u64;
        self.at = 0;
        let want = bytes.max(CHUNK) - self.bytes.len();
        let read = self.file.take(want as u64).read_to_end(&mut self.bytes)?;
        self.ended = read < want;
        Ok(())
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes.min(self.left().len());
    }

    /// Goes on to the next place that looks like a record's start; false if there is none.
    fn skip_to_magic(&mut self) -> io::Result<bool> {
        self.skip(1);
        loop {
            if let Some(at) = memchr::memmem::find(self.left(), MAGIC) {
                self.skip(at);
                return Ok(true);
            }
            let keep = self.left().len().min(MAGIC.len() - 1);
            if self.ended {
                self.skip(self.left().len());
                return Ok(false);
            }
            self.skip(self.left().len() - keep);
            self.fill(keep + 1)?;
        }
    }
}
