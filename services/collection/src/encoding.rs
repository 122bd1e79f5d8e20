//! The contract's names for serialisations and compressions, and the engine's.

use proto::collection::v1 as pb;
use report::decode::{Compression, Format};

pub(crate) fn format(format: pb::ReportFormat) -> Option<Format> {
    match format {
        pb::ReportFormat::ScopeMsgpack => Some(Format::ScopeMsgpack),
        pb::ReportFormat::ScopeJson => Some(Format::ScopeJson),
        pb::ReportFormat::Unspecified => None,
    }
}

pub(crate) fn compression(compression: pb::Compression) -> Option<Compression> {
    match compression {
        pb::Compression::None => Some(Compression::None),
        pb::Compression::Gzip => Some(Compression::Gzip),
        pb::Compression::Unspecified => None,
    }
}
