//! Who is there and who holds what: what replicas tell each other of themselves.

use std::mem::take;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use client::Key;
use proto::controls::v1::Presence;
use proto::controls::v1::replica_message::Message;
use stores::StoreError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::Replica;
use super::clocks::{Backoff, Reading};
use super::invoke::SYNC;
use super::peers::{Peer, Peers};

/// Changes that follow each other so fast are told together.
const TOGETHER: Duration = Duration::from_millis(20);
/// Signs of life between two looks for replicas that one has not heard of.
const LOOK: u64 = 3;
/// Signs of life that a replica may miss before it is taken as gone.
const MISSED: u32 = 3;

impl Replica {
    fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peer_ids(&self) -> Vec<String> {
        self.peers().known.keys().cloned().collect()
    }

    /// How many replicas there are besides this one.
    pub(super) fn peer_count(&self) -> usize {
        self.peers().known.len()
    }

    /// A moment by another replica's clock, or a little earlier.
    pub(super) fn moment_of(&self, replica: &str, moment: Instant) -> Option<u64> {
        let peers = self.peers();
        let peer = peers.known.get(replica)?;
        Some(peer.clock.at_least(moment))
    }

    /// A replica is gone.
    pub(super) fn forget(&self, replica: &str) {
        self.peers().known.remove(replica);
        self.peers().strangers.remove(replica);
        self.directory().forget(replica);
    }

    /// A replica did not answer. What it held counts as gone until it says something again.
    pub(super) fn doubt(self: &Arc<Self>, replica: &str) {
        let known = self.peers().known.remove(replica);
        self.directory().forget(replica);
        if known.is_some() {
            tracing::warn!(replica, "a replica does not answer");
            self.peers()
                .strangers
                .insert(replica.to_owned(), Instant::now());
            self.ask(replica);
        }
    }

    fn ask(self: &Arc<Self>, replica: &str) {
        let presence = Presence {
            ask: true,
            ..Presence::default()
        };
        self.post(replica, Message::Presence(presence));
    }

    /// Takes in what a replica says of itself.
    pub(super) fn hear(self: &Arc<Self>, from: &str, sent_at_ms: u64, presence: &Presence) {
        if from == self.id {
            self.peers().hear_self(self.heartbeat);
            return;
        }
        if presence.leaving {
            self.forget(from);
            return;
        }
        let whole = self.directory().apply(from, presence);
        let must_ask = {
            let mut peers = self.peers();
            peers.hear(from, Reading::now(sent_at_ms));
            peers.must_ask(from, presence.complete.is_some(), whole, self.heartbeat)
        };
        if must_ask {
            self.ask(from);
        }
        if presence.ask && !self.rt.shutdown.is_cancelled() {
            for presence in self.directory().everything() {
                self.post(from, Message::Presence(presence));
            }
        }
        self.heard.notify_waiters();
    }

    /// This replica's queue does not work: that others are not heard of says nothing about them.
    pub(super) fn note_silence(&self) {
        self.peers().own_queue = None;
    }

    /// Tells the others of changes at once, and that this replica is there from time to time.
    pub(super) async fn presence(self: &Arc<Self>) {
        self.meet().await;
        let mut beats = interval(self.heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat = 0;
        self.look_again();
        while !self.rt.shutdown.is_cancelled() {
            tokio::select! {
                () = self.changed.notified() => {
                    self.tell_changes();
                    sleep(TOGETHER).await;
                }
                _ = beats.tick() => {
                    self.tell_changes();
                    self.beat();
                    if self.is_eager() || beat % LOOK == 0 {
                        // If it fails, the next look is soon.
                        let _ = self.look().await;
                    }
                    self.sweep().await;
                    beat += 1;
                }
                () = self.rejoined.notified() => {
                    self.ask_again();
                    self.look_again();
                    let _ = self.look().await;
                    self.beat();
                }
            }
        }
        std::future::pending().await
    }

    /// There may be replicas that this one does not know: queues are listed a while after they were made.
    pub(super) fn look_again(&self) {
        self.peers().eager_looks = LOOK;
    }

    fn is_eager(&self) -> bool {
        let left = &mut self.peers().eager_looks;
        let eager = *left > 0;
        *left = left.saturating_sub(1);
        eager
    }

    /// This replica's queue works again. Others may believe that it is gone, and what they said meanwhile may be lost.
    pub(super) fn rejoin(&self) {
        self.rejoined.notify_one();
    }

    /// Asks all others for everything, whether they were asked lately or not.
    fn ask_again(self: &Arc<Self>) {
        // The last receiving call may have been cut off, and still take what comes next.
        self.post(&self.id, Message::Presence(Presence::default()));
        let peers = self.peers().doubt_all();
        peers.iter().for_each(|peer| self.ask(peer));
    }

    /// Finds the others and waits until they have told what they hold.
    async fn meet(self: &Arc<Self>) {
        let mut backoff = Backoff::new();
        let others = loop {
            match self.queues.create(&self.id).await {
                Ok(()) => match self.look().await {
                    Ok(others) => break others,
                    Err(error) => tracing::debug!(%error, "cannot look for other replicas"),
                },
                Err(error) => tracing::debug!(%error, "cannot make a queue"),
            }
            sleep(backoff.next()).await;
        };
        let all_told = async {
            loop {
                let mut heard = std::pin::pin!(self.heard.notified());
                heard.as_mut().enable();
                let told = |other| {
                    self.peers()
                        .known
                        .get(other)
                        .is_some_and(|p: &Peer| p.complete)
                };
                if others.iter().all(told) {
                    return;
                }
                heard.await;
            }
        };
        // One that has died does not tell.
        let _ = timeout(SYNC, all_told).await;
        self.synced.send_replace(true);
    }

    /// Asks all whom one has not heard of; who they are.
    async fn look(self: &Arc<Self>) -> Result<Vec<String>, StoreError> {
        let mut others = self.queues.list().await?;
        // Those of another key are not to be talked to, nor theirs to be swept.
        others.retain(|other| *other != self.id && other.starts_with(&family(&self.rt.key)));
        let now = Instant::now();
        {
            let mut peers = self.peers();
            let Peers {
                known, strangers, ..
            } = &mut *peers;
            others.retain(|other| !known.contains_key(other));
            strangers.retain(|stranger, _| others.contains(stranger));
            for other in &others {
                strangers.entry(other.clone()).or_insert(now);
            }
        }
        for other in &others {
            self.ask(other);
        }
        Ok(others)
    }

    fn tell_changes(self: &Arc<Self>) {
        let epochs = take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        if epochs.is_empty() {
            return;
        }
        let changes = self.directory().changes(&epochs);
        for peer in self.peer_ids() {
            for presence in &changes {
                self.post(&peer, Message::Presence(presence.clone()));
            }
        }
    }

    /// Says that this replica is there, and drops those that have not said so for long.
    fn beat(self: &Arc<Self>) {
        let patience = self.heartbeat * MISSED;
        let lost: Vec<String> = {
            let peers = self.peers();
            let silent = peers
                .known
                .iter()
                .filter(|(_, p)| p.heard.elapsed() > patience);
            silent.map(|(id, _)| id.clone()).collect()
        };
        for id in lost {
            self.doubt(&id);
        }
        let presence = Presence {
            digest: Some(self.directory().own_digest()),
            ..Presence::default()
        };
        for peer in self.peer_ids() {
            self.post(&peer, Message::Presence(presence.clone()));
        }
        self.metrics.replicas(self.peer_count() + 1);
    }

    /// Deletes queues whose replicas say nothing, if what they say would come through to this one.
    async fn sweep(self: &Arc<Self>) {
        let orphans = self.peers().orphans(self.heartbeat);
        for orphan in orphans {
            match self.queues.remove(&orphan).await {
                Ok(()) => {
                    tracing::info!(
                        replica = orphan,
                        "deleted the queue of a replica that is gone"
                    );
                    self.forget(&orphan);
                }
                Err(error) => tracing::debug!(%error, "cannot delete an orphaned queue"),
            }
        }
        let strangers: Vec<String> = self.peers().strangers.keys().cloned().collect();
        if !strangers.is_empty() {
            self.post(&self.id, Message::Presence(Presence::default()));
            strangers.iter().for_each(|stranger| self.ask(stranger));
        }
    }

    /// Tells the others that this replica ends.
    pub(super) async fn say_goodbye(self: &Arc<Self>) {
        let presence = Presence {
            leaving: true,
            ..Presence::default()
        };
        let peers = self.peer_ids();
        let sent = peers
            .iter()
            .map(|peer| self.send(peer, Message::Presence(presence.clone())));
        // Whoever does not learn it finds out.
        futures_util::future::join_all(sent).await;
    }
}

/// A name for a new replica.
pub(super) fn new_id(key: &Key) -> String {
    format!("{}{:016x}", family(key), rand::random::<u64>())
}

/// What names of replicas begin with that share this key.
fn family(key: &Key) -> String {
    let tag = key.seal("weft.controls.v1.Family", &[]);
    tag.iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
