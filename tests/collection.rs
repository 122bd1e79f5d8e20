//! A collection process that can die and come back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use client::{Channel, Key, authorise};
use http::Uri;
use proto::collection::v1 as pb;
use proto::collection::v1::collection_service_client::CollectionServiceClient;
use proto::tenant::v1::Permission;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tonic::Request;
use url::Url;

use crate::{Keep, Port, Process};

/// How often it is asked whether something has come true.
const POLL: Duration = Duration::from_millis(20);

/// `weft collection` on a folder and a port that outlive it.
#[derive(Debug)]
pub struct Collection {
    keep: Keep,
    flags: Vec<String>,
    key_file: PathBuf,
    port: Port,
    /// The largest file it may write, in blocks of 512 or 1024 bytes: a disk that is nearly full.
    pub blocks: Option<u32>,
    process: Option<Process>,
    dir: TempDir,
}

impl Collection {
    /// On a folder of its own, in which its stores are as well; not started yet.
    ///
    /// # Errors
    /// When there is no room for a folder.
    pub fn new(flags: &[&str]) -> anyhow::Result<Collection> {
        let dir = TempDir::new()?;
        let url = |scheme: &str, name: &str| -> anyhow::Result<Url> {
            Ok(format!("{scheme}://{}", dir.path().join(name).display()).parse()?)
        };
        let keep = Keep {
            objects: url("file", "reports")?,
            index: url("sqlite", "index.sqlite")?,
        };
        Ok(Collection {
            keep,
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            key_file: dir.path().join("assertion.key"),
            port: Port::reserve()?,
            blocks: None,
            process: None,
            dir,
        })
    }

    /// With these stores instead.
    #[must_use]
    pub fn with_stores(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// With this key instead of one of its own.
    #[must_use]
    pub fn with_key(mut self, key_file: PathBuf) -> Self {
        self.key_file = key_file;
        self
    }

    /// Begins to start it; it is not ready when this returns.
    ///
    /// # Errors
    /// When the binary is missing.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        let (key, data) = (self.key_file.to_string_lossy(), self.dir.path());
        let (address, data) = (self.address(), data.to_string_lossy());
        let flags = [
            "collection",
            "--listen",
            &address,
            "--key-file",
            &key,
            "--data-dir",
            &data,
            "--reports-store",
            self.keep.objects.as_str(),
            "--index-store",
            self.keep.index.as_str(),
        ];
        let more = self.flags.iter().map(String::as_str);
        let flags: Vec<&str> = flags.into_iter().chain(more).collect();
        self.process = Some(Process::spawn(&flags, self.blocks, Some(&self.stderr()))?);
        Ok(())
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        let process = self.process.as_mut().context("a process")?;
        let ready = process.ready().await;
        ready.map(drop).with_context(|| self.said())
    }

    /// Kills it as nothing can prevent; its folder stays.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("a process")?.kill().await
    }

    /// Where the log is.
    #[must_use]
    pub fn log_dir(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// The folder in which everything is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Its stores.
    #[must_use]
    pub fn keep(&self) -> &Keep {
        &self.keep
    }

    /// `host:port`, the same whenever it is started.
    #[must_use]
    pub fn address(&self) -> String {
        self.port.address()
    }

    fn stderr(&self) -> PathBuf {
        self.dir.path().join("stderr")
    }

    /// What it has logged since the folder was made.
    #[must_use]
    pub fn said(&self) -> String {
        let said = std::fs::read(self.stderr()).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Whoever calls it for any organisation.
    ///
    /// # Errors
    /// When its key cannot be read.
    pub fn caller(&self) -> anyhow::Result<Caller> {
        let uri = format!("http://{}", self.address()).parse()?;
        Ok(Caller::new(uri, Key::open(&self.key_file)?))
    }

    /// What it says about itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn status(&self) -> anyhow::Result<pb::GetStatusResponse> {
        let mut caller = self.caller()?;
        let request = caller.request("any", pb::GetStatusRequest {});
        Ok(caller.client.get_status(request).await?.into_inner())
    }

    /// The answer of `/readyz`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn readiness(&self) -> anyhow::Result<String> {
        Ok(crate::http::get(&self.address(), "/readyz").await?.text())
    }

    /// A metric, by its name with labels as it is exposed.
    ///
    /// # Errors
    /// When there is none.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let metrics = crate::http::get(&self.address(), "/metrics").await?.text();
        let mut lines = metrics.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no metric {name}"))?.parse()?)
    }

    /// Waits until this is true of its status.
    ///
    /// # Errors
    /// When it is not within `patience`, or it does not answer.
    pub async fn until(
        &self,
        what: &str,
        patience: Duration,
        is: impl Fn(&pb::GetStatusResponse) -> bool,
    ) -> anyhow::Result<()> {
        let status = async || self.status().await;
        until(what, patience, async || Ok(is(&status().await?)))
            .await
            .with_context(|| self.said())
    }

    /// Waits until the stores have everything.
    ///
    /// # Errors
    /// When they do not within `patience`.
    pub async fn until_stored(&self, patience: Duration) -> anyhow::Result<()> {
        let empty = |status: &pb::GetStatusResponse| status.backlog_reports == 0;
        self.until("the backlog is empty", patience, empty).await
    }
}

/// Waits until something is true.
///
/// # Errors
/// When it is not within `patience`, or cannot be found out.
pub async fn until(
    what: &str,
    patience: Duration,
    mut is: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    while !is().await? {
        ensure!(Instant::now() < deadline, "not within {patience:?}: {what}");
        // Another process can only be asked again and again.
        sleep(POLL).await;
    }
    Ok(())
}

/// Calls collection on behalf of any organisation: what authfe does for one that has signed in.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The client.
    pub client: CollectionServiceClient<Channel>,
    key: Key,
}

impl Caller {
    /// Calls what is at this address.
    #[must_use]
    pub fn new(address: Uri, key: Key) -> Caller {
        Caller::through(Channel::connect(address), key)
    }

    /// Calls what this channel leads to.
    #[must_use]
    pub fn through(channel: Channel, key: Key) -> Caller {
        Caller {
            client: CollectionServiceClient::new(channel),
            key,
        }
    }

    /// A request with the organisation's assertion.
    #[must_use]
    pub fn request<T>(&self, org: &str, message: T) -> Request<T> {
        let all = [Permission::Report, Permission::View];
        authorise(Request::new(message), &self.key, org, "test", &all)
    }
}

/// A moment in Unix nanoseconds, as the contract has it.
#[must_use]
pub fn timestamp(nanos: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: nanos.div_euclid(1_000_000_000),
        nanos: nanos.rem_euclid(1_000_000_000) as i32,
    }
}
