//! What may be written down a few times, and is counted beyond that.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many of a key are let through until the rest is taken.
const EACH: u64 = 20;
/// Keys that are told apart; what has any other counts together.
const KEYS: usize = 10_000;

/// Lets the first 20 of each key through, and counts the rest. Clones share the counts.
#[derive(Debug)]
pub struct Tally<K>(Arc<Mutex<HashMap<K, u64>>>);

impl<K> Clone for Tally<K> {
    fn clone(&self) -> Self {
        Tally(Arc::clone(&self.0))
    }
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Tally(Arc::default())
    }
}

impl<K: Clone + Default + Eq + Hash> Tally<K> {
    fn counts(&self) -> MutexGuard<'_, HashMap<K, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this one is let through; if not it is counted.
    pub fn lets(&self, key: &K) -> bool {
        let mut counts = self.counts();
        let room = counts.len() < KEYS || counts.contains_key(key);
        let count = counts.entry(if room { key.clone() } else { K::default() });
        let count = count.or_default();
        *count += 1;
        *count <= EACH
    }

    /// How many of each key were not let through since this was asked last; all may begin anew.
    #[must_use]
    pub fn rest(&self) -> Vec<(K, u64)> {
        let counts = std::mem::take(&mut *self.counts());
        let over = counts.into_iter().filter(|(_, count)| *count > EACH);
        over.map(|(key, count)| (key, count - EACH)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_each_key_pass_and_the_rest_is_counted() {
        let tally = Tally::default();
        let passed = |key: &str| (0..100).filter(|_| tally.lets(&key.to_owned())).count();
        assert_eq!((passed("a"), passed("b")), (20, 20));
        let mut rest = tally.rest();
        rest.sort();
        assert_eq!(rest, [("a".to_owned(), 80), ("b".to_owned(), 80)]);
        assert_eq!(passed("a"), 20);
    }

    #[test]
    fn keys_without_end_share_a_bound() {
        let tally = Tally::default();
        let passed = (0..100_000_u32).filter(|key| tally.lets(key)).count();
        assert!(passed <= KEYS + EACH as usize, "{passed}");
        assert!(tally.counts().len() <= KEYS + 1);
    }
}
