//! Several replicas of collection and of query: one of each dies, and nobody who watches loses sight of a host.

mod fleet;
mod probes;
mod watcher;

use std::time::Duration;

use anyhow::{Context, ensure};
use tests::Audit;
use tests::collection::until;
use tests::load::unix_nanos;
use tokio::time::Instant;

use fleet::{Fleet, LOCAL};
use probes::{Probes, Told};
use watcher::Watcher;

const ORGS: [&str; 3] = [LOCAL, "amber", "birch"];
/// Who is watched by whom that asks which replica of query first. Nobody watches birch at the second one before the first
/// one is gone.
const WATCHERS: [(&str, usize); 6] = [
    (LOCAL, 0),
    (LOCAL, 1),
    ("amber", 0),
    ("amber", 1),
    ("birch", 0),
    ("birch", 0),
];
/// Between two changes that a watcher sees, and between the acknowledgement of a report and its sight.
const GAP: Duration = Duration::from_secs(2);
/// What a replica acknowledged so shortly before its death may be seen only when it is back.
const LAST: Duration = Duration::from_millis(250);
/// How long something else may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Reports of every host between one event and the next.
const REPORTS: usize = 4;

/// Fails if a watcher heard of no change, or did not see a report, for longer than it may between these moments.
fn check(
    watchers: &[Watcher],
    told: &Told,
    what: &str,
    from: Instant,
    until: Instant,
) -> anyhow::Result<()> {
    let gaps = watchers.iter().map(|watcher| watcher.gap(from, until));
    let gap = gaps.max().context("a watcher")?;
    let delays = watchers
        .iter()
        .map(|watcher| watcher.delay(told, from, until));
    let delays: Option<Vec<Duration>> = delays.collect();
    let delay = delays.context("every report is seen")?;
    let delay = delay.into_iter().max().context("a watcher")?;
    println!("{what}: at most {gap:.2?} without a change, {delay:.2?} until a report was seen");
    ensure!(gap <= GAP && delay <= GAP, "{what}: {gap:?}, {delay:?}");
    Ok(())
}

#[tokio::test]
async fn replicas_die_and_watchers_see_every_host() -> anyhow::Result<()> {
    let began = unix_nanos();
    let mut fleet = Fleet::start().await?;
    let probes = Probes::start(&fleet.front, &ORGS);
    let watchers = WATCHERS.map(|(org, first)| Watcher::start(&fleet.front, org, first));
    let watchers = watchers.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    until("every watcher sees every host", PATIENCE, async || {
        Ok(watchers.iter().all(Watcher::is_whole))
    })
    .await?;
    let whole = Instant::now();
    probes.report(REPORTS).await?;
    for collection in &fleet.collections {
        let status = collection.status().await?;
        ensure!(status.accepted_reports > 0, "both replicas take reports");
    }

    let collection_died = Instant::now();
    fleet.collections[0].kill().await?;
    probes.report(REPORTS).await?;
    let query_died = Instant::now();
    fleet.queries[0].take().context("it runs")?.kill().await?;
    probes.report(REPORTS).await?;
    let broken = watchers.iter().filter(|watcher| watcher.breaks() > 0);
    ensure!(
        broken.count() >= ORGS.len(),
        "watches of the dead replica break"
    );
    let collection_back = Instant::now();
    fleet.collections[0].start().await?;
    probes.report(REPORTS).await?;
    let end = Instant::now();
    let told = probes.stop().await;
    until("every watcher has seen everything", PATIENCE, async || {
        Ok(watchers.iter().all(|watcher| watcher.is_up_to_date(&told)))
    })
    .await?;

    let check = |what, from, until| check(&watchers, &told, what, from, until);
    check("all replicas up", whole, collection_died - LAST)?;
    check("a collection killed", collection_died, query_died)?;
    check("a query killed", query_died, collection_back)?;
    check("the collection back", collection_back, end)?;
    for watcher in &watchers {
        watcher.passed()?;
    }
    for collection in &fleet.collections {
        collection.until_stored(PATIENCE).await?;
    }
    let archive = fleet.collections[0].keep().archive().await?;
    let audit = Audit::of(&archive, &told.acked, began).await?;
    println!("{audit}; {} posts failed", told.failed);
    audit.passed()
}
