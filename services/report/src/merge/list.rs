//! Merging sorted lists.

use crate::model::{DnsRecord, Sets};
use crate::symbol::Sym;

/// A list item with a key.
pub(super) trait Keyed {
    fn key(&self) -> Sym;
}

impl<T> Keyed for (Sym, T) {
    fn key(&self) -> Sym {
        self.0
    }
}

/// So many lists are merged by looking at all their heads at once; more by sorting.
const AT_ONCE: usize = 8;

/// Merges lists sorted by key; `one` makes one of several items of a key.
pub(super) fn by_key<'a, T: Keyed + Clone + 'a>(
    lists: impl Iterator<Item = &'a Vec<T>> + Clone,
    mut one: impl FnMut(&[&T]) -> T,
) -> Vec<T> {
    let mut filled = lists.clone().filter(|l| !l.is_empty());
    let (first, second) = (filled.next(), filled.next());
    let (Some(first), Some(_)) = (first, second) else {
        return first.map_or_else(Vec::new, Vec::clone);
    };
    let mut one = |run: &[&T]| match run {
        [only] => (*only).clone(),
        _ => one(run),
    };
    let mut heads: [&[T]; AT_ONCE] = [&[]; AT_ONCE];
    let mut count = 0;
    for list in lists.clone().filter(|l| !l.is_empty()) {
        if let Some(head) = heads.get_mut(count) {
            *head = list;
        }
        count += 1;
    }
    let mut out = Vec::with_capacity(first.len());
    if let Some(heads) = heads.get_mut(..count) {
        let mut run: Vec<&T> = Vec::with_capacity(count);
        let least = |heads: &[&[T]]| heads.iter().filter_map(|h| Some(h.first()?.key())).min();
        while let Some(key) = least(heads) {
            run.clear();
            for head in heads.iter_mut() {
                if let Some((item, rest)) = head.split_first().filter(|(i, _)| i.key() == key) {
                    run.push(item);
                    *head = rest;
                }
            }
            out.push(one(&run));
        }
        return out;
    }
    let mut all: Vec<&T> = Vec::with_capacity(lists.clone().map(Vec::len).sum());
    all.extend(lists.flat_map(|l| l.iter()));
    all.sort_by_key(|item| item.key());
    out.extend(all.chunk_by(|a, b| a.key() == b.key()).map(one));
    out
}

/// The union of sets.
pub(super) fn union<'a>(sets: impl Iterator<Item = &'a Vec<Sym>>) -> Vec<Sym> {
    let mut union: Vec<Sym> = Vec::new();
    let mut one = true;
    for set in sets {
        if union.is_empty() {
            union.clone_from(set);
        } else if !set.is_empty() && union != *set {
            union.extend_from_slice(set);
            one = false;
        }
    }
    if !one {
        union.sort_unstable();
        union.dedup();
    }
    union
}

pub(super) fn sets<'a>(lists: impl Iterator<Item = &'a Sets> + Clone) -> Sets {
    by_key(lists, |run| (run[0].0, union(run.iter().map(|set| &set.1))))
}

pub(super) fn dns(run: &[&(Sym, DnsRecord)]) -> (Sym, DnsRecord) {
    let record = DnsRecord {
        forward: union(run.iter().map(|r| &r.1.forward)),
        reverse: union(run.iter().map(|r| &r.1.reverse)),
    };
    (run[0].0, record)
}
