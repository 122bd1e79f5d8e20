//! Finding strings without hashing them: consecutive reports of a probe say nearly the same strings in the same order.

use hashbrown::HashMap;

use super::walk::Strings;
use crate::model::Report;
use crate::symbol::{Sym, Symbols};

/// How far before and after the expected place a string is looked for that is not there, so that members which were added
/// or left out cost no more than themselves.
const BEHIND: usize = 8;
const AHEAD: usize = 24;

/// The strings of reports that were decoded lately. Only a memory: what is decoded with it is the same as without.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    /// Of a full report and of a delta: the one whose length is closer is followed.
    reports: [Sequence; 2],
    /// Of the report that is being decoded.
    current: Sequence,
}

/// The strings of a report, in the order in which it says them.
#[derive(Debug, Default)]
struct Sequence {
    bytes: usize,
    syms: Vec<Sym>,
    /// Where the nodes begin, by id.
    nodes: HashMap<Sym, u32>,
}

/// Interns by following an earlier report.
pub(super) struct Following<'a> {
    symbols: &'a mut Symbols,
    before: &'a Sequence,
    current: &'a mut Sequence,
    /// The place in `before` of the next string, if all goes on as then.
    at: usize,
}

impl Recall {
    /// Follows the report that is most like one of so many bytes.
    pub(super) fn follow<'a>(
        &'a mut self,
        bytes: usize,
        symbols: &'a mut Symbols,
    ) -> Following<'a> {
        let Recall { reports, current } = self;
        current.bytes = bytes;
        current.syms.clear();
        current.nodes.clear();
        let before = match reports[0].bytes.abs_diff(bytes) < reports[1].bytes.abs_diff(bytes) {
            true => &reports[0],
            false => &reports[1],
        };
        Following {
            symbols,
            before,
            current,
            at: 0,
        }
    }

    /// Remembers the report that was decoded last.
    pub(super) fn keep(&mut self, full: bool) {
        std::mem::swap(&mut self.reports[usize::from(full)], &mut self.current);
    }
}

impl Following<'_> {
    /// Where to go on after this string, which was not where it was expected.
    fn resync(&self, sym: Sym) -> usize {
        let from = self.at.saturating_sub(BEHIND);
        let syms = self.before.syms.get(from..).unwrap_or_default();
        let near = &syms[..syms.len().min(BEHIND + AHEAD)];
        match near.iter().position(|s| *s == sym) {
            Some(found) => from + found + 1,
            None => self.at + 1,
        }
    }
}

impl Strings for Following<'_> {
    const BUILD: bool = true;

    fn intern(&mut self, string: &[u8]) -> Sym {
        let expected = self.before.syms.get(self.at).copied();
        let sym = match expected {
            Some(sym) if self.symbols.bytes(sym) == string => {
                self.at += 1;
                sym
            }
            _ => {
                let sym = self.symbols.intern(string);
                self.at = self.resync(sym);
                sym
            }
        };
        self.current.syms.push(sym);
        sym
    }

    fn begin_node(&mut self, id: Sym) {
        if let Some(at) = self.before.nodes.get(&id) {
            self.at = *at as usize;
        }
        let at = self.current.syms.len() as u32;
        self.current.nodes.insert(id, at);
    }

    fn bytes(&self, sym: Sym) -> &[u8] {
        self.symbols.bytes(sym)
    }

    fn fresh(&mut self) -> Report {
        Report::fresh(self.symbols)
    }
}
