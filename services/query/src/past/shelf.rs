//! Things by organisation and moment, within a bound that organisations share fairly.

use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;

/// Things that are kept while there is room.
#[derive(Debug)]
pub(crate) struct Shelf<V> {
    limit: usize,
    bytes: usize,
    orgs: HashMap<String, Org<V>>,
    uses: u64,
}

#[derive(Debug)]
struct Org<V> {
    bytes: usize,
    moments: BTreeMap<i64, Item<V>>,
}

#[derive(Debug)]
struct Item<V> {
    value: V,
    bytes: usize,
    /// The number of its last use.
    used: u64,
    /// When it is no longer good; never if it is none.
    until: Option<Instant>,
}

impl<V: Clone> Shelf<V> {
    /// Keeps this many bytes at most.
    pub(crate) fn new(limit: usize) -> Self {
        Shelf {
            limit,
            bytes: 0,
            orgs: HashMap::new(),
            uses: 0,
        }
    }

    /// What all of it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is kept of this moment, if it is still good.
    pub(crate) fn get(&mut self, org: &str, at: i64) -> Option<V> {
        let item = self.orgs.get_mut(org)?.moments.get_mut(&at)?;
        if item.until.is_some_and(|until| until <= Instant::now()) {
            self.remove(org, at);
            return None;
        }
        self.uses += 1;
        item.used = self.uses;
        Some(item.value.clone())
    }

    /// Keeps this, and lets go of others if there is no room.
    pub(crate) fn put(
        &mut self,
        org: &str,
        at: i64,
        value: V,
        bytes: usize,
        until: Option<Instant>,
    ) {
        self.remove(org, at);
        self.uses += 1;
        let item = Item {
            value,
            bytes,
            used: self.uses,
            until,
        };
        let kept = self.orgs.entry(org.to_owned()).or_insert_with(|| Org {
            bytes: 0,
            moments: BTreeMap::new(),
        });
        kept.moments.insert(at, item);
        kept.bytes += bytes;
        self.bytes += bytes;
        while self.bytes > self.limit {
            self.evict();
        }
    }

    /// Lets go of what the organisation that has most has not used for longest.
    fn evict(&mut self) {
        let most = self.orgs.iter().max_by_key(|(_, kept)| kept.bytes);
        let Some((org, kept)) = most else { return };
        let oldest = kept.moments.iter().min_by_key(|(_, item)| item.used);
        if let Some((&at, _)) = oldest {
            let org = org.clone();
            self.remove(&org, at);
        }
    }

    fn remove(&mut self, org: &str, at: i64) {
        let Some(kept) = self.orgs.get_mut(org) else {
            return;
        };
        if let Some(item) = kept.moments.remove(&at) {
            kept.bytes -= item.bytes;
            self.bytes -= item.bytes;
        }
        if kept.moments.is_empty() {
            self.orgs.remove(org);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn whoever_has_most_gives_way_its_least_used_first() {
        let mut shelf = Shelf::new(100);
        shelf.put("small", 1, "s1", 20, None);
        shelf.put("large", 1, "l1", 40, None);
        shelf.put("large", 2, "l2", 40, None);
        assert_eq!(shelf.get("large", 1), Some("l1"));
        shelf.put("small", 2, "s2", 20, None);
        assert_eq!(shelf.get("large", 2), None);
        assert_eq!(shelf.get("large", 1), Some("l1"));
        assert_eq!(shelf.get("small", 1), Some("s1"));
        assert_eq!(shelf.bytes(), 80);
        // What does not fit at all is not kept.
        shelf.put("huge", 1, "h", 1000, None);
        assert_eq!(shelf.get("huge", 1), None);
        assert_eq!(shelf.get("small", 2), Some("s2"));
    }

    #[test]
    fn replacing_counts_once() {
        let mut shelf = Shelf::new(100);
        shelf.put("a", 1, 1, 60, None);
        shelf.put("a", 1, 2, 70, None);
        assert_eq!((shelf.get("a", 1), shelf.bytes()), (Some(2), 70));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_final_is_kept_for_a_while() {
        let mut shelf = Shelf::new(100);
        let until = Instant::now() + Duration::from_secs(1);
        shelf.put("a", 1, 1, 10, Some(until));
        assert_eq!(shelf.get("a", 1), Some(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((shelf.get("a", 1), shelf.bytes()), (None, 0));
    }
}
