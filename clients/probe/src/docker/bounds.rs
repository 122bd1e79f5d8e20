//! Bounds for what strangers chose: whoever makes a container or an image can give it any labels.

use std::collections::{BTreeMap, HashMap};

/// Labels, or environment variables, of one container that are reported, at most.
const MAX_PAIRS: usize = 256;
/// Most bytes of each.
const MAX_VALUE: usize = 4096;

/// Pairs that strangers chose, in bounds.
pub(super) fn bounded(pairs: HashMap<String, String>) -> BTreeMap<String, String> {
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_unstable();
    pairs.truncate(MAX_PAIRS);
    for (key, value) in &mut pairs {
        truncate(key);
        truncate(value);
    }
    pairs.into_iter().collect()
}

/// Cuts a text at a bound.
pub(super) fn truncate(text: &mut String) {
    text.truncate(text.floor_char_boundary(MAX_VALUE));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_bounded() {
        let many = (0..1000)
            .map(|n| (format!("k{n}"), "v".repeat(10_000)))
            .collect();
        let pairs = bounded(many);
        assert_eq!(pairs.len(), MAX_PAIRS);
        assert!(pairs.values().all(|value| value.len() == MAX_VALUE));
    }
}
