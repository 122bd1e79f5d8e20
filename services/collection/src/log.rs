//! The log: what was accepted and is on disk, until the stores have it.
//!
//! ```text
//! append ─▶ writer thread: write, sync (once for all that wait), answer ─▶ segment ─close▶ backlog ─▶ stored ─▶ deleted
//! ```
//!
//! A segment is a file of records. It is closed after a while or when it is large; what it holds is stored as a whole; then
//! it is kept a little longer for new subscribers. After a crash the segments that are there are read again.
//!
//! **Invariant:** a report's name is its log's number and its place in the log, so storing a segment again names nothing
//! anew.

mod directory;
mod reader;
mod record;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use proto::storage::v1::LogRecord;
use stores::archive::SLICE;
use tokio::sync::{mpsc, oneshot, watch};

use directory::Directory;
pub(crate) use directory::Recovered;
pub(crate) use reader::Located;
pub(crate) use segment::{Place, Segment};
use writer::{Command, Writer};

/// When a report counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// When the disk says that it is written: it outlives a power failure.
    Always,
    /// When the kernel has it; the disk is told this often. It outlives the death of the process, and of the machine if that
    /// comes later than this.
    Every(Duration),
    /// When the kernel has it. It outlives the death of the process; the kernel writes it to disk when it likes.
    Never,
}

impl FromStr for Sync {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "always" => Ok(Sync::Always),
            "never" => Ok(Sync::Never),
            other => match humantime::parse_duration(other) {
                Ok(every) if !every.is_zero() => Ok(Sync::Every(every)),
                _ => Err("expected always, never, or a time such as 200ms".to_owned()),
            },
        }
    }
}

/// What the log can be told.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Its directory, for this process alone.
    pub directory: PathBuf,
    /// When a report counts as kept. Always by default.
    pub sync: Sync,
    /// How long a segment is written to before it is stored; up to 15 s longer, so that it ends with a slice of time. 60 s by
    /// default, 240 s at most.
    pub flush_after: Duration,
    /// How large a segment gets before it is stored, in bytes. 1 GiB by default.
    pub segment_bytes: u64,
    /// What may wait for the stores, in bytes; more is refused. 8 GiB by default.
    pub backlog_bytes: u64,
}

/// Why a report was not logged.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum AppendError {
    #[error(
        "{0} bytes wait for the stores, and no more may; see the health of the stores of reports"
    )]
    Full(u64),
    #[error("the log cannot be written: {0}")]
    Io(String),
    #[error("the log is closed")]
    Closed,
}

/// A handle on the log.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    commands: mpsc::Sender<Command>,
    state: Arc<State>,
}

/// What the log's parts share.
#[derive(Debug)]
struct State {
    config: LogConfig,
    /// Names this log: every report in it, with its number.
    writer: u64,
    backlog_bytes: AtomicU64,
    backlog_reports: AtomicU64,
    /// Segments that are closed and not yet stored, oldest first.
    closed: Mutex<Vec<Arc<Segment>>>,
    /// Changes when a segment was closed.
    news: watch::Sender<()>,
    directory: Directory,
}

impl Log {
    /// Opens the log in its directory and reads what is there.
    pub(crate) fn open(config: LogConfig, writer: u64) -> io::Result<(Self, Recovered)> {
        let (directory, recovered) = Directory::open(&config.directory)?;
        let waiting = || recovered.segments.iter().filter(|s| !s.is_stored());
        let state = Arc::new(State {
            writer,
            backlog_bytes: AtomicU64::new(waiting().map(|s| s.bytes()).sum()),
            backlog_reports: AtomicU64::new(waiting().map(|s| s.reports()).sum()),
            closed: Mutex::new(waiting().cloned().collect()),
            news: watch::Sender::new(()),
            directory,
            config,
        });
        let (commands, received) = mpsc::channel(1024);
        let writer = Writer::new(Arc::clone(&state));
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.run(received))?;
        Ok((Log { commands, state }, recovered))
    }

    /// Appends a report. When this returns it is as safe as the sync policy says.
    pub(crate) async fn append(
        &self,
        record: LogRecord,
        body: Bytes,
    ) -> Result<Appended, AppendError> {
        self.room_for(body.len())?;
        let (done, answer) = oneshot::channel();
        let append = Command::Append { record, body, done };
        let sent = self.commands.send(append).await;
        sent.map_err(|_| AppendError::Closed)?;
        answer.await.map_err(|_| AppendError::Closed)?
    }

    /// Whether a body of so many bytes may be appended.
    pub(crate) fn room_for(&self, bytes: usize) -> Result<(), AppendError> {
        let waiting = self.backlog_bytes();
        if waiting + bytes as u64 > self.state.config.backlog_bytes {
            return Err(AppendError::Full(waiting));
        }
        Ok(())
    }

    /// Closes the segment if it is old enough.
    pub(crate) async fn tick(&self) {
        // Fails when the writer has gone, with the process.
        let _ = self.commands.send(Command::Tick).await;
    }

    /// Closes the segment now, so that it is stored; true when that is done.
    pub(crate) async fn close_segment(&self) -> bool {
        let (done, closed) = oneshot::channel();
        let sent = self.commands.send(Command::Close(done)).await;
        sent.is_ok() && closed.await.is_ok()
    }

    /// Waits for a segment to be stored: the oldest one.
    pub(crate) async fn next_closed(&self) -> Arc<Segment> {
        let mut news = self.state.news.subscribe();
        loop {
            if let Some(segment) = self.oldest() {
                return segment;
            }
            // The sender lives as long as this handle.
            let _ = news.changed().await;
        }
    }

    /// The oldest segment that waits for the stores, apart from the one that is written.
    pub(crate) fn oldest(&self) -> Option<Arc<Segment>> {
        self.state.closed().first().cloned()
    }

    /// The stores have this segment.
    pub(crate) fn stored(&self, segment: &Arc<Segment>) -> io::Result<()> {
        self.state.directory.mark_stored(segment)?;
        self.state.closed().retain(|s| !Arc::ptr_eq(s, segment));
        let count = |total: &AtomicU64, n| total.fetch_sub(n, Ordering::Relaxed);
        count(&self.state.backlog_bytes, segment.bytes());
        count(&self.state.backlog_reports, segment.reports());
        Ok(())
    }

    /// Bytes that wait for the stores.
    pub(crate) fn backlog_bytes(&self) -> u64 {
        self.state.backlog_bytes.load(Ordering::Relaxed)
    }

    /// Reports that wait for the stores.
    pub(crate) fn backlog_reports(&self) -> u64 {
        self.state.backlog_reports.load(Ordering::Relaxed)
    }

    /// How many bytes may.
    pub(crate) fn backlog_limit(&self) -> u64 {
        self.state.config.backlog_bytes
    }
}

/// Where a report was written.
#[derive(Debug, Clone)]
pub(crate) struct Appended {
    pub(crate) writer: u64,
    pub(crate) number: u64,
    pub(crate) place: Place,
}

impl State {
    /// How long a segment that is due waits for the end of a slice: not at all if it is due more often than that.
    fn slice(&self) -> Duration {
        let slice = Duration::from_nanos(SLICE as u64);
        if self.config.flush_after < slice {
            Duration::ZERO
        } else {
            slice
        }
    }

    fn closed(&self) -> MutexGuard<'_, Vec<Arc<Segment>>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A segment will not be written to any more.
    fn close(&self, segment: Arc<Segment>) {
        self.closed().push(segment);
        self.news.send_replace(());
    }
}
