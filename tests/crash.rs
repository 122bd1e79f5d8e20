//! Killing collection again and again while reports pour in, and counting what is left of them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stores::archive::Archive;
use tokio::time::{Instant, sleep};

use crate::audit::in_log_or_stores;
use crate::load::{ORGS, unix_nanos};
use crate::{Audit, Collection, Keep, Load, Server};

/// What collection is started with: segments that are stored as often as it allows.
pub const FLAGS: [&str; 2] = ["--flush-interval", "1s"];
/// A moment that does not come, because a store is away, is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the stores may take to get everything in the end.
const DRAIN: Duration = Duration::from_secs(120);
/// What is stored in a round was accepted so many nanoseconds before its end, at most.
const PAST: i64 = 30_000_000_000;
/// How often the folders are looked at.
const LOOK: Duration = Duration::from_millis(1);

/// When collection is killed, after the submitters began.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// After so long. Short, what was left of the round before is being stored; long, anything.
    After(Duration),
    /// So long after a segment was closed, while it is being stored.
    Closed(Duration),
    /// So long after an object was written.
    Object(Duration),
    /// When a segment was renamed.
    Renamed,
}

/// Servers that reports are kept in, which are killed as well.
#[derive(Debug)]
pub struct Servers {
    s3: Server,
    dynamodb: Server,
}

impl Servers {
    /// s3s-fs with a bucket, and dynoxide.
    ///
    /// # Errors
    /// When they do not get ready.
    pub async fn start() -> anyhow::Result<Servers> {
        let (s3, dynamodb) = tokio::try_join!(Server::s3s_fs(), Server::dynoxide())?;
        s3.make_bucket("reports").await?;
        Ok(Servers { s3, dynamodb })
    }

    /// Where reports are kept, with S3 and DynamoDB at these `host:port`s: the servers' own, or of proxies before them.
    ///
    /// # Errors
    /// When these are no addresses, or there is no room for the credential.
    pub fn keep_at(&self, s3: &str, dynamodb: &str) -> anyhow::Result<Keep> {
        let credentials = self.s3.credentials_file()?;
        let credentials = credentials.display();
        let objects = format!("s3://reports?endpoint=http://{s3}&credentials={credentials}");
        let index = format!(
            "dynamodb://reports?endpoint=http://{dynamodb}&credentials={credentials}&create=true"
        );
        Ok(Keep {
            objects: objects.parse()?,
            index: index.parse()?,
        })
    }

    /// Where reports are kept.
    ///
    /// # Errors
    /// When there is no room for the credential.
    pub fn keep(&self) -> anyhow::Result<Keep> {
        self.keep_at(&self.s3.address(), &self.dynamodb.address())
    }

    /// The S3 server.
    #[must_use]
    pub fn s3(&self) -> &Server {
        &self.s3
    }

    /// The DynamoDB server.
    #[must_use]
    pub fn dynamodb(&self) -> &Server {
        &self.dynamodb
    }

    fn any(&mut self, random: &mut StdRng) -> &mut Server {
        if random.random() {
            &mut self.s3
        } else {
            &mut self.dynamodb
        }
    }
}

/// Where the kills hit.
#[derive(Debug, Default)]
pub struct Hits {
    starting: u32,
    appending: u32,
    closed: u32,
    object: u32,
    row: u32,
    stores: u32,
}

impl fmt::Display for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "kills: {} while starting, {} with nothing to store, {} before the object, {} between object and row, \
             {} between row and rename, {} of a store",
            self.starting, self.appending, self.closed, self.object, self.row, self.stores
        )
    }
}

/// Kills it so many times; what is left of what it acknowledged.
///
/// # Errors
/// When a report that it acknowledged is neither in its log nor in the stores at some time, or something does not start.
pub async fn crash(
    collection: &mut Collection,
    mut servers: Option<&mut Servers>,
    rounds: u32,
    seed: u64,
) -> anyhow::Result<(Audit, Hits)> {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut acked, mut hits, began) = (Vec::new(), Hits::default(), unix_nanos());
    let log = collection.log_dir();
    let objects = match &servers {
        Some(servers) => servers.s3.folder().join("data"),
        None => collection.folder().join("reports"),
    };
    let mut last = 0;
    for round in 0..rounds {
        if random.random_bool(0.2) {
            collection.spawn()?;
            sleep(millis(&mut random, 150)).await;
            collection.kill().await?;
            hits.starting += 1;
        }
        collection.start().await?;
        let archive = collection.keep().archive().await?;
        let recent = &acked[last..];
        let checked = in_log_or_stores(&mut collection.caller()?, &archive, recent).await;
        checked.with_context(|| format!("after {round} rounds with seed {seed}"))?;
        last = acked.len();

        let moment = moment(&mut random);
        let load = Load::start(&collection.caller()?, Duration::ZERO);
        if let Some(servers) = servers.as_deref_mut()
            && random.random_bool(0.3)
        {
            let server = servers.any(&mut random);
            sleep(millis(&mut random, 500)).await;
            server.kill();
            hits.stores += 1;
            wait(moment, &log, &objects).await?;
            if random.random() {
                server.restart().await?;
                sleep(millis(&mut random, 300)).await;
            }
            collection.kill().await?;
            if server.pid().is_none() {
                server.restart().await?;
            }
        } else {
            wait(moment, &log, &objects).await?;
            collection.kill().await?;
        }
        acked.extend(load.stop().await?);
        let from = unix_nanos() - PAST;
        hits.note(&log, &objects, &archive, from).await?;
    }
    collection.start().await?;
    collection.until_stored(DRAIN).await?;
    let archive = collection.keep().archive().await?;
    Ok((Audit::of(&archive, &acked, began).await?, hits))
}

fn millis(random: &mut StdRng, below: u64) -> Duration {
    Duration::from_micros(random.random_range(0..below * 1000))
}

fn moment(random: &mut StdRng) -> Moment {
    match random.random_range(0..100) {
        0..40 => Moment::After(millis(random, 120)),
        40..50 => Moment::After(millis(random, 2000)),
        50..65 => Moment::Closed(millis(random, 40)),
        65..90 => Moment::Object(millis(random, 8)),
        _ => Moment::Renamed,
    }
}

/// Waits for it, with objects in this folder.
async fn wait(moment: Moment, log: &Path, objects: &Path) -> anyhow::Result<()> {
    let (folder, extension, more, later) = match moment {
        Moment::After(time) => {
            sleep(time).await;
            return Ok(());
        }
        // The first one is begun by the first report, the second one when that is closed.
        Moment::Closed(later) => (log, "log", 2, later),
        Moment::Object(later) => (objects, "weft", 1, later),
        Moment::Renamed => (log, "stored", 1, Duration::ZERO),
    };
    let deadline = Instant::now() + PATIENCE;
    let before = files(folder, extension)?;
    while files(folder, extension)?.difference(&before).count() < more && Instant::now() < deadline
    {
        sleep(LOOK).await;
    }
    sleep(later).await;
    Ok(())
}

/// The names of the files of this kind, wherever in this folder, without their extension.
fn files(folder: &Path, extension: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let entries = match std::fs::read_dir(folder) {
        // Nothing was written yet.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            names.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|e| e == extension) {
            let name = path.file_stem().context("a name")?;
            names.insert(name.to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

impl Hits {
    /// Notes how far the storing of what is still in the log had come.
    async fn note(
        &mut self,
        log: &Path,
        objects: &Path,
        archive: &Archive,
        from: i64,
    ) -> anyhow::Result<()> {
        let waiting = files(log, "log")?;
        let is_of = |key: &str| waiting.iter().any(|name| key.contains(name.as_str()));
        let mut rows = Vec::new();
        for org in ORGS {
            rows.extend(archive.rows(org, from, unix_nanos()).await?);
        }
        if rows.iter().any(|row| is_of(&row.object)) {
            self.row += 1;
        } else if files(objects, "weft")?.iter().any(|key| is_of(key)) {
            self.object += 1;
        } else if waiting.len() > 1 {
            self.closed += 1;
        } else {
            self.appending += 1;
        }
        Ok(())
    }
}
