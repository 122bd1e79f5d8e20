//! What the walk needs of a syntax.

use super::DecodeError;
use crate::time::Timestamp;

pub(super) type Result<T> = std::result::Result<T, DecodeError>;

/// How many values that nobody knows are passed over.
const MOST_SKIPPED: u32 = 8_000_000;

/// Counts values that are passed over.
pub(super) fn count_skipped(skipped: &mut u32) -> Result<()> {
    *skipped += 1;
    if *skipped > MOST_SKIPPED {
        return Err(DecodeError::TooLarge {
            what: "unknown values",
            limit: MOST_SKIPPED as usize,
        });
    }
    Ok(())
}

/// A container, before it is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Map,
    Array,
}

/// The place in a container.
#[derive(Debug)]
pub(super) struct Items {
    /// How many are left, where the syntax says so.
    pub(super) left: u32,
    /// None has been read yet.
    pub(super) first: bool,
    /// What ends it, where the syntax says so.
    pub(super) end: u8,
}

/// A stream of values. Scalars read nil as zero.
pub(super) trait Source {
    /// An error at the current place.
    fn malformed(&self, reason: &'static str) -> DecodeError;

    /// Whether the next value is nil; if so, it is consumed.
    fn nil(&mut self) -> Result<bool>;

    /// What container comes next, if any.
    fn container(&mut self) -> Result<Option<Container>>;

    /// Enters a map.
    fn map(&mut self) -> Result<Items>;

    /// Enters an array.
    fn array(&mut self) -> Result<Items>;

    /// Whether there is another item; if not, the container is left.
    fn next(&mut self, items: &mut Items) -> Result<bool>;

    /// Between a key and its value.
    fn colon(&mut self) -> Result<()>;

    fn string(&mut self) -> Result<&[u8]>;

    fn time(&mut self) -> Result<Timestamp>;

    fn float(&mut self) -> Result<f64>;

    fn int(&mut self) -> Result<i64>;

    fn uint(&mut self) -> Result<u64>;

    fn bool(&mut self) -> Result<bool>;

    /// Passes over a value of any type that nests at most `depth` containers.
    fn skip(&mut self, depth: usize) -> Result<()>;
}
