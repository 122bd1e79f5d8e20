//! Stores that are away: reports are still taken, and all of them are found once the stores are back.

use std::time::Duration;

use anyhow::ensure;
use client::Key;
use tests::collection::{Caller, until};
use tests::crash::Servers;
use tests::load::{Load, Made, unix_nanos};
use tests::{Audit, Collection, Fault, FaultProxy, Sandbox, Server, Throttle, http};
use tokio::time::{Instant, sleep};
use tonic::Code;

/// Between two reports of a submitter.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a process may take to notice, or the stores to get everything.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the tests wait for while a store is away: so many more reports are acknowledged.
const REPORTS: usize = 60;

/// How long a store is away at least: `WEFT_OUTAGE` in seconds, or until the process has noticed.
fn outage() -> anyhow::Result<Duration> {
    let seconds = std::env::var("WEFT_OUTAGE").map_or(Ok(0), |n| n.parse())?;
    Ok(Duration::from_secs(seconds))
}

/// What stands between collection and its stores.
struct Stage {
    s3: FaultProxy,
    dynamodb: Throttle,
    nats: FaultProxy,
    collection: Collection,
    _servers: (Servers, Server),
}

impl Stage {
    async fn set() -> anyhow::Result<Stage> {
        let (servers, nats_server) = tokio::try_join!(Servers::start(), Server::nats())?;
        let s3 = FaultProxy::start(&servers.s3().address()).await?;
        let dynamodb = Throttle::start(&servers.dynamodb().address()).await?;
        let nats = FaultProxy::start(&nats_server.address()).await?;
        let keep = servers.keep_at(s3.address(), dynamodb.address())?;
        let shortcuts = format!("nats://{}", nats.address());
        let flags = ["--flush-interval", "1s", "--shortcuts", &shortcuts];
        Ok(Stage {
            s3,
            dynamodb,
            nats,
            collection: Collection::new(&flags)?.with_stores(keep),
            _servers: (servers, nats_server),
        })
    }

    async fn until_well(&self) -> anyhow::Result<()> {
        until("nothing is degraded", PATIENCE, async || {
            Ok(self.collection.readiness().await? == "ok\n")
        })
        .await
    }

    /// Reports pour in while a dependency goes away and comes back.
    async fn play<B, H>(mut self, name: &str, away: Away, begin: B, heal: H) -> anyhow::Result<()>
    where
        B: AsyncFn(&Stage) -> anyhow::Result<()>,
        H: AsyncFn(&Stage) -> anyhow::Result<()>,
    {
        if away.at_start {
            begin(&self).await?;
        }
        self.collection.start().await?;
        let began = unix_nanos();
        let load = Load::start(&self.collection.caller()?, PAUSE);
        more(&load, REPORTS).await?;
        let before = load.acked();
        if !away.at_start {
            self.until_well().await?;
            begin(&self).await?;
        }
        let started = Instant::now();
        until("it is degraded", PATIENCE, async || {
            let readiness = self.collection.readiness().await?;
            let told = format!("\n{}: ", away.dependency);
            Ok(
                !away.is_noticed
                    || readiness.starts_with("degraded\n") && readiness.contains(&told),
            )
        })
        .await?;
        let noticed = started.elapsed();
        sleep((started + outage()?).saturating_duration_since(Instant::now())).await;
        more(&load, REPORTS).await?;
        if away.is_needed {
            let backlog = (REPORTS / 2) as f64;
            until("the backlog grows", PATIENCE, async || {
                let waiting = self.collection.metric("weft_collection_backlog_reports");
                Ok(waiting.await? > backlog)
            })
            .await?;
        }
        let backlog = self.collection.status().await?.backlog_reports;
        let (during, time) = (load.acked() - before, started.elapsed());

        heal(&self).await?;
        let healed = Instant::now();
        self.until_well().await?;
        more(&load, REPORTS).await?;
        let acked = load.stop().await?;
        self.collection.until_stored(PATIENCE).await?;
        let drained = healed.elapsed();
        let archive = self.collection.keep().archive().await?;
        let audit = Audit::of(&archive, &acked, began).await?;
        println!(
            "{name} for {time:.1?}: noticed after {noticed:.1?}; {during} acknowledged meanwhile, {backlog} waiting at its \
             end, none {drained:.1?} after it; {audit}"
        );
        ensure!(!self.collection.said().contains("panicked"));
        audit.passed()
    }
}

/// What is away, and what that means.
struct Away {
    dependency: &'static str,
    at_start: bool,
    /// It is told that it is away.
    is_noticed: bool,
    /// Nothing can be stored without it.
    is_needed: bool,
}

const OBJECTS: Away = Away {
    dependency: "objects",
    at_start: false,
    is_noticed: true,
    is_needed: true,
};
const INDEX: Away = Away {
    dependency: "index",
    ..OBJECTS
};

/// Waits until so many more reports are acknowledged.
async fn more(load: &Load, reports: usize) -> anyhow::Result<()> {
    let wanted = load.acked() + reports;
    until("reports are acknowledged", PATIENCE, async || {
        Ok(load.acked() >= wanted)
    })
    .await
}

#[tokio::test]
async fn nothing_is_lost_while_s3_refuses_connections() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let cut = async |stage: &Stage| stage.s3.set(Fault::Cut).await;
    let heal = async |stage: &Stage| stage.s3.set(Fault::None).await;
    stage.play("S3 cut off", OBJECTS, cut, heal).await
}

#[tokio::test]
async fn nothing_is_lost_while_s3_does_not_answer() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let hole = async |stage: &Stage| stage.s3.set(Fault::BlackHole).await;
    let heal = async |stage: &Stage| stage.s3.set(Fault::None).await;
    stage.play("S3 in a black hole", OBJECTS, hole, heal).await
}

#[tokio::test]
async fn nothing_is_lost_while_dynamodb_throttles_everything() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let throttle = async |stage: &Stage| stage.dynamodb.set(100);
    let heal = async |stage: &Stage| stage.dynamodb.set(0);
    let name = "DynamoDB throttling all";
    stage.play(name, INDEX, throttle, heal).await
}

#[tokio::test]
async fn nothing_is_lost_while_dynamodb_throttles_half() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let throttle = async |stage: &Stage| stage.dynamodb.set(50);
    let heal = async |stage: &Stage| stage.dynamodb.set(0);
    // Every second try succeeds, so it may be stored all the same.
    let half = Away {
        is_noticed: false,
        is_needed: false,
        ..INDEX
    };
    let name = "DynamoDB throttling half";
    stage.play(name, half, throttle, heal).await
}

#[tokio::test]
async fn nothing_is_lost_while_nats_is_away() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let cut = async |stage: &Stage| stage.nats.set(Fault::Cut).await;
    let heal = async |stage: &Stage| stage.nats.set(Fault::None).await;
    let away = Away {
        dependency: "shortcuts",
        is_needed: false,
        ..OBJECTS
    };
    stage.play("NATS cut off", away, cut, heal).await
}

#[tokio::test]
async fn collection_starts_without_its_stores_and_heals() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let cut = async |stage: &Stage| {
        stage.nats.set(Fault::Cut).await?;
        stage.dynamodb.set(100)?;
        stage.s3.set(Fault::Cut).await
    };
    let heal = async |stage: &Stage| {
        stage.nats.set(Fault::None).await?;
        stage.dynamodb.set(0)?;
        stage.s3.set(Fault::None).await
    };
    let away = Away {
        at_start: true,
        ..OBJECTS
    };
    stage.play("All away from the start", away, cut, heal).await
}

/// Posts a report to the edge; the status.
async fn post(weft: &Sandbox) -> anyhow::Result<u16> {
    let headers = [
        ("content-type", "application/msgpack"),
        ("x-scope-probe-id", "probe"),
    ];
    let body = Made::next().padded(2000);
    let answer = http::post(&weft.address, "/api/report", &headers, body).await?;
    Ok(answer.status.as_u16())
}

#[tokio::test]
async fn full_log_refuses_and_recovers() -> anyhow::Result<()> {
    let flags = ["--log-max", "100KB", "--flush-interval", "1s"];
    let weft = Sandbox::start_with(&flags).await?;
    ensure!(post(&weft).await? == 200, "there is room");
    let [reports, away] = ["reports", "away"].map(|name| weft.data_dir().join(name));
    std::fs::rename(&reports, &away)?;
    until("the log is full", PATIENCE, async || {
        match post(&weft).await? {
            200 => Ok(false),
            503 => Ok(true),
            other => anyhow::bail!("{other}"),
        }
    })
    .await?;
    let uri = format!("http://{}", weft.admin).parse()?;
    let mut caller = Caller::new(uri, Key::open(&weft.key_file())?);
    // Small ones may still fit.
    until(
        "gRPC refuses as well",
        PATIENCE,
        async || match Made::next().submit(&mut caller).await {
            Ok(_) => Ok(false),
            Err(status) if status.code() == Code::ResourceExhausted => Ok(true),
            Err(status) => Err(status.into()),
        },
    )
    .await?;
    until("the store is told to be away", PATIENCE, async || {
        let readiness = http::get(&weft.admin, "/readyz").await?.text();
        Ok(readiness.starts_with("degraded\nobjects: "))
    })
    .await?;
    std::fs::rename(&away, &reports)?;
    until("reports are taken again", PATIENCE, async || {
        Ok(post(&weft).await? == 200)
    })
    .await?;
    until("the store is told to be back", PATIENCE, async || {
        Ok(http::get(&weft.admin, "/readyz").await?.text() == "ok\n")
    })
    .await
}
