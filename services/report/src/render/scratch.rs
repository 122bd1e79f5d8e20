//! A table that is emptied in constant time.

use crate::symbol::Sym;

/// A map from [`Sym`] to `u32`. Entries of earlier generations count as absent.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    entries: Vec<(u32, u32)>,
    generation: u32,
}

impl Scratch {
    /// Empties the table. `symbols` is a hint how many there are.
    pub(crate) fn clear(&mut self, symbols: usize) {
        if self.entries.len() < symbols {
            // A fresh zeroed allocation costs no page until it is touched.
            self.entries = vec![(0, 0); symbols + symbols / 8];
            self.generation = 0;
        }
        if self.generation == u32::MAX {
            self.entries.fill((0, 0));
            self.generation = 0;
        }
        self.generation += 1;
    }

    pub(crate) fn get(&self, sym: Sym) -> Option<u32> {
        match self.entries.get(sym.index()) {
            Some(&(generation, value)) if generation == self.generation => Some(value),
            _ => None,
        }
    }

    /// Sets the entry and returns what it was.
    pub(crate) fn insert(&mut self, sym: Sym, value: u32) -> Option<u32> {
        let i = sym.index();
        if i >= self.entries.len() {
            self.entries.resize(i + i / 2 + 16, (0, 0));
        }
        let entry = &mut self.entries[i];
        let old = (entry.0 == self.generation).then_some(entry.1);
        *entry = (self.generation, value);
        old
    }

    /// Whether the entry was absent; it is there now.
    pub(crate) fn add(&mut self, sym: Sym) -> bool {
        self.insert(sym, 0).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_forgets_everything() {
        let mut scratch = Scratch::default();
        scratch.clear(2);
        assert_eq!(scratch.insert(Sym(1), 7), None);
        assert_eq!(scratch.insert(Sym(100), 8), None);
        assert_eq!(scratch.get(Sym(1)), Some(7));
        scratch.clear(2);
        assert_eq!(scratch.get(Sym(1)), None);
        assert_eq!(scratch.get(Sym(100)), None);
        assert!(scratch.add(Sym(100)));
        assert!(!scratch.add(Sym(100)));
    }
}
