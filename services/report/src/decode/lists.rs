//! Lists keyed by string, and lists of strings.

use super::source::{Items, Result, Source};
use super::walk::{Strings, Walker};
use crate::model::Sets;
use crate::symbol::Sym;

impl<S: Source, I: Strings> Walker<'_, S, I> {
    /// A map, as a list sorted by key. The value reader is given the key.
    pub(super) fn map<T>(
        &mut self,
        mut value: impl FnMut(&mut Self, Sym) -> Result<T>,
        key_of: impl Fn(&T) -> Sym,
    ) -> Result<Vec<T>> {
        if self.source.nil()? {
            return Ok(Vec::new());
        }
        let mut items = self.source.map()?;
        let mut list = self.list(&items);
        while self.source.next(&mut items)? {
            self.charge::<T>()?;
            let key = self.key()?;
            let item = value(self, key)?;
            self.push(&mut list, item);
        }
        sort_last_wins(&mut list, key_of);
        Ok(list)
    }

    /// An array.
    pub(super) fn array<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        if self.source.nil()? {
            return Ok(Vec::new());
        }
        let mut items: Items = self.source.array()?;
        let mut list = self.list(&items);
        while self.source.next(&mut items)? {
            self.charge::<T>()?;
            let item = item(self)?;
            self.push(&mut list, item);
        }
        Ok(list)
    }

    /// A set of strings.
    pub(super) fn set(&mut self) -> Result<Vec<Sym>> {
        let mut list = self.array(Self::sym)?;
        if !list.is_sorted_by(|a, b| a < b) {
            list.sort_unstable();
            list.dedup();
        }
        Ok(list)
    }

    /// Sets of strings, by key.
    pub(super) fn sets(&mut self) -> Result<Sets> {
        self.map(|w, key| Ok((key, w.set()?)), |set| set.0)
    }
}

/// Sorts by key; of equal keys, the last one stays.
pub(super) fn sort_last_wins<T>(list: &mut Vec<T>, key_of: impl Fn(&T) -> Sym) {
    if list.is_sorted_by(|a, b| key_of(a) < key_of(b)) {
        return;
    }
    list.sort_by_key(&key_of);
    list.dedup_by(|later, earlier| {
        let same = key_of(later) == key_of(earlier);
        if same {
            std::mem::swap(later, earlier);
        }
        same
    });
}
