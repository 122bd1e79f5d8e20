//! What a replica knows of the others, and of its own queue.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::clocks::Reading;

/// Signs of life for which a replica that was asked may say nothing before its queue is deleted: a busy one must not lose
/// its queue.
const ASKED: u32 = 20;

/// The other replicas, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Peers {
    pub(super) known: HashMap<String, Peer>,
    /// Queues of replicas that do not say anything, and since when.
    pub(super) strangers: BTreeMap<String, Instant>,
    /// This replica's own queue, if it works.
    pub(super) own_queue: Option<Delivering>,
    /// Signs of life with which one looks for others.
    pub(super) eager_looks: u64,
}

/// A queue that delivers what is sent to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivering {
    /// Without a break since then.
    since: Instant,
    last: Instant,
}

impl Delivering {
    /// Whether what was sent lately was delivered.
    fn lately(&self, heartbeat: Duration) -> bool {
        self.last.elapsed() <= heartbeat * 2
    }
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) clock: Reading,
    pub(super) heard: Instant,
    /// When it was last asked for everything.
    asked: Option<Instant>,
    /// It has told everything since.
    pub(super) complete: bool,
}

impl Peers {
    /// A replica is there; its clock.
    pub(super) fn hear(&mut self, from: &str, clock: Reading) {
        let now = Instant::now();
        self.strangers.remove(from);
        let peer = self.known.entry(from.to_owned()).or_insert_with(|| {
            tracing::info!(replica = from, "another replica is there");
            Peer {
                clock,
                heard: now,
                asked: None,
                complete: false,
            }
        });
        peer.clock = peer.clock.or_better(clock);
        peer.heard = now;
    }

    /// Whether a replica must be asked for everything now, if it has told everything or not, and what is known of it is
    /// the whole of it or not.
    pub(super) fn must_ask(
        &mut self,
        of: &str,
        complete: bool,
        whole: bool,
        heartbeat: Duration,
    ) -> bool {
        let Some(peer) = self.known.get_mut(of) else {
            return false;
        };
        peer.complete |= complete;
        let lately = peer.asked.is_some_and(|asked| asked.elapsed() < heartbeat);
        let must = !lately && (!peer.complete || !whole);
        if must {
            peer.asked = Some(Instant::now());
        }
        must
    }

    /// What others said for a while is lost: they are all to be asked for everything now. Who they are.
    pub(super) fn doubt_all(&mut self) -> Vec<String> {
        let now = Instant::now();
        for peer in self.known.values_mut() {
            (peer.complete, peer.asked) = (false, Some(now));
        }
        self.known.keys().cloned().collect()
    }

    /// What this replica sent to itself came.
    pub(super) fn hear_self(&mut self, heartbeat: Duration) {
        let last = Instant::now();
        let before = self.own_queue.filter(|own| own.lately(heartbeat));
        let since = before.map_or(last, |own| own.since);
        self.own_queue = Some(Delivering { since, last });
    }

    /// Queues whose replicas say nothing, although what they say would have come. While this replica's own queue did not
    /// deliver, that they were not heard of said nothing about them.
    pub(super) fn orphans(&self, heartbeat: Duration) -> Vec<String> {
        let Some(own) = self.own_queue.filter(|own| own.lately(heartbeat)) else {
            return Vec::new();
        };
        let silent = |since: Instant| own.since.max(since).elapsed() > heartbeat * ASKED;
        let strangers = self.strangers.iter();
        let orphans = strangers.filter(|(_, since)| silent(**since));
        orphans.map(|(id, _)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const BEAT: Duration = Duration::from_secs(20);

    /// Signs of life pass with which this replica's own queue delivers.
    async fn beats(peers: &mut Peers, count: u32) {
        for _ in 0..count {
            advance(BEAT).await;
            peers.hear_self(BEAT);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn queue_is_orphaned_when_its_replica_is_silent_for_long() {
        let mut peers = Peers::default();
        peers.strangers.insert("a".to_owned(), Instant::now());
        beats(&mut peers, ASKED + 1).await;
        assert!(peers.orphans(BEAT).is_empty());
        beats(&mut peers, 1).await;
        assert_eq!(peers.orphans(BEAT), ["a"]);
        // It says something.
        peers.hear("a", Reading::now(0));
        assert!(peers.orphans(BEAT).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_silent_while_nothing_would_be_heard() {
        let mut peers = Peers::default();
        peers.strangers.insert("a".to_owned(), Instant::now());
        beats(&mut peers, ASKED).await;
        advance(BEAT * 100).await;
        assert!(peers.orphans(BEAT).is_empty());
        // Nor just when it begins again.
        beats(&mut peers, ASKED).await;
        assert!(peers.orphans(BEAT).is_empty());
        peers.own_queue = None;
        beats(&mut peers, ASKED + 1).await;
        assert!(peers.orphans(BEAT).is_empty());
        beats(&mut peers, 1).await;
        assert_eq!(peers.orphans(BEAT), ["a"]);
    }
}
