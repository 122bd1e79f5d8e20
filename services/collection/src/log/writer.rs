//! The thread that writes the log.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use proto::storage::v1::LogRecord;
use stores::archive::SLICE;
use tokio::sync::{mpsc, oneshot};

use super::segment::{Place, Segment};
use super::{AppendError, Appended, State, Sync, record};

/// Bytes that are written and synced together, at most.
const BATCH: usize = 8 << 20;
/// Reports of one segment were accepted within this many nanoseconds, whatever the clock does.
const MAX_SPAN: u64 = 240_000_000_000;

type Done = oneshot::Sender<Result<Appended, AppendError>>;

pub(super) enum Command {
    Append {
        record: LogRecord,
        body: Bytes,
        done: Done,
    },
    /// Time has passed.
    Tick,
    /// Let it be stored.
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    state: Arc<State>,
    open: Option<Open>,
    segments: u64,
    reports: u64,
    batch: Vec<u8>,
    waiting: Vec<(Appended, Done)>,
    synced: Instant,
    unsynced: bool,
}

/// The segment that is written.
struct Open {
    segment: Arc<Segment>,
    since: Instant,
    first: i64,
    last: i64,
    /// Bytes of it that are whole records.
    end: u64,
}

impl Writer {
    pub(super) fn new(state: Arc<State>) -> Self {
        Writer {
            state,
            open: None,
            segments: 0,
            reports: 0,
            batch: Vec::new(),
            waiting: Vec::new(),
            synced: Instant::now(),
            unsynced: false,
        }
    }

    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = commands.blocking_recv() {
            let mut next = Some(command);
            while let Some(command) = next.take() {
                match command {
                    Command::Append { record, body, done } => self.add(record, &body, done),
                    Command::Tick => self.tick(),
                    Command::Close(done) => {
                        self.commit();
                        self.close();
                        // Whoever asked may have gone.
                        let _ = done.send(());
                    }
                }
                if self.batch.len() < BATCH {
                    next = commands.try_recv().ok();
                }
            }
            self.commit();
        }
        self.close();
    }

    /// Adds a record to the batch.
    fn add(&mut self, mut record: LogRecord, body: &[u8], done: Done) {
        let header = record.report.get_or_insert_default();
        let received = header.received_unix_nanos;
        if self.must_turn(received) {
            self.commit();
            self.close();
        }
        let segment = match self.segment(received) {
            Ok(segment) => segment,
            Err(error) => {
                // Whoever posted it may have gone.
                let _ = done.send(Err(AppendError::Io(error.to_string())));
                return;
            }
        };
        self.reports += 1;
        let (writer, number) = (self.state.writer, self.reports);
        (header.writer, header.number) = (writer, number);
        // The batch goes to where the segment ends.
        let start = segment.bytes();
        let at = record::write(&record, body, &mut self.batch);
        let appended = Appended {
            writer,
            number,
            place: Place {
                segment,
                at: start + at as u64,
                bytes: body.len() as u32,
            },
        };
        self.waiting.push((appended, done));
    }

    /// Writes the batch, syncs it, and says so to all that wait.
    fn commit(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let written = self.write();
        self.batch.clear();
        if self.batch.capacity() > 2 * BATCH {
            self.batch = Vec::new();
        }
        let failed = written.err().map(|error| {
            tracing::error!(%error, "the log cannot be written");
            // What is on disk is not known: go on in another file.
            self.abandon();
            AppendError::Io(error.to_string())
        });
        for (appended, done) in self.waiting.drain(..) {
            // Whoever posted it may have gone; the report is kept all the same.
            let _ = done.send(failed.clone().map_or(Ok(appended), Err));
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Err(io::Error::other("there is no segment"));
        };
        (&open.segment.file).write_all(&self.batch)?;
        if self.state.config.sync == Sync::Always {
            open.segment.file.sync_data()?;
        } else {
            self.unsynced = true;
        }
        let (bytes, reports) = (self.batch.len() as u64, self.waiting.len() as u64);
        open.end += bytes;
        open.segment.bytes.store(open.end, Ordering::Relaxed);
        open.segment.reports.fetch_add(reports, Ordering::Relaxed);
        self.state.backlog_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.state
            .backlog_reports
            .fetch_add(reports, Ordering::Relaxed);
        Ok(())
    }

    fn tick(&mut self) {
        self.commit();
        let config = &self.state.config;
        if let Sync::Every(every) = config.sync
            && self.unsynced
            && self.synced.elapsed() >= every
        {
            self.sync();
        }
        // A report of the next slice closes it; if none comes, time does.
        let most = self.state.config.flush_after + self.state.slice();
        let old = |open: &Open| open.since.elapsed() >= most;
        if self.open.as_ref().is_some_and(old) {
            self.close();
        }
    }

    fn sync(&mut self) {
        if let Some(open) = &self.open
            && let Err(error) = open.segment.file.sync_data()
        {
            tracing::error!(%error, "the log cannot be synced: reports accepted since may be lost");
        }
        self.synced = Instant::now();
        self.unsynced = false;
    }

    /// Whether a report of this time must go to another segment.
    fn must_turn(&self, received: i64) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        let config = &self.state.config;
        let bytes = open.end + self.batch.len() as u64;
        // A slice of time that is divided between two segments is divided between two blocks, which are larger together.
        let next_slice = received.div_euclid(SLICE) != open.last.div_euclid(SLICE);
        let aligned = next_slice || self.state.slice().is_zero();
        let due =
            open.since.elapsed() >= config.flush_after || bytes >= config.segment_bytes / 4 * 3;
        bytes >= config.segment_bytes
            || (due && aligned)
            || received.abs_diff(open.first) > MAX_SPAN
    }

    fn segment(&mut self, received: i64) -> io::Result<Arc<Segment>> {
        if let Some(open) = &mut self.open {
            open.last = received;
            return Ok(Arc::clone(&open.segment));
        }
        self.segments += 1;
        let segment = self
            .state
            .directory
            .create(self.state.writer, self.segments)?;
        let segment = Arc::new(segment);
        self.open = Some(Open {
            segment: Arc::clone(&segment),
            since: Instant::now(),
            first: received,
            last: received,
            end: 0,
        });
        Ok(segment)
    }

    /// Hands the segment on to be stored.
    fn close(&mut self) {
        if self.unsynced {
            self.sync();
        }
        if let Some(open) = self.open.take() {
            self.state.close(open.segment);
        }
    }

    /// Hands the segment on after a failed write, without what failed.
    fn abandon(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        if let Err(error) = open.segment.file.set_len(open.end) {
            tracing::error!(%error, "a report that was refused may be found all the same");
        }
        self.state.close(open.segment);
    }
}
