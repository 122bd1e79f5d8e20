//! How a record stands in the log.
//!
//! ```text
//! magic "WREC" · length of head · length of body · CRC-32 of head and body · CRC-32 of the 16 bytes before · head · body
//! ```
//!
//! Numbers are 32 bits, little-endian; the head is a `weft.storage.v1.LogRecord`. The prefix has a checksum of its own, so
//! that a damaged record costs itself alone: where it ends is known, or the next sound prefix is looked for.

use prost::Message;
use proto::storage::v1::LogRecord;

pub(super) const MAGIC: &[u8; 4] = b"WREC";
/// Bytes before the head.
pub(super) const PREFIX: usize = 20;
/// A head is some ids and numbers.
const MAX_HEAD: u32 = 64 << 10;
/// Larger than every report.
const MAX_BODY: u32 = 256 << 20;

/// Where a record's parts are, relative to its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) head: u32,
    pub(super) body: u32,
    crc: u32,
}

impl Prefix {
    /// Bytes after the prefix.
    pub(super) fn rest(self) -> usize {
        self.head as usize + self.body as usize
    }

    /// Whether head and body are what was written.
    pub(super) fn matches(self, rest: &[u8]) -> bool {
        crc32fast::hash(rest) == self.crc
    }
}

/// Appends a record to `out`; where its body begins in it.
pub(super) fn write(record: &LogRecord, body: &[u8], out: &mut Vec<u8>) -> usize {
    let head = record.encode_to_vec();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head);
    crc.update(body);
    let start = out.len();
    out.extend_from_slice(MAGIC);
    // Reports and their ids are bounded far below 4 GiB.
    out.extend_from_slice(&(head.len() as u32).to_le_bytes());
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc.finalize().to_le_bytes());
    let own = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&own.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(body);
    out.len() - body.len()
}

/// The prefix at the start of these bytes, if there is a sound one.
pub(super) fn prefix(bytes: &[u8]) -> Option<Prefix> {
    let prefix = bytes.first_chunk::<PREFIX>()?;
    let number = |at: usize| {
        let bytes = prefix[at..at + 4].try_into().unwrap_or_default();
        u32::from_le_bytes(bytes)
    };
    let sound = prefix.starts_with(MAGIC) && crc32fast::hash(&prefix[..16]) == number(16);
    let prefix = Prefix {
        head: number(4),
        body: number(8),
        crc: number(12),
    };
    (sound && prefix.head <= MAX_HEAD && prefix.body <= MAX_BODY).then_some(prefix)
}
