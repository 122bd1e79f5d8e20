//! Storing the log: segment by segment, oldest first, until the stores have it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::storage::v1::{LogRecord, ReportHeader};
use report::decode::{Limits, inflate_into};
use stores::archive::{Archive, Object, ObjectWriter, SLICE};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::encoding;
use crate::log::{Located, Log, Place, Segment};
use crate::metrics::Metrics;
use crate::retention::Retention;

/// Bytes of log that go into one object. Counted in the log, so that the same log always makes the same objects.
const OBJECT_BYTES: u64 = 128 << 20;
/// The first pause after the stores failed; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest.
const MAX_PAUSE: Duration = Duration::from_secs(15);
const HOUR: i64 = 3_600_000_000_000;

/// Stores what the log holds.
#[derive(Debug, Clone)]
pub(crate) struct Flush {
    pub(crate) log: Log,
    pub(crate) archive: Archive,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    pub(crate) metrics: Metrics,
}

impl Flush {
    /// Stores segments as they are closed; after shutdown began, what is left.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                segment = self.log.next_closed() => self.store(&segment).await,
                () = shutdown.cancelled() => break,
            }
        }
        self.log.close_segment().await;
        while let Some(segment) = self.log.oldest() {
            self.store(&segment).await;
        }
        tracing::info!("everything that was accepted is in the stores");
    }

    /// Stores a segment, however long that takes.
    async fn store(&self, segment: &Arc<Segment>) {
        let mut pause = PAUSE;
        while let Err(error) = self.try_store(segment).await {
            self.metrics.flush_failures.inc();
            tracing::warn!(%error, segment = segment.name, "cannot store reports; trying again");
            // Replicas that failed together must not come back together.
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (2 * pause).min(MAX_PAUSE);
        }
    }

    async fn try_store(&self, segment: &Arc<Segment>) -> Result<(), FlushError> {
        let timer = self.metrics.flush_seconds.start_timer();
        // One is written while the next is made.
        let (sender, mut objects) = mpsc::channel(1);
        let (made, of) = (self.clone(), Arc::clone(segment));
        let making = tokio::task::spawn_blocking(move || made.make_objects(&of, &sender));
        while let Some(object) = objects.recv().await {
            self.put(&object).await?;
        }
        making.await??;
        self.log.stored(segment)?;
        if segment.reports() == 0 {
            segment.delete()?;
        }
        timer.observe_duration();
        Ok(())
    }

    async fn put(&self, object: &Object) -> Result<(), FlushError> {
        self.archive.put(object).await?;
        self.metrics.objects.inc();
        self.metrics.rows.inc_by(object.entries.len() as u64);
        self.metrics.stored_bytes.inc_by(object.body.len() as u64);
        Ok(())
    }

    /// Makes a segment's objects, one after another.
    fn make_objects(
        &self,
        segment: &Arc<Segment>,
        sender: &mpsc::Sender<Object>,
    ) -> Result<(), FlushError> {
        let contents = segment.contents()?;
        let damaged = segment.newly_damaged(contents.damaged);
        if damaged > 0 {
            self.metrics.damaged.inc_by(damaged);
            tracing::error!(
                segment = segment.name,
                records = damaged,
                "damaged records of the log are lost"
            );
        }
        let mut order: Vec<Order> = contents
            .records
            .into_iter()
            .filter_map(|located| self.order(located))
            .collect();
        order.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        for (part, reports) in parts(&order).into_iter().enumerate() {
            let object = self.make_object(segment, part, reports)?;
            // The receiver has gone when storing failed; it will be tried again.
            if sender.blocking_send(object).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn make_object(
        &self,
        segment: &Arc<Segment>,
        part: usize,
        reports: &[Order],
    ) -> Result<Object, FlushError> {
        let mut writer = ObjectWriter::new()?;
        let mut buffer = Vec::new();
        for report in reports {
            let place = Place {
                segment: Arc::clone(segment),
                at: report.body_at,
                bytes: report.body_bytes,
            };
            let body: Bytes = place.read()?;
            // It was inflated before it was accepted.
            match inflate_into(&body, report.compression, &self.limits, &mut buffer) {
                Ok(inflated) => writer.push(&report.org, report.header.clone(), inflated)?,
                Err(error) => {
                    self.metrics.damaged.inc();
                    tracing::error!(%error, segment = segment.name, "a logged report is unreadable");
                }
            }
        }
        let expiry = reports.first().map_or(0, |report| report.expiry);
        let prefix = Retention::prefix(expiry);
        Ok(writer.finish(&prefix, &format!("{}-{part:04}", segment.name))?)
    }

    fn order(&self, located: Located) -> Option<Order> {
        let compression = encoding::compression(located.record.compression())?;
        let LogRecord { org_id, report, .. } = located.record;
        let header = report?;
        Some(Order {
            expiry: self.retention.expiry(&org_id, header.received_unix_nanos),
            org: org_id,
            header,
            compression,
            body_at: located.body_at,
            body_bytes: located.body_bytes,
        })
    }
}

/// A report on its way into an object. Objects hold what expires together; in them, what is alike lies together.
struct Order {
    expiry: i64,
    org: String,
    header: ReportHeader,
    compression: report::decode::Compression,
    body_at: u64,
    body_bytes: u32,
}

impl Order {
    fn key(&self) -> (i64, &str, i64, &str, i64, u64) {
        let received = self.header.received_unix_nanos;
        let slice = received.div_euclid(SLICE);
        let probe = self.header.probe_id.as_str();
        (
            self.expiry,
            &self.org,
            slice,
            probe,
            received,
            self.header.number,
        )
    }

    /// What an object must not divide: a block.
    fn block(&self) -> (i64, &str, i64, i64) {
        let received = self.header.received_unix_nanos;
        let (slice, hour) = (received.div_euclid(SLICE), received.div_euclid(HOUR));
        (self.expiry, &self.org, slice, hour)
    }
}

/// Divides reports into objects.
fn parts(order: &[Order]) -> Vec<&[Order]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (i, report) in order.iter().enumerate() {
        let last = i.checked_sub(1).and_then(|i| order.get(i));
        let other_block = last.is_some_and(|last| last.block() != report.block());
        let other_expiry = last.is_some_and(|last| last.expiry != report.expiry);
        if other_expiry || (other_block && bytes >= OBJECT_BYTES) {
            parts.push(&order[start..i]);
            (start, bytes) = (i, 0);
        }
        bytes += u64::from(report.body_bytes);
    }
    if start < order.len() {
        parts.push(&order[start..]);
    }
    parts
}

#[derive(Debug, thiserror::Error)]
enum FlushError {
    #[error("the log cannot be read: {0}")]
    Log(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] stores::StoreError),
    #[error("making objects failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}
