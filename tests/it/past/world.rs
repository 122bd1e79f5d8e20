//! Two replicas of collection and any number of queries in this process, at a time that stands until it is told to pass.

use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use client::{Channel, Key};
use proto::collection::v1 as collection;
use runtime::{Clock, Runtime};
use stores::archive::Archive;
use stores::{Index, Objects, Shortcuts};
use tempfile::TempDir;
use tests::Keep;
use tests::collection::{Caller, timestamp};

use super::reader::Reader;
use super::time::{Still, pass, soon};

/// How fast time passes for a replica that ends, each time in 2 ms, and how much it may take.
const STEP: Duration = Duration::from_millis(100);
const DRAIN: Duration = Duration::from_secs(24 * 3600);
/// A segment is stored when it is so large, or when a report comes that is 240 s younger than its first.
const SEGMENT: u64 = 200 << 10;

pub(super) struct World {
    key: Key,
    clock: Clock,
    keep: Keep,
    replicas: Vec<Replica>,
    _still: Still,
}

struct Replica {
    rt: Runtime,
    caller: Caller,
    channel: Channel,
    _log: TempDir,
}

impl World {
    /// With these stores, from now on.
    pub(super) async fn new(keep: Keep) -> anyhow::Result<World> {
        let mut world = World {
            key: Key::generate(),
            clock: Clock::system(),
            keep,
            replicas: Vec::new(),
            _still: Still::new(),
        };
        for _ in 0..2 {
            let replica = world.replica().await?;
            world.replicas.push(replica);
        }
        Ok(world)
    }

    /// A process: they have nothing in common but the time and the key.
    fn process(&self) -> Runtime {
        let config = runtime::Config {
            drain: DRAIN,
            ..runtime::Config::default()
        };
        let mut rt = Runtime::new(config, self.key.clone());
        rt.clock = self.clock;
        rt
    }

    async fn archive(&self, rt: &Runtime) -> anyhow::Result<Archive> {
        let objects = Objects::open(&self.keep.objects, rt).await?;
        Ok(Archive::new(
            objects,
            Index::open(&self.keep.index, rt).await?,
        ))
    }

    async fn replica(&self) -> anyhow::Result<Replica> {
        let (rt, log) = (self.process(), TempDir::new()?);
        let mut config = ::collection::Config::new(log.path().to_owned());
        config.log.sync = ::collection::Sync::Never;
        config.log.flush_after = Duration::from_secs(240);
        config.log.segment_bytes = SEGMENT;
        let stores = ::collection::Stores {
            archive: self.archive(&rt).await?,
            shortcuts: Shortcuts::open(&"memory:".parse()?, &rt).await?,
        };
        let channel = runtime::local(::collection::start(config, stores, &rt)?, &rt);
        Ok(Replica {
            caller: Caller::through(channel.clone(), self.key.clone()),
            rt,
            channel,
            _log: log,
        })
    }

    /// A query that follows all replicas.
    pub(super) async fn query(&self) -> anyhow::Result<Reader> {
        let replicas = self.replicas.iter().map(|replica| replica.channel.clone());
        self.reader(replicas.collect()).await
    }

    /// A query that knows the stores alone.
    pub(super) async fn query_of_stores(&self) -> anyhow::Result<Reader> {
        self.reader(Vec::new()).await
    }

    async fn reader(&self, collection: Vec<Channel>) -> anyhow::Result<Reader> {
        let rt = self.process();
        let archive = self.archive(&rt).await?;
        let peers = query::Peers {
            collection,
            archive: archive.clone(),
            shortcuts: Shortcuts::open(&"memory:".parse()?, &rt).await?,
        };
        let (query, _) = query::start(query::Config::default(), peers, &rt)?;
        let channel = runtime::local(query, &rt);
        Ok(Reader::new(channel, archive, rt))
    }

    /// Lets a replica take a report; its name.
    pub(super) async fn post(
        &self,
        replica: usize,
        org: &str,
        report: collection::RawReport,
    ) -> anyhow::Result<String> {
        let mut caller = self.replicas[replica].caller.clone();
        let report = Some(report);
        let request = caller.request(org, collection::SubmitRequest { report });
        let answer = soon(caller.client.submit(request)).await??;
        Ok(answer.into_inner().report_id)
    }

    /// What a replica says about itself and an organisation.
    pub(super) async fn status(
        &self,
        replica: usize,
        org: &str,
    ) -> anyhow::Result<collection::GetStatusResponse> {
        let mut caller = self.replicas[replica].caller.clone();
        let request = caller.request(org, collection::GetStatusRequest {});
        Ok(soon(caller.client.get_status(request)).await??.into_inner())
    }

    /// The names of the reports of a stretch of time that the replicas' logs still have.
    pub(super) async fn logged(
        &self,
        org: &str,
        from: i64,
        until: i64,
    ) -> anyhow::Result<Vec<String>> {
        let mut names = Vec::new();
        for replica in &self.replicas {
            let mut caller = replica.caller.clone();
            let list = collection::ListReportsRequest {
                from: Some(timestamp(from)),
                until: Some(timestamp(until)),
                headers_only: true,
            };
            let request = caller.request(org, list);
            let mut listed = soon(caller.client.list_reports(request))
                .await??
                .into_inner();
            while let Some(response) = soon(listed.message()).await?? {
                names.push(response.report.context("a report")?.report_id);
            }
        }
        Ok(names)
    }

    /// The moment, in Unix nanoseconds.
    pub(super) fn now(&self) -> i64 {
        self.clock.unix_nanos()
    }

    /// Lets time pass.
    pub(super) async fn pass(&self, time: Duration) -> anyhow::Result<()> {
        pass(time).await
    }

    /// Ends collection, which stores everything that it took.
    pub(super) async fn end(&self) -> anyhow::Result<()> {
        for replica in &self.replicas {
            replica.rt.shutdown.cancel();
            let mut drained = pin!(replica.rt.drained());
            // A call that took too long because time passed is made again after a while.
            let ended = async {
                loop {
                    tokio::select! {
                        () = &mut drained => return anyhow::Ok(()),
                        passed = self.pass(STEP) => passed?,
                    }
                }
            };
            soon(ended).await??;
        }
        Ok(())
    }
}
