//! Which replica holds which probe, as far as this replica has been told.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::time::Duration;

use proto::controls::v1::{Digest, EpochRange, Held, Presence};
use tokio::time::Instant;

/// How long an ended connection is remembered: longer than a message of its beginning can be under way.
const ENDED: Duration = Duration::from_secs(120);
/// Ended connections of a replica that are remembered.
const ENDED_MOST: usize = 100_000;
/// Connections in one message: with the longest names well below what one may hold.
const CHUNK: usize = 500;

/// A probe of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Probe {
    pub(crate) org: String,
    pub(crate) id: String,
}

impl Probe {
    pub(crate) fn new(org: &str, id: &str) -> Self {
        Probe {
            org: org.to_owned(),
            id: id.to_owned(),
        }
    }
}

/// Where a probe's newest connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) replica: String,
    pub(crate) epoch: u64,
}

/// A connected probe, for listings.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) probe: String,
    pub(crate) version: String,
    pub(crate) since: Instant,
}

/// A probe's connections by epoch and replica; the newest is the last one.
type Connections = BTreeMap<(u64, String), Connection>;

/// What every replica holds, this one included.
#[derive(Debug)]
pub(crate) struct Directory {
    own: String,
    replicas: HashMap<String, Replica>,
    /// By organisation, then probe.
    probes: HashMap<String, BTreeMap<String, Connections>>,
    /// The highest epoch that was given or heard of.
    highest: u64,
}

#[derive(Debug, Default)]
struct Replica {
    held: BTreeMap<u64, Probe>,
    ended: HashMap<u64, Instant>,
}

#[derive(Debug)]
struct Connection {
    version: String,
    since: Instant,
}

impl Directory {
    pub(crate) fn new(own: &str) -> Self {
        Directory {
            own: own.to_owned(),
            replicas: HashMap::new(),
            probes: HashMap::new(),
            highest: 0,
        }
    }

    /// A new connection to this replica, newer than all that are known; its epoch. `now` is the date in milliseconds, so
    /// that it is also newer than what is not known yet, as far as the replicas' dates agree.
    pub(crate) fn open(&mut self, probe: Probe, version: &str, now: u64) -> u64 {
        let epoch = now.max(self.highest + 1);
        let connection = Connection {
            version: version.to_owned(),
            since: Instant::now(),
        };
        let own = self.own.clone();
        self.insert(&own, probe, epoch, connection);
        epoch
    }

    /// Ends a connection to this replica.
    pub(crate) fn close(&mut self, epoch: u64) {
        let own = self.own.clone();
        self.remove(&own, epoch);
    }

    /// The newest connection of a probe.
    pub(crate) fn newest(&self, probe: &Probe) -> Option<Holder> {
        let connections = self.probes.get(&probe.org)?.get(&probe.id)?;
        let ((epoch, replica), _) = connections.last_key_value()?;
        Some(Holder {
            replica: replica.clone(),
            epoch: *epoch,
        })
    }

    /// The probes of an organisation, ordered by id.
    pub(crate) fn of_org(&self, org: &str) -> Vec<Connected> {
        let probes = self.probes.get(org).into_iter().flatten();
        let newest = probes.filter_map(|(probe, connections)| {
            let (_, newest) = connections.last_key_value()?;
            Some(Connected {
                probe: probe.clone(),
                version: newest.version.clone(),
                since: newest.since,
            })
        });
        newest.collect()
    }

    /// How many connections this replica holds.
    pub(crate) fn held(&self, replica: &str) -> usize {
        self.replicas.get(replica).map_or(0, |r| r.held.len())
    }

    /// Takes in what another replica says of itself. Whether it is all there now, if it says.
    pub(crate) fn apply(&mut self, from: &str, presence: &Presence) -> bool {
        if from == self.own {
            return true;
        }
        let now = Instant::now();
        if let Some(EpochRange { first, last }) = presence.complete {
            let listed = |epoch: &u64| presence.held.iter().any(|held| held.epoch == *epoch);
            let gone = self.epochs(from, first..=last);
            for epoch in gone.iter().filter(|epoch| !listed(epoch)) {
                self.remove(from, *epoch);
            }
        }
        let replica = self.replicas.entry(from.to_owned()).or_default();
        if replica.ended.len() + presence.ended.len() > ENDED_MOST {
            replica.ended.clear();
        }
        replica.ended.retain(|_, ended| now - *ended < ENDED);
        replica
            .ended
            .extend(presence.ended.iter().map(|&epoch| (epoch, now)));
        for epoch in &presence.ended {
            self.remove(from, *epoch);
        }
        for held in &presence.held {
            self.learn(from, held);
        }
        presence
            .digest
            .is_none_or(|digest| digest == self.digest(from))
    }

    fn learn(&mut self, from: &str, held: &Held) {
        let known = self.replicas.get(from);
        if known
            .is_some_and(|r| r.ended.contains_key(&held.epoch) || r.held.contains_key(&held.epoch))
        {
            return;
        }
        let connected_for = Duration::from_millis(held.connected_for_ms);
        let now = Instant::now();
        let connection = Connection {
            version: held.version.clone(),
            since: now.checked_sub(connected_for).unwrap_or(now),
        };
        let probe = Probe::new(&held.org_id, &held.probe_id);
        self.insert(from, probe, held.epoch, connection);
    }

    /// Forgets another replica and all that it holds. What this one holds ends by being closed, whatever becomes of its queue.
    pub(crate) fn forget(&mut self, replica: &str) {
        if replica == self.own {
            return;
        }
        for epoch in self.epochs(replica, 0..=u64::MAX) {
            self.remove(replica, epoch);
        }
        self.replicas.remove(replica);
    }

    /// What this replica says of these connections of its own: those that are open, and those that have ended.
    pub(crate) fn changes(&self, epochs: &[u64]) -> Vec<Presence> {
        let (open, ended): (Vec<u64>, Vec<u64>) = epochs
            .iter()
            .partition(|epoch| self.own_held().contains_key(epoch));
        let count = open.chunks(CHUNK).len().max(ended.chunks(CHUNK).len());
        let chunk = |epochs: &[u64], i: usize| {
            let some = epochs.chunks(CHUNK).nth(i);
            some.unwrap_or_default().to_vec()
        };
        let presence = |i| Presence {
            held: self.held_of(chunk(&open, i)),
            ended: chunk(&ended, i),
            ..Presence::default()
        };
        (0..count).map(presence).collect()
    }

    /// All that this replica holds, in messages of which each is true by itself.
    pub(crate) fn everything(&self) -> Vec<Presence> {
        let epochs: Vec<u64> = self.own_held().keys().copied().collect();
        let mut chunks: Vec<&[u64]> = epochs.chunks(CHUNK).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let (mut first, count) = (0, chunks.len());
        let mut all = Vec::new();
        for (i, chunk) in chunks.into_iter().enumerate() {
            // Of connections that are made from now on the last one says nothing.
            let last = match chunk.last() {
                Some(&last) if i + 1 < count => last,
                _ => self.highest,
            };
            all.push(Presence {
                held: self.held_of(chunk.to_vec()),
                complete: Some(EpochRange { first, last }),
                ..Presence::default()
            });
            first = last + 1;
        }
        all
    }

    /// What the others should know of this replica.
    pub(crate) fn own_digest(&self) -> Digest {
        self.digest(&self.own)
    }

    fn digest(&self, replica: &str) -> Digest {
        let held = self.replicas.get(replica).map(|replica| &replica.held);
        let epochs = held.into_iter().flat_map(BTreeMap::keys);
        epochs.fold(Digest::default(), |digest, epoch| Digest {
            count: digest.count + 1,
            sum: digest.sum.wrapping_add(*epoch),
        })
    }

    fn own_held(&self) -> &BTreeMap<u64, Probe> {
        static NONE: BTreeMap<u64, Probe> = BTreeMap::new();
        self.replicas.get(&self.own).map_or(&NONE, |own| &own.held)
    }

    fn held_of(&self, epochs: Vec<u64>) -> Vec<Held> {
        let held = epochs.into_iter().filter_map(|epoch| {
            let probe = self.own_held().get(&epoch)?;
            let connections = self.probes.get(&probe.org)?.get(&probe.id)?;
            let connection = connections.get(&(epoch, self.own.clone()))?;
            let connected_for = connection.since.elapsed().as_millis();
            Some(Held {
                org_id: probe.org.clone(),
                probe_id: probe.id.clone(),
                version: connection.version.clone(),
                epoch,
                connected_for_ms: u64::try_from(connected_for).unwrap_or(u64::MAX),
            })
        });
        held.collect()
    }

    fn epochs(&self, replica: &str, range: RangeInclusive<u64>) -> Vec<u64> {
        if range.is_empty() {
            return Vec::new();
        }
        let held = self.replicas.get(replica).map(|replica| &replica.held);
        let within = held.into_iter().flat_map(|held| held.range(range.clone()));
        within.map(|(epoch, _)| *epoch).collect()
    }

    fn insert(&mut self, replica: &str, probe: Probe, epoch: u64, connection: Connection) {
        self.highest = self.highest.max(epoch);
        let probes = self.probes.entry(probe.org.clone()).or_default();
        let connections = probes.entry(probe.id.clone()).or_default();
        connections.insert((epoch, replica.to_owned()), connection);
        let replica = self.replicas.entry(replica.to_owned()).or_default();
        replica.held.insert(epoch, probe);
    }

    fn remove(&mut self, replica: &str, epoch: u64) {
        let held = self
            .replicas
            .get_mut(replica)
            .map(|replica| &mut replica.held);
        let Some(probe) = held.and_then(|held| held.remove(&epoch)) else {
            return;
        };
        let Some(probes) = self.probes.get_mut(&probe.org) else {
            return;
        };
        if let Some(connections) = probes.get_mut(&probe.id) {
            connections.remove(&(epoch, replica.to_owned()));
            if connections.is_empty() {
                probes.remove(&probe.id);
            }
        }
        if probes.is_empty() {
            self.probes.remove(&probe.org);
        }
    }
}

#[cfg(test)]
mod tests;
