//! A report as it came, wherever it was kept.

use bytes::Bytes;
use proto::collection::v1::{Compression, ReportFormat, StoredReport};
use proto::storage::v1::ReportHeader;
use report::decode;
use sha2::{Digest, Sha256};
use stores::archive::{ArchivedReport, Located, report_name};

use crate::moment::nanos;

/// A report that is not decoded yet.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    /// Its name for ever; zero if it has none.
    pub(crate) id: u128,
    /// When it was accepted, in Unix nanoseconds.
    pub(crate) received: i64,
    /// Empty if the sender gave none.
    pub(crate) probe: String,
    pub(crate) body: Bytes,
    /// Where the body is, if it is not here yet.
    pub(crate) located: Option<Located>,
    pub(crate) format: decode::Format,
    pub(crate) compression: decode::Compression,
    /// It is known to be complete in itself.
    pub(crate) full: bool,
}

impl Post {
    /// None if it is of a kind that this version does not know.
    pub(crate) fn stored(stored: StoredReport) -> Option<Post> {
        let report = stored.report?;
        let compression = match report.compression() {
            Compression::None => decode::Compression::None,
            Compression::Gzip => decode::Compression::Gzip,
            Compression::Unspecified => return None,
        };
        Some(Post {
            id: id(&stored.report_id),
            received: nanos(stored.received_at.unwrap_or_default()),
            format: format(report.format())?,
            probe: report.probe_id,
            body: report.body,
            located: None,
            compression,
            full: false,
        })
    }

    /// None if it is of a kind that this version does not know.
    pub(crate) fn archived(archived: ArchivedReport) -> Option<Post> {
        let post = Post::headed(archived.header)?;
        Some(Post {
            body: archived.body,
            ..post
        })
    }

    /// A report whose body is not here yet; none if it is of a kind that this version does not know.
    pub(crate) fn located(located: Located) -> Option<Post> {
        let post = Post::headed(located.header.clone())?;
        Some(Post {
            located: Some(located),
            ..post
        })
    }

    /// The log that it was first written to.
    pub(crate) fn log(&self) -> u64 {
        // The first half of its name.
        (self.id >> 64) as u64
    }

    fn headed(header: ReportHeader) -> Option<Post> {
        Some(Post {
            id: id(&report_name(&header)),
            received: header.received_unix_nanos,
            format: format(header.format())?,
            full: header.full,
            probe: header.probe_id,
            body: Bytes::new(),
            located: None,
            compression: decode::Compression::None,
        })
    }
}

/// A probe as the index names it.
pub(crate) fn probe_hash(probe: &str) -> u32 {
    let digest = Sha256::digest(probe.as_bytes());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// A report's name as a number; zero if it is none.
fn id(name: &str) -> u128 {
    u128::from_str_radix(name, 16).unwrap_or(0)
}

fn format(format: ReportFormat) -> Option<decode::Format> {
    match format {
        ReportFormat::ScopeMsgpack => Some(decode::Format::ScopeMsgpack),
        ReportFormat::ScopeJson => Some(decode::Format::ScopeJson),
        ReportFormat::Unspecified => None,
    }
}
