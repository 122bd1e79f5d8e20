//! One rendering for all who watch the same nodes in the same form.
//!
//! A hub keeps every node encoded, with the version in which it came and last changed. What a watcher is sent is worked
//! out from the version it has: there is no queue per watcher, and one that comes late gets all it missed at once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use proto::encoded::query::v1 as pb;
use report::options::Selection;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::{Code, Status};

use crate::convert;
use crate::moment::timestamp;
use crate::tenant::{Reading, Tenant, Version};

/// Removals remembered for watchers that come back; older versions get everything anew.
const REMOVALS: usize = 20_000;

/// Looked at anew this often in any case, so that a hub notices that nobody watches it any more.
const AT_MOST: Duration = Duration::from_secs(1);

/// The least time between two renderings, however urgent.
const URGENT: Duration = Duration::from_millis(50);

/// How nodes are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// Protobuf `NodeSummary` with this much in it.
    Proto(convert::Detail),
    /// Scope's JSON.
    Json,
}

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    pub(crate) topology: String,
    pub(crate) selection: Selection,
    pub(crate) form: Form,
}

/// The hubs of one tenant.
#[derive(Debug)]
pub(crate) struct Hubs {
    interval: Duration,
    hubs: Mutex<HashMap<Subject, Weak<Hub>>>,
}

/// The nodes of one subject.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
    version: watch::Sender<u64>,
    /// Rises when what is rendered shall be seen at once.
    urgent: watch::Sender<u64>,
    /// How often the most eager of its watchers so far wants to hear of it.
    pace: watch::Sender<Duration>,
    /// Unique per hub, so that a version of another one is not mistaken for one of this.
    id: u64,
}

#[derive(Debug, Default)]
struct State {
    nodes: BTreeMap<Vec<u8>, Node>,
    removed: VecDeque<(u64, Vec<u8>)>,
    /// Versions below this one cannot be caught up from.
    floor: u64,
    version: u64,
    rendered: Option<Version>,
    warnings: Vec<String>,
    /// The version in which the warnings last changed.
    warned: u64,
    at: i64,
    /// The change that was worked out last, for the other watchers that ask for the same.
    last: Option<(u64, Arc<Change>)>,
}

#[derive(Debug)]
struct Node {
    fingerprint: u64,
    encoded: Bytes,
    came: u64,
    changed: u64,
}

/// What a watcher is to be told.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Change {
    pub(crate) reset: bool,
    pub(crate) added: Vec<Bytes>,
    pub(crate) updated: Vec<Bytes>,
    pub(crate) removed: Vec<Vec<u8>>,
    pub(crate) version: u64,
    /// The moment that is shown, in Unix nanoseconds.
    pub(crate) at: i64,
    pub(crate) warnings: Vec<String>,
    /// The warnings are others than before.
    pub(crate) warned: bool,
}

impl Change {
    /// Whether no node changed.
    pub(crate) fn is_empty(&self) -> bool {
        !self.reset && self.added.is_empty() && self.updated.is_empty() && self.removed.is_empty()
    }
}

impl Hubs {
    pub(crate) fn new(interval: Duration) -> Self {
        Hubs {
            interval,
            hubs: Mutex::default(),
        }
    }
}

/// The hub of this subject, rendered at least once, for a watcher that wants to hear of it this often. NOT_FOUND: no such
/// topology.
pub(crate) async fn join(
    tenant: &Arc<Tenant>,
    subject: Subject,
    interval: Duration,
) -> Result<Arc<Hub>, Status> {
    let (hub, is_new) = {
        let hubs = &tenant.hubs;
        let mut known = hubs.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, hub| hub.strong_count() > 0);
        match known.get(&subject).and_then(Weak::upgrade) {
            Some(hub) => (hub, false),
            None => {
                let hub = Arc::new(Hub {
                    state: Mutex::default(),
                    version: watch::Sender::new(0),
                    urgent: watch::Sender::new(0),
                    pace: watch::Sender::new(interval),
                    id: rand::random(),
                });
                known.insert(subject.clone(), Arc::downgrade(&hub));
                (hub, true)
            }
        }
    };
    hub.pace.send_if_modified(|pace| {
        let faster = interval < *pace;
        *pace = interval.min(*pace);
        faster
    });
    // Whoever joins later gets what is new as a change, like all the others: a crowd must not render once each.
    if is_new || !hub.is_rendered() {
        render(tenant, &hub, &subject).await?;
    }
    if is_new && !tenant.stands() {
        let (tenant, hub) = (Arc::clone(tenant), Arc::downgrade(&hub));
        tokio::spawn(keep_fresh(tenant, hub, subject));
    }
    Ok(hub)
}

/// Renders whenever reports came or expired, until nobody watches.
async fn keep_fresh(tenant: Arc<Tenant>, hub: Weak<Hub>, subject: Subject) {
    let mut arrivals = tenant.arrivals();
    let mut urgencies = tenant.urgencies();
    let least = tenant.hubs.interval;
    loop {
        let Some(strong) = hub.upgrade() else { return };
        arrivals.mark_unchanged();
        let urgent = urgencies.has_changed().unwrap_or(false);
        urgencies.mark_unchanged();
        let started = Instant::now();
        let next_expiry = match render(&tenant, &strong, &subject).await {
            Ok(next_expiry) => next_expiry,
            // What fails for one state may well succeed for the next.
            Err(status) if status.code() == Code::Internal => AT_MOST,
            Err(_) => return,
        };
        if urgent {
            strong.urgent.send_modify(|n| *n += 1);
        }
        let pace = strong.pace.subscribe();
        drop(strong);
        let news = async {
            rest(started, least, pace).await;
            tokio::select! {
                _ = arrivals.changed() => {}
                () = sleep(next_expiry) => {}
            }
        };
        let hurry = async {
            // Another receiver, so that the next round still sees that it was urgent.
            let _ = urgencies.clone().changed().await;
            sleep_until(started + URGENT).await;
        };
        tokio::select! {
            () = news => {}
            () = hurry => {}
        }
    }
}

/// Waits until the most eager watcher wants to hear again, whoever that is by then.
async fn rest(rendered: Instant, least: Duration, mut pace: watch::Receiver<Duration>) {
    loop {
        let interval = least.max(*pace.borrow_and_update());
        tokio::select! {
            () = sleep_until(rendered + interval) => return,
            Ok(()) = pace.changed() => {}
        }
    }
}

/// Brings a hub up to date; how long until something expires.
async fn render(
    tenant: &Arc<Tenant>,
    hub: &Arc<Hub>,
    subject: &Subject,
) -> Result<Duration, Status> {
    let (hub_there, subject) = (Arc::clone(hub), subject.clone());
    tenant
        .read(move |reading| {
            let wait = reading.next_expiry.map(|at| at.saturating_sub(reading.now));
            let wait = wait.map(|w| Duration::from_nanos(u64::try_from(w).unwrap_or(0)));
            let known = hub_there.update(reading, &subject);
            known.then_some(wait.unwrap_or(AT_MOST).min(AT_MOST))
        })
        .await?
        .ok_or_else(|| Status::not_found("there is no such topology"))
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_rendered(&self) -> bool {
        self.lock().rendered.is_some()
    }

    /// Changes when there is something new.
    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Changes when what is new shall be seen at once.
    pub(crate) fn urgencies(&self) -> watch::Receiver<u64> {
        self.urgent.subscribe()
    }

    /// Names a version of this hub for others to keep.
    fn name(&self, version: u64) -> String {
        format!("{:016x}-{version}", self.id)
    }

    /// The version of this name, if it is one of this hub's.
    pub(crate) fn version_of(&self, name: &str) -> Option<u64> {
        let (id, version) = name.split_once('-')?;
        (u64::from_str_radix(id, 16) == Ok(self.id)).then(|| version.parse().ok())?
    }

    /// What changed since this version, or everything.
    pub(crate) fn since(&self, version: Option<u64>) -> Arc<Change> {
        let mut state = self.lock();
        let from = version.filter(|&v| v >= state.floor && v <= state.version);
        let key = from.map_or(u64::MAX, |v| v);
        if let Some((last_key, change)) = &state.last
            && *last_key == key
            && change.version == state.version
        {
            return Arc::clone(change);
        }
        let change = Arc::new(state.since(from));
        state.last = Some((key, Arc::clone(&change)));
        change
    }

    /// A change as a message; the nodes in it are shared with every other watcher.
    pub(crate) fn message(&self, change: &Change) -> pb::WatchTopologyResponse {
        pb::WatchTopologyResponse {
            reset: change.reset,
            added: change.added.clone(),
            updated: change.updated.clone(),
            removed_ids: change.removed.iter().map(|id| convert::text(id)).collect(),
            version: self.name(change.version),
            at: Some(timestamp(change.at)),
            warnings: change.warnings.clone(),
        }
    }

    /// Takes over what is rendered now; false if there is no such topology.
    fn update(&self, reading: Reading<'_>, subject: &Subject) -> bool {
        let mut state = self.lock();
        if state.rendered == Some(reading.version) && state.warnings == reading.warnings {
            state.at = reading.now;
            return true;
        }
        let Reading {
            view,
            symbols,
            version: rendered,
            now,
            warnings,
            ..
        } = reading;
        let Some(summaries) = view.topology(symbols, &subject.topology, &subject.selection) else {
            return false;
        };
        let version = state.version + 1;
        let warned = state.warnings != warnings;
        let mut changed = state.rendered.is_none() || warned;
        let mut kept = BTreeMap::new();
        let mut before = std::mem::take(&mut state.nodes);
        for summary in summaries {
            let fingerprint = summary.fingerprint();
            let (id, known) = match before.remove_entry(summary.id.as_ref()) {
                Some((id, known)) => (id, Some(known)),
                None => (summary.id.to_vec(), None),
            };
            let node = match known {
                Some(node) if node.fingerprint == fingerprint => node,
                Some(node) => {
                    let encoded = encode(&summary, subject.form);
                    let differs = encoded != node.encoded;
                    changed |= differs;
                    Node {
                        fingerprint,
                        encoded,
                        came: node.came,
                        changed: if differs { version } else { node.changed },
                    }
                }
                None => {
                    changed = true;
                    Node {
                        fingerprint,
                        encoded: encode(&summary, subject.form),
                        came: version,
                        changed: version,
                    }
                }
            };
            kept.insert(id, node);
        }
        changed |= !before.is_empty();
        state.nodes = kept;
        state.forget(before.into_keys(), version);
        state.rendered = Some(rendered);
        state.warnings = warnings;
        if warned {
            state.warned = version;
        }
        state.at = now;
        if changed {
            state.version = version;
            drop(state);
            self.version.send_replace(version);
        }
        true
    }
}

impl State {
    fn forget(&mut self, gone: impl Iterator<Item = Vec<u8>>, version: u64) {
        self.removed.extend(gone.map(|id| (version, id)));
        while self.removed.len() > REMOVALS {
            if let Some((version, _)) = self.removed.pop_front() {
                self.floor = version;
            }
        }
    }

    fn since(&self, from: Option<u64>) -> Change {
        let mut change = Change {
            reset: from.is_none(),
            version: self.version,
            at: self.at,
            warnings: self.warnings.clone(),
            ..Change::default()
        };
        let Some(from) = from else {
            change.added = self.nodes.values().map(|n| n.encoded.clone()).collect();
            return change;
        };
        change.warned = self.warned > from;
        for node in self.nodes.values() {
            if node.came > from {
                change.added.push(node.encoded.clone());
            } else if node.changed > from {
                change.updated.push(node.encoded.clone());
            }
        }
        let removed = self.removed.iter().filter(|(v, _)| *v > from);
        change.removed = removed.map(|(_, id)| id.clone()).collect();
        change.removed.sort();
        change.removed.dedup();
        change
    }
}

fn encode(summary: &report::summary::Summary<'_>, form: Form) -> Bytes {
    match form {
        Form::Proto(detail) => convert::encode_summary(summary, detail),
        Form::Json => {
            let mut out = Vec::with_capacity(512);
            report::scope_json::write_summary(&mut out, summary);
            out.into()
        }
    }
}
