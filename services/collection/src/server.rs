use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use client::Caller;
use proto::collection::v1 as pb;
use proto::collection::v1::collection_service_server::CollectionService;
use proto::storage::v1::{LogRecord, ReportHeader};
use proto::tenant::v1::Permission;
use runtime::Clock;
use stores::archive::report_name;
use stores::{Shortcut, Shortcuts};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::check::{Checker, oversized};
use crate::error::SubmitError;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::subscription::{self, STREAM_DEPTH};
use crate::windows::Windows;

/// Announcing a report may take this long; then nobody is told, and sees it a little later.
const ANNOUNCE: Duration = Duration::from_secs(1);

/// The service.
#[derive(Debug)]
pub struct Collection {
    pub(crate) hold: Duration,
    pub(crate) checker: Checker,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) replica: String,
    pub(crate) log: Log,
    pub(crate) windows: Windows,
    pub(crate) shortcuts: Shortcuts,
    pub(crate) rejected: AtomicU64,
}

impl Collection {
    /// From when on reports are held for new subscribers, in Unix nanoseconds.
    fn held_from(&self) -> i64 {
        let hold = i64::try_from(self.hold.as_nanos()).unwrap_or(i64::MAX);
        self.clock.unix_nanos().saturating_sub(hold)
    }

    async fn take(
        &self,
        org: &str,
        report: pb::RawReport,
    ) -> Result<pb::SubmitResponse, SubmitError> {
        self.log.room_for(report.body.len())?;
        let checked = self.checker.check(&report).await?;
        let (format, compression) = (report.format, report.compression());
        let mut header = ReportHeader {
            received_unix_nanos: self.clock.unix_nanos(),
            probe_id: report.probe_id,
            format,
            full: checked.full,
            shortcut: checked.shortcut,
            ..ReportHeader::default()
        };
        let record = LogRecord {
            org_id: org.to_owned(),
            report: Some(header.clone()),
            compression: compression.into(),
        };
        let timer = self.metrics.append_seconds.start_timer();
        let size = report.body.len();
        let appended = self.log.append(record, report.body).await?;
        timer.observe_duration();
        (header.writer, header.number) = (appended.writer, appended.number);
        let report_id = report_name(&header);
        let sequence = self.windows.push(org, header, compression, appended.place);
        if checked.shortcut {
            self.announce(org, sequence);
        }
        self.metrics.accepted.inc();
        self.metrics.report_bytes.observe(size as f64);
        Ok(pb::SubmitResponse {
            oversized_topologies: oversized(&checked),
            report_id,
        })
    }

    /// Tells watchers that this report need not wait for its turn.
    fn announce(&self, org: &str, sequence: u64) {
        let shortcut = Shortcut {
            replica: self.replica.clone(),
            sequence,
        };
        let (shortcuts, org) = (self.shortcuts.clone(), org.to_owned());
        tokio::spawn(async move {
            let told = tokio::time::timeout(ANNOUNCE, shortcuts.publish(&org, &shortcut));
            if !matches!(told.await, Ok(Ok(()))) {
                tracing::debug!(org, "a shortcut was not announced");
            }
        });
    }
}

#[tonic::async_trait]
impl CollectionService for Collection {
    async fn submit(
        &self,
        request: Request<pb::SubmitRequest>,
    ) -> Result<Response<pb::SubmitResponse>, Status> {
        let caller = Caller::of(&request, Permission::Report)?;
        let report = request.into_inner().report.ok_or(SubmitError::Missing)?;
        let taken = self.take(&caller.org_id, report).await;
        let response = taken.inspect_err(|error| {
            if error.is_the_senders() {
                self.rejected.fetch_add(1, Ordering::Relaxed);
                self.metrics.rejected.inc();
            } else {
                self.metrics.refused.inc();
            }
        })?;
        Ok(Response::new(response))
    }

    type SubscribeStream =
        Pin<Box<dyn Stream<Item = Result<pb::SubscribeResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<pb::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let opening = self.windows.subscribe(&caller.org_id, self.held_from());
        let (sender, receiver) = mpsc::channel(STREAM_DEPTH);
        let (replica, metrics) = (self.replica.clone(), self.metrics.clone());
        tokio::spawn(subscription::follow(opening, sender, replica, metrics));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    type ListReportsStream =
        Pin<Box<dyn Stream<Item = Result<pb::ListReportsResponse, Status>> + Send>>;

    async fn list_reports(
        &self,
        request: Request<pb::ListReportsRequest>,
    ) -> Result<Response<Self::ListReportsStream>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let request = request.into_inner();
        let (Some(from), Some(until)) = (nanos(request.from), nanos(request.until)) else {
            return Err(Status::invalid_argument("from and until are needed"));
        };
        let reports = self.windows.between(&caller.org_id, from, until);
        let (sender, receiver) = mpsc::channel(STREAM_DEPTH);
        let replica = self.replica.clone();
        let headers_only = request.headers_only;
        tokio::spawn(subscription::list(reports, headers_only, sender, replica));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn get_status(
        &self,
        request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let from = self.held_from();
        let window = self.windows.look(&caller.org_id, |window| {
            (window.since(from), window.subscribers())
        });
        let ((window_reports, window_bytes), subscribers) = window.unwrap_or_default();
        Ok(Response::new(pb::GetStatusResponse {
            window_reports,
            window_bytes,
            subscribers: u32::try_from(subscribers).unwrap_or(u32::MAX),
            accepted_reports: self.metrics.accepted.get(),
            rejected_reports: self.rejected.load(Ordering::Relaxed),
            replica: self.replica.clone(),
            sequence: self.windows.sequence(&caller.org_id),
            backlog_reports: self.log.backlog_reports(),
            backlog_bytes: self.log.backlog_bytes(),
            backlog_limit_bytes: self.log.backlog_limit(),
            backlog_since: self.windows.oldest_waiting().map(timestamp),
        }))
    }
}

pub(crate) fn timestamp(nanos: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: nanos.div_euclid(1_000_000_000),
        nanos: nanos.rem_euclid(1_000_000_000) as i32,
    }
}

fn nanos(timestamp: Option<prost_types::Timestamp>) -> Option<i64> {
    let timestamp = timestamp?;
    let seconds = timestamp.seconds.checked_mul(1_000_000_000)?;
    seconds.checked_add(i64::from(timestamp.nanos))
}
