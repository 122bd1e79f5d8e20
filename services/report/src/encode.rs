//! Reports as Scope serialises them, for `GET /api/report`.
//!
//! What Scope writes in the random order of its maps is sorted by key here, so equal reports are equal bytes.

mod json;
mod msgpack;
mod node;
mod out;
mod template;

use json::Json;
use msgpack::Msgpack;
use node::Encoder;

use crate::model::Report;
use crate::symbol::Symbols;

/// What is not to be shown to this reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Censor {
    /// Cut command lines at the first blank.
    pub command_lines: bool,
    /// Leave out environment variables.
    pub environment: bool,
}

/// Appends the report as JSON.
pub fn json(report: &Report, symbols: &Symbols, censor: Censor, out: &mut Vec<u8>) {
    Encoder::new(Json::new(out), symbols, censor).report(report);
}

/// Appends the report as msgpack.
pub fn msgpack(report: &Report, symbols: &Symbols, censor: Censor, out: &mut Vec<u8>) {
    Encoder::new(Msgpack::new(out), symbols, censor).report(report);
}
