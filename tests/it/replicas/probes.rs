//! Probes of which every report says something new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tests::Acked;
use tests::collection::until;
use tests::load::{said, unix_nanos};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::PATIENCE;
use super::fleet::Front;

/// Hosts of every organisation.
const HOSTS: u32 = 9;
/// Between two reports of a host. Hosts of an organisation take turns, so that something changes every 250 ms.
const INTERVAL: Duration = Duration::from_millis(2250);

/// The fact that is a report's number.
pub(super) const NUMBER: &str = "number";

/// The id of a host's node.
fn node_id(host: &str) -> String {
    format!("{host};<host>")
}

/// The hosts of an organisation.
fn hosts(org: &str) -> impl Iterator<Item = String> {
    (0..HOSTS).map(move |n| format!("{org}-{n}"))
}

/// A host's report, with its number.
fn report(host: &str, number: u64) -> String {
    // Of two facts the later one holds.
    let (minute, second) = (number / 60, number % 60);
    let timestamp = format!("2026-01-01T00:{minute:02}:{second:02}Z");
    let fact = |value: &str| json!({"timestamp": timestamp, "value": value});
    let id = node_id(host);
    let latest = json!({"host_name": fact(host), NUMBER: fact(&number.to_string())});
    let row = json!({"id": NUMBER, "label": "Report", "from": "latest", "priority": 1});
    json!({"Window": 2, "Host": {
        "shape": "circle",
        "metadata_templates": {NUMBER: row},
        "nodes": {&id: {"id": id, "topology": "host", "latest": latest}},
    }})
    .to_string()
}

/// Probes that report until they are told to stop.
pub(super) struct Probes {
    tasks: JoinSet<()>,
    told: Arc<Mutex<Told>>,
}

/// What became of the posts.
#[derive(Default)]
pub(super) struct Told {
    pub(super) acked: Vec<Acked>,
    /// The reports of each node that were acknowledged: number and time.
    pub(super) reports: BTreeMap<String, Vec<(u64, Instant)>>,
    pub(super) failed: usize,
}

impl Probes {
    pub(super) fn start(front: &Front, orgs: &'static [&str]) -> Probes {
        let (mut tasks, told) = (JoinSet::new(), Arc::default());
        for org in orgs {
            for (host, turn) in hosts(org).zip(0..) {
                let first = Instant::now() + INTERVAL * turn / HOSTS;
                tasks.spawn(probe(front.clone(), org, host, first, Arc::clone(&told)));
            }
        }
        Probes { tasks, told }
    }

    /// The ids of the nodes of an organisation's hosts.
    pub(super) fn nodes(org: &str) -> BTreeSet<String> {
        hosts(org).map(|host| node_id(&host)).collect()
    }

    /// Waits until so many more reports of every host are acknowledged.
    pub(super) async fn report(&self, reports: usize) -> anyhow::Result<()> {
        let counts = || -> Vec<usize> {
            let told = lock(&self.told);
            told.reports.values().map(Vec::len).collect()
        };
        until("every host has reported", PATIENCE, async || {
            Ok(counts().len() == self.tasks.len())
        })
        .await?;
        let before = counts();
        until("every host reports", PATIENCE, async || {
            Ok(counts()
                .iter()
                .zip(&before)
                .all(|(n, before)| *n >= before + reports))
        })
        .await
    }

    /// Stops them.
    pub(super) async fn stop(mut self) -> Told {
        self.tasks.shutdown().await;
        std::mem::take(&mut *lock(&self.told))
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports for ever. As Scope's own, it does not send again what was not taken: the next report says more.
async fn probe(
    front: Front,
    org: &'static str,
    host: String,
    first: Instant,
    told: Arc<Mutex<Told>>,
) {
    let mut turns = interval_at(first, INTERVAL);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1.. {
        turns.tick().await;
        let (body, sent) = (report(&host, number), unix_nanos());
        let posted = front.post(org, &host, body.clone().into()).await;
        let mut told = lock(&told);
        match posted {
            Ok(report_id) => {
                told.acked.push(Acked {
                    org: org.to_owned(),
                    report_id,
                    said: said(body.as_bytes()),
                    sent,
                });
                let reports = told.reports.entry(node_id(&host)).or_default();
                reports.push((number, Instant::now()));
            }
            Err(_) => told.failed += 1,
        }
    }
}
