//! What the encoder needs of a syntax.

use crate::time::Timestamp;

/// A stream of values. Whoever writes containers says how many members they have.
pub(super) trait Out {
    fn map(&mut self, members: usize);

    fn end_map(&mut self);

    fn array(&mut self, items: usize);

    fn end_array(&mut self);

    /// Before a member's value.
    fn key(&mut self, key: &[u8]);

    /// Before an array's item.
    fn item(&mut self);

    fn nil(&mut self);

    fn bool(&mut self, value: bool);

    fn int(&mut self, value: i64);

    fn uint(&mut self, value: u64);

    fn float(&mut self, value: f64);

    fn string(&mut self, value: &[u8]);

    fn time(&mut self, value: Timestamp);
}
