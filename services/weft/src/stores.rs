//! Which stores reports are in, from the command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use bytesize::ByteSize;
use clap::Args as ClapArgs;
use collection::{LogConfig, Retention, Sync};
use http::Uri;
use proto::controls::v1::controls_service_server::ControlsServiceServer;
use runtime::Runtime;
use stores::archive::Archive;
use stores::{Ends, Index, Objects, Queues, Shortcuts};
use url::Url;

/// Stores that collection and query share.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Stores")]
pub(crate) struct StoreArgs {
    /// Where reports are kept: file:///directory or s3://bucket/prefix?endpoint=URL&region=NAME [default: in the data
    /// directory]. Credentials of S3, DynamoDB: as for other AWS clients, AWS_ACCESS_KEY_ID and so on
    #[arg(long, env = "WEFT_REPORTS_STORE", value_name = "URL")]
    pub(crate) reports_store: Option<Url>,

    /// Where the index of reports is kept: sqlite:///file or dynamodb://table?endpoint=URL&region=NAME&create=true
    /// [default: in the data directory]
    #[arg(long, env = "WEFT_INDEX_STORE", value_name = "URL")]
    pub(crate) index_store: Option<Url>,

    /// How collection tells query of urgent reports: memory: (within one process) or nats://host:port
    #[arg(
        long,
        env = "WEFT_SHORTCUTS",
        value_name = "URL",
        default_value = "memory:"
    )]
    pub(crate) shortcuts: Url,
}

/// How replicas of controls reach each other.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Stores")]
pub(crate) struct ControlsArgs {
    /// The queues between replicas of controls: memory: (one replica) or sqs://prefix?endpoint=URL&region=NAME.
    /// Credentials of SQS: in a file, named with credentials=/file, or as for other AWS clients
    #[arg(
        long,
        env = "WEFT_CONTROLS_QUEUES",
        value_name = "URL",
        default_value = "memory:"
    )]
    pub(crate) controls_queues: Url,

    /// How often replicas of controls tell each other that they are there, 100ms to 60s: one that is silent for three
    /// times that is gone
    #[arg(long, env = "WEFT_CONTROLS_HEARTBEAT", value_name = "TIME", default_value = "20s",
          value_parser = heartbeat)]
    pub(crate) controls_heartbeat: Duration,
}

fn heartbeat(text: &str) -> Result<Duration, String> {
    let heartbeat = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if (Duration::from_millis(100)..=Duration::from_secs(60)).contains(&heartbeat) {
        Ok(heartbeat)
    } else {
        Err("expected 100ms to 60s".to_owned())
    }
}

impl ControlsArgs {
    /// Starts controls with these queues, and ways to others.
    pub(crate) async fn start(
        &self,
        peers: controls::Peers,
        rt: &Runtime,
    ) -> anyhow::Result<ControlsServiceServer<controls::Controls>> {
        let queues = Queues::open(&self.controls_queues, rt).await;
        let config = controls::Config {
            heartbeat: self.controls_heartbeat,
        };
        Ok(controls::start(
            config,
            queues.context("--controls-queues")?,
            peers,
            rt,
        )?)
    }
}

/// Where accounts are.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Stores")]
pub(crate) struct UsersStoreArgs {
    /// Where users, organisations and tokens are kept: sqlite:///file or
    /// postgres://user@host:5432/database?sslmode=verify-full [default: in the data directory]. The password of
    /// PostgreSQL: in a file, named with credentials=/file, or as for other clients, PGPASSFILE
    #[arg(long, env = "WEFT_USERS_STORE", value_name = "URL")]
    pub(crate) users_store: Option<Url>,
}

impl UsersStoreArgs {
    fn url(&self, data_dir: &Path) -> anyhow::Result<Url> {
        match &self.users_store {
            Some(url) => Ok(url.clone()),
            None => within(data_dir, "sqlite", "users.sqlite"),
        }
    }

    /// Opens the store, which by default is in this directory.
    pub(crate) async fn open(&self, data_dir: &Path, rt: &Runtime) -> anyhow::Result<users::Store> {
        let opened = users::Store::open(&self.url(data_dir)?, rt).await;
        opened.context("--users-store")
    }

    /// Brings its schema up to date; the steps that took.
    pub(crate) async fn migrate(
        &self,
        data_dir: &Path,
        rt: &Runtime,
    ) -> anyhow::Result<Vec<String>> {
        let steps = users::migrate(&self.url(data_dir)?, rt).await;
        steps.context("--users-store")
    }
}

/// A store of this kind in a directory.
fn within(data_dir: &Path, scheme: &str, name: &str) -> anyhow::Result<Url> {
    let path = std::path::absolute(data_dir.join(name))?;
    let url = Url::from_file_path(&path);
    let url = url.map_err(|()| anyhow::anyhow!("{} is no path for a URL", path.display()))?;
    Ok(Url::parse(&url.as_str().replacen("file", scheme, 1))?)
}

/// How collection keeps reports.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Keeping reports")]
pub(crate) struct KeepArgs {
    /// Where reports are until the stores have them; every replica needs its own [default: in the data directory]
    #[arg(long, env = "WEFT_LOG_DIR", value_name = "DIRECTORY")]
    pub(crate) log_dir: Option<PathBuf>,

    /// When a report counts as kept. `always`: when the disk has it, so that it outlives a power failure. A time such as
    /// 200ms: when the kernel has it, and the disk is told that often; a power failure costs up to that much. `never`: when
    /// the kernel has it; a power failure costs what the kernel had not written, up to half a minute. The death of the
    /// process costs nothing in all three
    #[arg(long, env = "WEFT_LOG_SYNC", default_value = "always")]
    pub(crate) log_sync: Sync,

    /// How much may wait while the stores are away; when it is full, reports are refused with 503
    #[arg(
        long,
        env = "WEFT_LOG_MAX",
        value_name = "BYTES",
        default_value = "8GiB"
    )]
    pub(crate) log_max: ByteSize,

    /// How long reports wait in the log before they are stored together, 1s to 240s, and up to 15s more until their slice of
    /// time is complete: longer makes fewer, larger objects
    #[arg(long, env = "WEFT_FLUSH_INTERVAL", value_name = "TIME", default_value = "60s",
          value_parser = flush_interval)]
    pub(crate) flush_interval: Duration,

    /// How long reports are kept
    #[arg(long, env = "WEFT_RETENTION", value_name = "TIME", default_value = "7d",
          value_parser = humantime::parse_duration)]
    pub(crate) retention: Duration,

    /// How long an organisation's reports are kept, as ORG=TIME (may be repeated)
    #[arg(long, env = "WEFT_RETENTION_OF", value_name = "ORG=TIME", value_delimiter = ',', value_parser = retention_of)]
    pub(crate) retention_of: Vec<(String, Duration)>,
}

fn flush_interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if (Duration::from_secs(1)..=Duration::from_secs(240)).contains(&interval) {
        Ok(interval)
    } else {
        Err("expected 1s to 240s".to_owned())
    }
}

fn retention_of(text: &str) -> Result<(String, Duration), String> {
    let (org, time) = text.split_once('=').ok_or("expected ORG=TIME")?;
    let time = humantime::parse_duration(time).map_err(|e| e.to_string())?;
    Ok((org.to_owned(), time))
}

/// Where pipes are, and when they are closed.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Pipes")]
pub(crate) struct PipesArgs {
    /// Where replicas of pipes find each other, and who holds which pipe: memory: (within one process) or
    /// consul://host:8500/prefix?credentials=/file&tls=true, the file with a token
    #[arg(
        long,
        env = "WEFT_PIPES_ENDS",
        value_name = "URL",
        default_value = "memory:"
    )]
    pub(crate) pipes_ends: Url,

    /// Where other replicas of pipes reach this one, as http://host:port [default: where it listens]
    #[arg(long, env = "WEFT_PIPES_ADVERTISE", value_name = "URL")]
    pub(crate) pipes_advertise: Option<Uri>,

    /// How long one end of a pipe may be away before the pipe is closed
    #[arg(long, env = "WEFT_PIPE_GRACE", value_name = "TIME", default_value = "60s",
          value_parser = humantime::parse_duration)]
    pub(crate) pipe_grace: Duration,

    /// How long a pipe may be open without a byte passing
    #[arg(long, env = "WEFT_PIPE_IDLE", value_name = "TIME", default_value = "12h",
          value_parser = humantime::parse_duration)]
    pub(crate) pipe_idle: Duration,

    /// How long a pipe may be open
    #[arg(long, env = "WEFT_PIPE_AGE", value_name = "TIME", default_value = "7d",
          value_parser = humantime::parse_duration)]
    pub(crate) pipe_age: Duration,

    /// How long a closed pipe is remembered: long enough for its probe to hear of it
    #[arg(long, env = "WEFT_PIPE_REMEMBER", value_name = "TIME", default_value = "10m",
          value_parser = humantime::parse_duration)]
    pub(crate) pipe_remember: Duration,
}

impl PipesArgs {
    /// What pipes are told by a process that listens here.
    pub(crate) fn config(&self, listens: SocketAddr) -> anyhow::Result<pipes::Config> {
        let shared = self.pipes_ends.scheme() != "memory";
        let address = match &self.pipes_advertise {
            Some(uri) => {
                let complete = uri.scheme_str() == Some("http") && uri.host().is_some();
                anyhow::ensure!(complete, "--pipes-advertise: expected http://host:port");
                uri.to_string().trim_end_matches('/').to_owned()
            }
            None if shared && listens.ip().is_unspecified() => anyhow::bail!(
                "other replicas cannot reach {listens}: say where they can with --pipes-advertise"
            ),
            None => format!("http://{listens}"),
        };
        Ok(pipes::Config {
            address,
            limits: pipes::Limits {
                grace: self.pipe_grace,
                remember: self.pipe_remember,
                idle: self.pipe_idle,
                age: self.pipe_age,
            },
        })
    }

    /// Opens the store of ends.
    pub(crate) async fn open(&self, rt: &Runtime) -> anyhow::Result<Ends> {
        Ends::open(&self.pipes_ends, rt)
            .await
            .context("--pipes-ends")
    }
}

/// The opened stores.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) archive: Archive,
    pub(crate) shortcuts: Shortcuts,
}

impl StoreArgs {
    /// Opens the stores, which by default are in this directory.
    pub(crate) async fn open(&self, data_dir: &Path, rt: &Runtime) -> anyhow::Result<Opened> {
        let reports = match &self.reports_store {
            Some(url) => url.clone(),
            None => within(data_dir, "file", "reports")?,
        };
        let index = match &self.index_store {
            Some(url) => url.clone(),
            None => within(data_dir, "sqlite", "index.sqlite")?,
        };
        let objects = Objects::open(&reports, rt)
            .await
            .context("--reports-store")?;
        let index = Index::open(&index, rt).await.context("--index-store")?;
        let shortcuts = Shortcuts::open(&self.shortcuts, rt).await;
        Ok(Opened {
            archive: Archive::new(objects, index),
            shortcuts: shortcuts.context("--shortcuts")?,
        })
    }
}

impl KeepArgs {
    /// What collection is told, with its log by default in this directory.
    pub(crate) fn config(&self, data_dir: &Path) -> collection::Config {
        let log_dir = self.log_dir.clone();
        let defaults = collection::Config::new(log_dir.unwrap_or_else(|| data_dir.join("log")));
        collection::Config {
            log: LogConfig {
                sync: self.log_sync,
                flush_after: self.flush_interval,
                backlog_bytes: self.log_max.as_u64(),
                ..defaults.log
            },
            retention: Retention {
                default: self.retention,
                of: self.retention_of.iter().cloned().collect(),
            },
            ..defaults
        }
    }
}

impl From<Opened> for collection::Stores {
    fn from(opened: Opened) -> Self {
        collection::Stores {
            archive: opened.archive,
            shortcuts: opened.shortcuts,
        }
    }
}
