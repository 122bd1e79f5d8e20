//! Interned byte strings.

use std::fmt;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// A string of one tenant, as a number. Only meaningful together with the [`Symbols`] that made it; numbers are given in
/// order of first appearance, so their order says nothing about the strings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sym(pub(crate) u32);

impl Sym {
    /// The empty string, in every table.
    pub const EMPTY: Sym = Sym(0);

    /// Whether this is the empty string.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// For dense side tables of [`Symbols::len`] entries.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Sym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sym({})", self.0)
    }
}

/// A tenant's strings. Wire strings are raw bytes that may not be UTF-8, so bytes are what is kept.
///
/// Grows only; whoever holds it starts a new one when too much of it is dead. Hashing is seeded per table, so a sender
/// cannot choose colliding strings.
pub struct Symbols {
    bytes: Vec<u8>,
    /// End of each string in `bytes`; the start is its predecessor's end.
    ends: Vec<u32>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Default for Symbols {
    fn default() -> Self {
        let mut symbols = Symbols {
            bytes: Vec::new(),
            ends: Vec::new(),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        };
        symbols.intern(b"");
        symbols
    }
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbols")
            .field("len", &self.len())
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl Symbols {
    /// A table that holds the empty string only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of this string, which is added if it is new.
    ///
    /// # Panics
    /// When the table would hold more than 4 GiB or 2^32 strings, which input limits rule out.
    pub fn intern(&mut self, string: impl AsRef<[u8]>) -> Sym {
        let string = string.as_ref();
        let hash = self.hasher.hash_one(string);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(&found) = self.table.find(hash, |&i| slice(bytes, ends, i) == string) {
            return Sym(found);
        }
        let number = u32::try_from(self.ends.len()).expect("fewer than 2^32 symbols");
        self.bytes.extend_from_slice(string);
        self.ends
            .push(u32::try_from(self.bytes.len()).expect("less than 4 GiB of symbols"));
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.table
            .insert_unique(hash, number, |&i| hasher.hash_one(slice(bytes, ends, i)));
        Sym(number)
    }

    /// The number of this string if it is known.
    #[must_use]
    pub fn find(&self, string: impl AsRef<[u8]>) -> Option<Sym> {
        let string = string.as_ref();
        let hash = self.hasher.hash_one(string);
        self.table
            .find(hash, |&i| slice(&self.bytes, &self.ends, i) == string)
            .map(|&i| Sym(i))
    }

    /// The string's bytes.
    #[must_use]
    pub fn bytes(&self, sym: Sym) -> &[u8] {
        slice(&self.bytes, &self.ends, sym.0)
    }

    /// The string as text, if it is UTF-8; use [`crate::json`] or a lossy conversion to show strings to people.
    #[must_use]
    pub fn str(&self, sym: Sym) -> Option<&str> {
        std::str::from_utf8(self.bytes(sym)).ok()
    }

    /// All strings, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|i| slice(&self.bytes, &self.ends, i as u32))
    }

    /// How many strings there are, the empty one included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Never true: the empty string is always there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes that the strings take, without what is reserved for more.
    #[must_use]
    pub(crate) fn used_bytes(&self) -> usize {
        self.bytes.len() + ENTRY_BYTES * self.ends.len()
    }

    /// Bytes that this string takes in a table.
    pub(crate) fn cost(string: &[u8]) -> usize {
        string.len() + ENTRY_BYTES
    }

    /// Bytes of heap memory, for limits and metrics.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + 4 * self.ends.capacity() + 5 * self.table.capacity()
    }
}

/// What a string takes besides its bytes: its end, and its place in the table.
const ENTRY_BYTES: usize = 9;

fn slice<'a>(bytes: &'a [u8], ends: &[u32], i: u32) -> &'a [u8] {
    let i = i as usize;
    let start = if i == 0 { 0 } else { ends[i - 1] as usize };
    &bytes[start..ends[i] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_have_one_number() {
        let mut symbols = Symbols::new();
        let a = symbols.intern("a");
        assert_eq!(a, symbols.intern("a"));
        assert_ne!(a, symbols.intern([0xff]));
        assert_eq!(symbols.bytes(a), b"a");
        assert_eq!(symbols.intern(""), Sym::EMPTY);
        assert_eq!(symbols.find("b"), None);
        assert_eq!(symbols.len(), 3);
    }
}
