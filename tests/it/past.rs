//! Hours of the recorded scenarios, told to collection while its clock is moved by hand: what was seen at any moment of them
//! is seen again when that moment is asked for, and nothing is missing from the whole.

mod busy;
mod days;
mod reader;
mod silence;
mod time;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{bail, ensure};
use rand::SeedableRng;
use rand::rngs::StdRng;
use stores::archive::report_name;
use tempfile::TempDir;
use tests::Keep;
use tests::collection::timestamp;
use tests::crash::Servers;

use days::{Event, HOURS, ORGS, days};
use reader::{Reader, Sight};
use world::World;

/// How many moments are looked at.
const LOOKS: usize = 50;
/// What is listed of an organisation at least.
const WINDOW: i64 = 3 * 3600 * 1_000_000_000;
/// What a timeline of it is divided into.
const SPANS: u32 = 180;
/// Two events are at least so far apart.
const INSTANT: Duration = Duration::from_millis(1);

/// What an organisation saw at a moment.
struct Look {
    org: &'static str,
    at: i64,
    sight: Sight,
}

/// What happened.
struct Told {
    from: i64,
    until: i64,
    looks: Vec<Look>,
    /// The names of each organisation's reports.
    acked: BTreeMap<&'static str, Vec<String>>,
}

/// Tells everything, and notes what is seen meanwhile.
async fn tell(world: &World, query: &Reader, random: &mut StdRng) -> anyhow::Result<Told> {
    let from = world.now();
    let (mut looks, mut acked) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
    let mut passed = Duration::ZERO;
    for (at, event) in days(random, LOOKS)? {
        let time = at.saturating_sub(passed) + INSTANT;
        world.pass(time).await?;
        passed += time;
        match event {
            Event::Report {
                replica,
                org,
                report,
            } => {
                let name = world.post(replica, org, report).await?;
                acked.entry(org).or_default().push(name);
            }
            Event::Look => {
                for org in ORGS {
                    let (at, sight) = (world.now(), query.see(org, None).await?);
                    ensure!(at == world.now(), "time does not stand");
                    looks.push(Look { org, at, sight });
                }
            }
        }
    }
    world.pass(HOURS.saturating_sub(passed)).await?;
    Ok(Told {
        from,
        until: world.now() + 1,
        looks,
        acked,
    })
}

/// Every moment that was looked at is as it was.
async fn look_back(query: &Reader, told: &Told) -> anyhow::Result<()> {
    for Look { org, at, sight } in &told.looks {
        let again = query.see(org, Some(timestamp(*at))).await?;
        let when = (at - told.from) / 1_000_000;
        if let Some(difference) = sight.difference(&again) {
            bail!("{org} after {when} ms: {difference}");
        }
    }
    Ok(())
}

/// Every report is listed, and counted.
async fn is_complete(world: &World, query: &Reader, told: &Told) -> anyhow::Result<()> {
    let (from, until) = (told.from, told.until);
    ensure!(until - from > WINDOW, "the window is short");
    for (org, acked) in &told.acked {
        // In this order, or what is on its way from one to the other is missed.
        let mut names = world.logged(org, from, until).await?;
        let stored = query.archive.reports(org, from, until).await?;
        ensure!(stored.damaged.is_empty(), "{:?}", stored.damaged);
        names.extend(stored.reports.iter().map(|r| report_name(&r.header)));
        let names: BTreeSet<String> = names.into_iter().collect();
        let expected: BTreeSet<String> = acked.iter().cloned().collect();
        ensure!(
            names == expected,
            "{org}: {} of {}",
            names.len(),
            expected.len()
        );

        let timeline = query.timeline(org, from..until, SPANS).await?;
        let counted: u32 = timeline.spans.iter().map(|span| span.reports).sum();
        let expected = acked.len();
        ensure!(
            counted as usize == expected,
            "{org}: {counted} of {expected} in the timeline"
        );
        ensure!(timeline.warnings.is_empty(), "{:?}", timeline.warnings);
    }
    Ok(())
}

/// What `WEFT_SEED` says, or any.
fn seed() -> anyhow::Result<u64> {
    Ok(std::env::var("WEFT_SEED").map_or(Ok(rand::random()), |seed| seed.parse())?)
}

async fn hours_pass(keep: Keep) -> anyhow::Result<()> {
    let seed = seed()?;
    println!("WEFT_SEED={seed}");
    let world = World::new(keep).await?;
    let query = world.query().await?;
    let told = tell(&world, &query, &mut StdRng::seed_from_u64(seed)).await?;
    let full = told.looks.iter().filter(|look| look.sight.nodes() > 0);
    let (full, late) = (
        full.count(),
        told.looks.iter().filter(|look| look.sight.is_late()),
    );
    let acked: usize = told.acked.values().map(Vec::len).sum();
    println!(
        "{acked} reports; {full} sights of something, {} of late probes",
        late.clone().count()
    );
    ensure!(
        full > LOOKS / 2 && late.count() > 0,
        "there was little to see"
    );
    look_back(&query, &told).await?;
    is_complete(&world, &query, &told).await?;
    world.end().await?;
    let query = world.query_of_stores().await?;
    look_back(&query, &told).await?;
    is_complete(&world, &query, &told).await
}

/// Stores in a folder.
fn files() -> anyhow::Result<(TempDir, Keep)> {
    let dir = TempDir::new()?;
    let path = dir.path().display();
    let keep = Keep {
        objects: format!("file://{path}/reports").parse()?,
        index: format!("sqlite://{path}/index.sqlite").parse()?,
    };
    Ok((dir, keep))
}

#[tokio::test]
async fn past_in_files_is_as_it_was() -> anyhow::Result<()> {
    let (_dir, keep) = files()?;
    hours_pass(keep).await
}

#[tokio::test]
async fn past_in_s3_and_dynamodb_is_as_it_was() -> anyhow::Result<()> {
    let servers = Servers::start().await?;
    hours_pass(servers.keep()?).await
}
