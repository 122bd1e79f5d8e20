//! A watcher that comes back when its stream breaks, and keeps a record of all that it saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use client::Channel;
use proto::query::v1 as pb;
use proto::query::v1::query_service_client::QueryServiceClient;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::fleet::Front;
use super::probes::{NUMBER, Probes, Told};

/// How often it asks, in milliseconds.
const INTERVAL: u32 = 100;
/// How long a client waits before it asks again.
const AGAIN: Duration = Duration::from_millis(50);

/// Watches the hosts of an organisation.
pub(super) struct Watcher {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
struct Seen {
    org: &'static str,
    hosts: BTreeSet<String>,
    /// The number of each host's last report.
    view: BTreeMap<String, u64>,
    version: String,
    /// It saw every host at once.
    whole: bool,
    /// When a host was seen to have reported anew, while all others were in sight.
    news: Vec<Instant>,
    /// Which of a host's reports were seen first when.
    sights: BTreeMap<String, Vec<(u64, Instant)>>,
    breaks: usize,
    wrong: Vec<String>,
}

impl Watcher {
    /// Starts one that asks this replica of query first.
    pub(super) fn start(front: &Front, org: &'static str, first: usize) -> anyhow::Result<Watcher> {
        let seen = Arc::new(Mutex::new(Seen {
            org,
            hosts: Probes::nodes(org),
            ..Seen::default()
        }));
        let channel = front.to_query(org, first)?;
        let task = tokio::spawn(watch(front.clone(), org, channel, Arc::clone(&seen)));
        Ok(Watcher { seen, task })
    }

    /// Whether it has seen every host at once.
    pub(super) fn is_whole(&self) -> bool {
        lock(&self.seen).whole
    }

    /// How often its stream broke.
    pub(super) fn breaks(&self) -> usize {
        lock(&self.seen).breaks
    }

    /// The longest time between these moments in which it heard of nothing new.
    pub(super) fn gap(&self, from: Instant, until: Instant) -> Duration {
        let seen = lock(&self.seen);
        let within = seen.news.iter().filter(|at| (from..until).contains(*at));
        let ends = within.copied().chain([until]);
        let gaps = ends.scan(from, |last, at| Some(at - std::mem::replace(last, at)));
        gaps.max().unwrap_or_default()
    }

    /// The longest time from when a report was acknowledged, between these moments, until this or a later one of its host
    /// was seen.
    pub(super) fn delay(&self, told: &Told, from: Instant, until: Instant) -> Option<Duration> {
        let seen = lock(&self.seen);
        let delays = seen.hosts.iter().flat_map(|host| {
            let reports = told.reports.get(host).into_iter().flatten();
            let reports = reports.filter(|(_, at)| (from..until).contains(at));
            let sights = seen.sights.get(host).map_or(&[][..], Vec::as_slice);
            reports.map(move |(number, acked)| {
                let sight = sights.iter().find(|(seen, _)| seen >= number);
                sight.map(|(_, at)| at.saturating_duration_since(*acked))
            })
        });
        delays.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Whether it has seen the last report of every host.
    pub(super) fn is_up_to_date(&self, told: &Told) -> bool {
        let seen = lock(&self.seen);
        seen.hosts.iter().all(|host| {
            let last = told.reports.get(host).and_then(|reports| reports.last());
            last.is_none_or(|(number, _)| seen.view.get(host) >= Some(number))
        })
    }

    /// Fails if a host ever went out of sight, or back in time, or was shown late.
    pub(super) fn passed(&self) -> anyhow::Result<()> {
        let seen = lock(&self.seen);
        ensure!(seen.wrong.is_empty(), "{}: {:?}", seen.org, seen.wrong);
        Ok(())
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches for ever, from where the last stream broke off.
async fn watch(front: Front, org: &'static str, channel: Channel, seen: Arc<Mutex<Seen>>) {
    let mut query = QueryServiceClient::new(channel);
    loop {
        let request = pb::WatchTopologyRequest {
            topology_id: "hosts".to_owned(),
            selection: Some(pb::Selection {
                unfiltered: true,
                ..pb::Selection::default()
            }),
            resume_from: lock(&seen).version.clone(),
            interval_ms: INTERVAL,
            ..pb::WatchTopologyRequest::default()
        };
        if let Ok(stream) = query.watch_topology(front.request(org, request)).await {
            let mut stream = stream.into_inner();
            while let Ok(Some(change)) = stream.message().await {
                lock(&seen).take(change);
            }
            lock(&seen).breaks += 1;
        }
        sleep(AGAIN).await;
    }
}

impl Seen {
    fn take(&mut self, change: pb::WatchTopologyResponse) {
        let mut view = match change.reset {
            true => BTreeMap::new(),
            false => self.view.clone(),
        };
        for id in &change.removed_ids {
            view.remove(id);
        }
        for node in change.added.into_iter().chain(change.updated) {
            if node.stale {
                self.wrong.push(format!("{} is late", node.id));
            }
            let number = node.metadata.iter().find(|row| row.id == NUMBER);
            let number = number.and_then(|row| row.value.parse().ok());
            view.insert(node.id, number.unwrap_or(0));
        }
        let now = Instant::now();
        let shown = |id: &String| view.get(id).copied();
        for (id, before) in &self.view {
            let after = shown(id);
            if after < Some(*before) {
                let reset = change.reset;
                let wrong = format!("{id}: {after:?} after {before}, reset: {reset}");
                self.wrong.push(wrong);
            }
        }
        let strange = view.keys().filter(|id| !self.hosts.contains(*id));
        self.wrong
            .extend(strange.map(|id| format!("{id} is of nobody")));
        let whole = view.len() == self.hosts.len();
        let news = view
            .iter()
            .filter(|(id, number)| self.view.get(*id) < Some(*number));
        let mut any = false;
        for (id, number) in news {
            any = true;
            let sights = self.sights.entry(id.clone()).or_default();
            sights.push((*number, now));
        }
        if any && whole {
            self.news.push(now);
        }
        self.whole |= whole;
        self.view = view;
        self.version = change.version;
    }
}
