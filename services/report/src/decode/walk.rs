//! The walk over a report: what every part of it is made of.

use super::source::{Container, Items, Result, Source};
use super::{Checked, DecodeError, Limits};
use crate::model::Report;
use crate::symbol::{Sym, Symbols};
use crate::time::Timestamp;

/// More than this is not reserved on the word of the sender.
const RESERVE: usize = 64;

/// What the smallest items count as, so that their number is bounded as well.
const SMALLEST_ITEM: usize = 16;

/// What becomes of strings.
pub(super) trait Strings {
    /// Whether anything is built at all.
    const BUILD: bool;

    fn intern(&mut self, string: &[u8]) -> Sym;

    /// The next strings are of the node with this id.
    fn begin_node(&mut self, _: Sym) {}

    fn bytes(&self, sym: Sym) -> &[u8];

    /// A report of which nothing has been read.
    fn fresh(&mut self) -> Report;
}

/// Builds nothing.
pub(super) struct Nothing;

impl Strings for Nothing {
    const BUILD: bool = false;

    fn intern(&mut self, _: &[u8]) -> Sym {
        Sym::EMPTY
    }

    fn bytes(&self, _: Sym) -> &[u8] {
        &[]
    }

    fn fresh(&mut self) -> Report {
        Report::default()
    }
}

/// Builds a report.
pub(super) struct Builder<'a> {
    symbols: &'a mut Symbols,
}

impl<'a> Builder<'a> {
    pub(super) fn new(symbols: &'a mut Symbols) -> Self {
        Builder { symbols }
    }
}

impl Strings for Builder<'_> {
    const BUILD: bool = true;

    fn intern(&mut self, string: &[u8]) -> Sym {
        self.symbols.intern(string)
    }

    fn bytes(&self, sym: Sym) -> &[u8] {
        self.symbols.bytes(sym)
    }

    fn fresh(&mut self) -> Report {
        Report::fresh(self.symbols)
    }
}

/// Walks a report, building it if its [`Strings`] do.
pub(super) struct Walker<'a, S, I> {
    pub(super) source: S,
    pub(super) strings: I,
    pub(super) limits: &'a Limits,
    pub(super) received: Timestamp,
    pub(super) checked: Checked,
    pub(super) nodes: usize,
    /// Containers that can still be entered.
    pub(super) depth: usize,
    /// Some facts are later than they can be.
    pub(super) ahead: bool,
    newest: Timestamp,
}

impl<'a, S: Source, I: Strings> Walker<'a, S, I> {
    pub(super) fn new(source: S, strings: I, limits: &'a Limits, received: i64) -> Self {
        Walker {
            source,
            strings,
            limits,
            received: Timestamp::from_unix_nanos(received),
            checked: Checked::default(),
            nodes: 0,
            depth: limits.depth,
            ahead: false,
            newest: Timestamp::from_unix_nanos(received).latest_believable(),
        }
    }

    /// Accounts for another `T`; the same whether or not anything is built.
    pub(super) fn charge<T>(&mut self) -> Result<()> {
        self.checked.heap_bytes += size_of::<T>().max(SMALLEST_ITEM);
        if self.checked.heap_bytes > self.limits.heap_bytes {
            return Err(DecodeError::TooLarge {
                what: "bytes of memory",
                limit: self.limits.heap_bytes,
            });
        }
        Ok(())
    }

    /// An empty list for these items.
    pub(super) fn list<T>(&self, items: &Items) -> Vec<T> {
        if I::BUILD {
            Vec::with_capacity((items.left as usize).min(RESERVE))
        } else {
            Vec::new()
        }
    }

    /// Adds to a list, if anything is built.
    pub(super) fn push<T>(&mut self, list: &mut Vec<T>, item: T) {
        if I::BUILD {
            list.push(item);
        }
    }

    pub(super) fn sym(&mut self) -> Result<Sym> {
        let string = self.source.string()?;
        if string.len() > self.limits.string_bytes {
            return Err(DecodeError::TooLarge {
                what: "bytes in one string",
                limit: self.limits.string_bytes,
            });
        }
        Ok(self.strings.intern(string))
    }

    /// A map's key.
    pub(super) fn key(&mut self) -> Result<Sym> {
        let key = self.sym()?;
        self.source.colon()?;
        Ok(key)
    }

    /// A time that facts are compared by.
    pub(super) fn fact_time(&mut self) -> Result<Timestamp> {
        let time = self.source.time()?;
        self.ahead |= time > self.newest;
        Ok(time)
    }

    pub(super) fn skip(&mut self) -> Result<()> {
        self.source.skip(self.depth)
    }

    /// A struct: a map by field name, or an array in order of declaration. `field` gives a name's place in that order.
    pub(super) fn structure(
        &mut self,
        fields: usize,
        field: fn(&[u8]) -> Option<usize>,
        mut each: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        match self.source.container()? {
            Some(Container::Map) => {
                let mut items = self.source.map()?;
                while self.source.next(&mut items)? {
                    let place = field(self.source.string()?);
                    self.source.colon()?;
                    match place {
                        Some(i) => each(self, i)?,
                        None => self.skip()?,
                    }
                }
            }
            Some(Container::Array) => {
                let mut items = self.source.array()?;
                let mut i = 0;
                while self.source.next(&mut items)? {
                    if i < fields {
                        each(self, i)?;
                    } else {
                        self.skip()?;
                    }
                    i += 1;
                }
            }
            None => return Err(self.source.malformed("expected a map or an array")),
        }
        Ok(())
    }
}
