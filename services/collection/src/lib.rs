//! Takes reports in, keeps them, and hands them on.
//!
//! ```text
//! Submit ─▶ inflate, check ─▶ log (on disk) ─▶ answer
//!                               ├─▶ Subscribe streams, shortcuts
//!                               └─▶ objects, then the index ─▶ segment deleted
//! ```
//!
//! A report is validated and on disk before it is acknowledged, as the bytes it came in: nothing is decoded that nobody
//! reads. Segments of the log are stored one after another, however long the stores are away; meanwhile the log grows up to
//! its bound, and then new reports are refused.
//!
//! **Invariant:** sequence numbers of an organisation rise by one, and every subscriber gets each number once or is told
//! how many it missed.
//! **Invariant:** a segment is deleted only after all it holds is found in the index.

mod check;
mod encoding;
mod error;
mod flush;
mod log;
mod metrics;
mod retention;
mod server;
mod subscription;
mod window;
mod windows;

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use client::Channel;
use proto::collection::v1::collection_service_client::CollectionServiceClient;
use proto::collection::v1::collection_service_server::CollectionServiceServer;
use report::decode::Limits;
use report::live::LiveConfig;
use runtime::Runtime;
use stores::Shortcuts;
use stores::archive::Archive;

use crate::check::Checker;
use crate::flush::Flush;
use crate::log::{Log, Recovered};
use crate::metrics::Metrics;
use crate::windows::Windows;

pub use log::{LogConfig, Sync};
pub use retention::Retention;
pub use server::Collection;

/// How often the log is looked at: whether a segment is old enough, whether it must be synced. More often if asked for.
const TICK: Duration = Duration::from_millis(200);
/// How often reports that nobody needs any more are let go.
const TRIM: Duration = Duration::from_secs(1);

/// What the service can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long a report is held for new subscribers. As long as a view may need it by default, 45 s: that of a late probe
    /// needs the last full report of before.
    pub hold: Duration,
    /// A report's largest size as sent, in bytes. 16 MiB by default.
    pub report_bytes: usize,
    /// A report's largest size when inflated, in bytes. 64 MiB by default.
    pub inflated_bytes: usize,
    /// Where reports are before the stores have them.
    pub log: LogConfig,
    /// How long the stores keep them.
    pub retention: Retention,
}

impl Config {
    /// The defaults, with the log in this directory.
    #[must_use]
    pub fn new(log: PathBuf) -> Self {
        let live = LiveConfig::default();
        let needed = live.stale_for + live.rehydrate_for.max(live.window);
        Config {
            hold: Duration::from_nanos(needed.unsigned_abs()),
            report_bytes: 16 << 20,
            inflated_bytes: 64 << 20,
            log: LogConfig {
                directory: log,
                sync: Sync::Always,
                flush_after: Duration::from_secs(60),
                segment_bytes: 1 << 30,
                backlog_bytes: 8 << 30,
            },
            retention: Retention::default(),
        }
    }
}

/// Where reports go.
#[derive(Debug, Clone)]
pub struct Stores {
    /// Where they are kept.
    pub archive: Archive,
    /// How watchers hear of urgent ones.
    pub shortcuts: Shortcuts,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be opened.
    #[error("cannot open the log of reports in {0}: {1}")]
    Log(PathBuf, std::io::Error),
    /// Its metrics are registered already.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// The client of other parts.
pub type Client = CollectionServiceClient<Channel>;

/// Starts the service. Reads the log first, at a few hundred MB per second at least.
///
/// # Errors
/// When the log cannot be opened.
pub fn start(
    config: Config,
    stores: Stores,
    rt: &Runtime,
) -> Result<CollectionServiceServer<Collection>, StartError> {
    let writer = rand::random();
    let directory = config.log.directory.clone();
    // The disk must be told as often as was asked for.
    let period = match config.log.sync {
        Sync::Every(every) => every.min(TICK),
        Sync::Always | Sync::Never => TICK,
    };
    let (log, recovered) =
        Log::open(config.log, writer).map_err(|error| StartError::Log(directory, error))?;
    let metrics = Metrics::register(&rt.registry)?;
    metrics.backlog_limit.set(log.backlog_limit() as i64);
    let windows = recover(recovered, &metrics);
    let limits = Limits {
        inflated_bytes: config.inflated_bytes,
        ..Limits::default()
    };
    let flush = Flush {
        log: log.clone(),
        archive: stores.archive.clone(),
        limits: limits.clone(),
        retention: config.retention.clone(),
        metrics: metrics.clone(),
    };
    rt.spawn_draining("store the log", flush.run(rt.shutdown.clone()));
    let sweep = config.retention.sweep(stores.archive, rt.clock);
    rt.spawn("let go of old reports", sweep);
    rt.spawn("tick the log", tick(log.clone(), period, metrics.clone()));
    let trimmed = trim(windows.clone(), config.hold, rt.clock, metrics.clone());
    rt.spawn("trim report windows", trimmed);
    let service = Collection {
        hold: config.hold,
        checker: Checker::new(config.report_bytes, limits),
        clock: rt.clock,
        metrics,
        replica: format!("{writer:016x}"),
        log,
        windows,
        shortcuts: stores.shortcuts,
        rejected: AtomicU64::new(0),
    };
    // A report and the message around it.
    let message_bytes = config.report_bytes + (64 << 10);
    Ok(CollectionServiceServer::new(service).max_decoding_message_size(message_bytes))
}

fn recover(recovered: Recovered, metrics: &Metrics) -> Windows {
    let windows = Windows::default();
    if !recovered.reports.is_empty() {
        let (reports, segments) = (recovered.reports.len(), recovered.segments.len());
        tracing::info!(reports, segments, "read the log");
    }
    if recovered.damaged > 0 {
        metrics.damaged.inc_by(recovered.damaged);
        tracing::error!(
            records = recovered.damaged,
            "records of the log are damaged"
        );
    }
    if recovered.cut > 0 {
        tracing::warn!(
            bytes = recovered.cut,
            "the end of the log is no record: it was being written when the process died, or is damaged"
        );
    }
    windows.recover(recovered.reports);
    windows
}

async fn tick(log: Log, period: Duration, metrics: Metrics) {
    let mut tick = tokio::time::interval(period);
    loop {
        tick.tick().await;
        log.tick().await;
        metrics.backlog_bytes.set(log.backlog_bytes() as i64);
        metrics.backlog_reports.set(log.backlog_reports() as i64);
    }
}

async fn trim(windows: Windows, hold: Duration, clock: runtime::Clock, metrics: Metrics) {
    let hold = i64::try_from(hold.as_nanos()).unwrap_or(i64::MAX);
    let mut tick = tokio::time::interval(TRIM);
    loop {
        tick.tick().await;
        let now = clock.unix_nanos();
        for segment in windows.trim(now.saturating_sub(hold)) {
            if let Err(error) = segment.delete() {
                tracing::warn!(%error, segment = segment.name, "cannot delete a stored segment");
            }
        }
        let age = windows.oldest_waiting().map_or(0, |since| now - since);
        metrics.backlog_age.set(age as f64 / 1e9);
    }
}
