//! Which reports came lately.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// How long a report's name is remembered. A collection that restarts sends what it holds again, and holds nothing that
/// came this long ago.
const REMEMBERED: Duration = Duration::from_secs(120);

/// The names of the reports that came lately.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    names: HashSet<u128>,
    order: VecDeque<(Instant, u128)>,
}

impl Recent {
    /// Notes a report; false if it came already. One without a name always counts as new.
    pub(crate) fn is_new(&mut self, id: u128) -> bool {
        let now = Instant::now();
        while let Some((came, id)) = self.order.front()
            && now.duration_since(*came) > REMEMBERED
        {
            self.names.remove(id);
            self.order.pop_front();
        }
        if id == 0 {
            return true;
        }
        let new = self.names.insert(id);
        if new {
            self.order.push_back((now, id));
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn names_are_remembered_for_two_minutes() {
        let mut recent = Recent::default();
        assert!(recent.is_new(1));
        assert!(!recent.is_new(1));
        assert!(recent.is_new(0) && recent.is_new(0));
        tokio::time::advance(REMEMBERED).await;
        assert!(!recent.is_new(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(recent.is_new(1));
        assert_eq!(recent.order.len(), 1);
    }
}
