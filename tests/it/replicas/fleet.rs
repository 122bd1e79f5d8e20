//! Weft as it runs where one machine is outgrown: two replicas of collection and of query, stores that they share, and one
//! process of each other service.

use anyhow::ensure;
use bytes::Bytes;
use client::{Channel, Key, authorise};
use http::Uri;
use proto::collection::v1 as collection;
use proto::tenant::v1::Permission;
use tempfile::TempDir;
use tests::collection::Caller;
use tests::crash::Servers;
use tests::http::post;
use tests::{Collection, Keep, Process, Server};
use tonic::Request;

/// The organisation of whoever asks the edge from this machine.
pub(super) const LOCAL: &str = "local";

pub(super) struct Fleet {
    pub(super) collections: [Collection; 2],
    pub(super) queries: [Option<Process>; 2],
    pub(super) front: Front,
    _others: Vec<Process>,
    _servers: (Servers, Server),
    _dir: TempDir,
}

impl Fleet {
    pub(super) async fn start() -> anyhow::Result<Fleet> {
        let (servers, nats) = tokio::try_join!(Servers::start(), Server::nats())?;
        let (dir, keep) = (TempDir::new()?, servers.keep()?);
        let key_file = dir.path().join("assertion.key");
        let plan = Plan {
            data: dir.path().to_string_lossy().into_owned(),
            key_file: key_file.to_string_lossy().into_owned(),
            shortcuts: nats.url(),
            keep,
        };
        let mut collections = [plan.collection()?, plan.collection()?];
        for collection in &mut collections {
            collection.start().await?;
        }
        let urls = collections.each_ref().map(|c| url(&c.address()));
        let collection = urls.each_ref().map(|url| ["--collection", url]).concat();
        let one = plan.query(&collection).await?;
        let other = plan.query(&collection).await?;
        let mut others = Vec::new();
        let edge = plan.edge(&collection, [&one.1, &other.1], &mut others);
        let edge = edge.await?;
        let key = Key::open(&key_file)?;
        let channel = Channel::connect_any(vec![urls[0].parse()?, urls[1].parse()?]);
        let front = Front {
            edge,
            collection: Caller::through(channel, key.clone()),
            key,
            queries: [one.1.parse()?, other.1.parse()?],
        };
        Ok(Fleet {
            collections,
            queries: [Some(one.0), Some(other.0)],
            front,
            _others: others,
            _servers: (servers, nats),
            _dir: dir,
        })
    }
}

/// What all processes are told.
struct Plan {
    data: String,
    key_file: String,
    shortcuts: String,
    keep: Keep,
}

impl Plan {
    fn collection(&self) -> anyhow::Result<Collection> {
        let flags = ["--flush-interval", "5s", "--shortcuts", &self.shortcuts];
        let collection = Collection::new(&flags)?.with_stores(self.keep.clone());
        Ok(collection.with_key(self.key_file.clone().into()))
    }

    async fn query(&self, more: &[&str]) -> anyhow::Result<(Process, String)> {
        let (objects, index) = (self.keep.objects.as_str(), self.keep.index.as_str());
        let stores = ["--reports-store", objects, "--index-store", index];
        let shortcuts = ["--shortcuts", &self.shortcuts];
        let flags = [&stores, &shortcuts[..], more].concat();
        self.start("query", &flags).await
    }

    /// Starts the edge and whatever else it calls; its address.
    async fn edge(
        &self,
        collection: &[&str],
        queries: [&String; 2],
        processes: &mut Vec<Process>,
    ) -> anyhow::Result<String> {
        let mut flags = ["--admin-listen", "127.0.0.1:0", "--data-dir", &self.data].to_vec();
        flags.extend(collection);
        flags.extend(queries.map(|query| ["--query", query]).concat());
        let users = self.start("users", &["--data-dir", &self.data]).await?;
        let to_users = ["--users", &users.1];
        let pipes = self.start("pipes", &to_users).await?;
        let to_both = [&to_users[..], &["--pipes", &pipes.1]].concat();
        let controls = self.start("controls", &to_both).await?;
        flags.extend(["--users", &users.1, "--controls", &controls.1]);
        flags.extend(["--pipes", &pipes.1]);
        let edge = self.start("authfe", &flags).await?;
        processes.extend([users.0, controls.0, pipes.0, edge.0]);
        Ok(edge.1)
    }

    /// Starts a service; where it is.
    async fn start(&self, service: &str, more: &[&str]) -> anyhow::Result<(Process, String)> {
        let own = [
            service,
            "--listen",
            "127.0.0.1:0",
            "--key-file",
            &self.key_file,
        ];
        let mut process = Process::spawn(&[&own, more].concat(), None, None)?;
        let address = process.ready().await?;
        Ok((process, url(&address)))
    }
}

fn url(address: &str) -> String {
    format!("http://{address}")
}

/// The ways in: the edge for the local organisation; for others what the edge does for those who have signed in.
#[derive(Clone)]
pub(super) struct Front {
    edge: String,
    key: Key,
    collection: Caller,
    queries: [Uri; 2],
}

impl Front {
    /// Posts a report; its name, or nothing where that is not told.
    pub(super) async fn post(&self, org: &str, probe: &str, body: Bytes) -> anyhow::Result<String> {
        if org == LOCAL {
            let headers = [
                ("content-type", "application/json"),
                ("x-scope-probe-id", probe),
            ];
            let address = self.edge.trim_start_matches("http://");
            let answer = post(address, "/api/report", &headers, body).await?;
            ensure!(answer.status == 200, "{}", answer.status);
            return Ok(String::new());
        }
        let report = Some(collection::RawReport {
            body,
            format: collection::ReportFormat::ScopeJson.into(),
            compression: collection::Compression::None.into(),
            probe_id: probe.to_owned(),
        });
        let mut caller = self.collection.clone();
        let request = caller.request(org, collection::SubmitRequest { report });
        Ok(caller.client.submit(request).await?.into_inner().report_id)
    }

    /// A way to query that asks this replica first.
    pub(super) fn to_query(&self, org: &str, first: usize) -> anyhow::Result<Channel> {
        if org == LOCAL {
            return Ok(Channel::connect(self.edge.parse()?));
        }
        let mut queries = self.queries.to_vec();
        queries.rotate_left(first);
        Ok(Channel::connect_any(queries))
    }

    /// A request on behalf of an organisation.
    pub(super) fn request<T>(&self, org: &str, message: T) -> Request<T> {
        let request = Request::new(message);
        if org == LOCAL {
            return request;
        }
        authorise(request, &self.key, org, "test", &[Permission::View])
    }
}
