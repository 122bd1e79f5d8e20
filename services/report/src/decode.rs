//! From what a probe posted to a [`Report`], and a walk over the same bytes that only says whether they are one.
//!
//! There is one walk ([`walk`]) over two syntaxes ([`source`]); whether it builds anything is a type parameter, so checking
//! and decoding cannot disagree. It is as lenient as Scope's: unknown members are skipped, nil is the zero value, structs
//! may be arrays, bytes after the report are ignored.

mod gzip;
mod json;
mod lists;
mod msgpack;
mod node;
mod recall;
mod source;
mod template;
mod topology;
mod walk;

pub use gzip::{inflate, inflate_into};
pub(crate) use recall::Recall;

use thiserror::Error;

use crate::model::Report;
use crate::symbol::Symbols;
use json::Json;
use msgpack::Msgpack;
use source::Source;
use walk::{Builder, Nothing, Strings, Walker};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// What probes send.
    ScopeMsgpack,
    /// The same members as JSON.
    ScopeJson,
}

/// How a posted body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, of one or more members.
    Gzip,
}

/// What a single report may ask of us. The defaults are many times what the largest real reports need.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes after inflation.
    pub inflated_bytes: usize,
    /// Inflated bytes per compressed byte, once the inflated size exceeds 8 MiB. Real reports have 8 to 14.
    pub ratio: usize,
    /// Nesting of containers.
    pub depth: usize,
    /// Nodes of all topologies together.
    pub nodes: usize,
    /// Bytes of one string.
    pub string_bytes: usize,
    /// Bytes of memory that the decoded report may take, strings apart.
    pub heap_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            inflated_bytes: 128 << 20,
            ratio: 250,
            depth: 64,
            nodes: 500_000,
            string_bytes: 4 << 20,
            heap_bytes: 64 << 20,
        }
    }
}

/// Why a body is not a report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// It is beyond a [limit](Limits).
    #[error("report too large: more than {limit} {what}")]
    TooLarge {
        /// The unit, in the plural.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// It cannot be inflated.
    #[error("not gzip: {reason}")]
    Inflate {
        /// What is wrong.
        reason: &'static str,
    },
    /// It is not what it says to be.
    #[error("malformed report at byte {offset}: {reason}")]
    Malformed {
        /// Into the inflated body.
        offset: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

impl DecodeError {
    /// Whether a smaller report would have been accepted.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, DecodeError::TooLarge { .. })
    }
}

/// What a walk learns about a report without building it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// How many nodes, by [`Kind`](crate::Kind).
    pub nodes: [u32; 23],
    /// It is complete in itself: not a delta (those have neither shapes nor templates), not a shortcut.
    pub full: bool,
    /// Sent at once because of an event.
    pub shortcut: bool,
    /// Bytes of memory that the decoded report takes, strings apart.
    pub heap_bytes: usize,
}

/// Decodes an inflated body. Facts that claim to be from long after `received_unix_nanos` count as from then when merged.
///
/// # Errors
/// If it is not a report, or beyond the limits.
pub fn decode(
    inflated: &[u8],
    format: Format,
    limits: &Limits,
    received_unix_nanos: i64,
    symbols: &mut Symbols,
) -> Result<Report, DecodeError> {
    decode_checked(inflated, format, limits, received_unix_nanos, symbols).map(|(report, _)| report)
}

/// As [`decode`], with what [`check`] would say.
///
/// # Errors
/// If it is not a report, or beyond the limits.
pub fn decode_checked(
    inflated: &[u8],
    format: Format,
    limits: &Limits,
    received_unix_nanos: i64,
    symbols: &mut Symbols,
) -> Result<(Report, Checked), DecodeError> {
    let strings = Builder::new(symbols);
    match format {
        Format::ScopeMsgpack => walk(Msgpack::new(inflated), strings, limits, received_unix_nanos),
        Format::ScopeJson => walk(Json::new(inflated), strings, limits, received_unix_nanos),
    }
}

/// As [`decode_checked`], faster for one report after another of the same probe.
pub(crate) fn decode_following(
    inflated: &[u8],
    format: Format,
    limits: &Limits,
    received_unix_nanos: i64,
    symbols: &mut Symbols,
    recall: &mut Recall,
) -> Result<(Report, Checked), DecodeError> {
    let strings = recall.follow(inflated.len(), symbols);
    let decoded = match format {
        Format::ScopeMsgpack => walk(Msgpack::new(inflated), strings, limits, received_unix_nanos),
        Format::ScopeJson => walk(Json::new(inflated), strings, limits, received_unix_nanos),
    }?;
    recall.keep(decoded.1.full);
    Ok(decoded)
}

/// Accepts exactly what [`decode`] accepts, and builds nothing.
///
/// # Errors
/// If it is not a report, or beyond the limits.
pub fn check(inflated: &[u8], format: Format, limits: &Limits) -> Result<Checked, DecodeError> {
    let checked = match format {
        Format::ScopeMsgpack => walk(Msgpack::new(inflated), Nothing, limits, 0),
        Format::ScopeJson => walk(Json::new(inflated), Nothing, limits, 0),
    };
    checked.map(|(_, checked)| checked)
}

fn walk<S: Source, I: Strings>(
    source: S,
    strings: I,
    limits: &Limits,
    received: i64,
) -> Result<(Report, Checked), DecodeError> {
    let mut walker = Walker::new(source, strings, limits, received);
    let report = walker.report()?;
    Ok((report, walker.checked))
}
