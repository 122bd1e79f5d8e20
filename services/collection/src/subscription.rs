//! Streams of logged reports.

use std::sync::Arc;

use bytes::Bytes;
use proto::collection::v1 as pb;
use proto::collection::v1::subscribe_response::Event;
use stores::archive::report_name;
use tokio::sync::{broadcast, mpsc};
use tonic::Status;

use crate::metrics::Metrics;
use crate::server::timestamp;
use crate::window::{Logged, Opening};

/// Responses that a stream may be ahead of its reader.
pub(crate) const STREAM_DEPTH: usize = 16;

/// Reads a report from the log.
async fn read(report: Arc<Logged>, replica: &str) -> Result<pb::StoredReport, Status> {
    let (from, place) = (Arc::clone(&report), report.place.clone());
    let body = tokio::task::spawn_blocking(move || place.read()).await;
    let body = body.map_err(|e| e.to_string());
    let body = body.and_then(|body| body.map_err(|e| e.to_string()));
    let body = body.map_err(|error| {
        tracing::error!(
            error,
            segment = from.place.segment.name,
            "the log cannot be read"
        );
        Status::data_loss("the log cannot be read")
    })?;
    Ok(stored(&from, body, replica))
}

/// A report with this body.
fn stored(logged: &Logged, body: Bytes, replica: &str) -> pb::StoredReport {
    let header = &logged.header;
    pb::StoredReport {
        report: Some(pb::RawReport {
            body,
            format: header.format,
            compression: logged.compression.into(),
            probe_id: header.probe_id.clone(),
        }),
        received_at: Some(timestamp(logged.received())),
        sequence: logged.sequence,
        replica: replica.to_owned(),
        report_id: report_name(header),
    }
}

/// Sends what is held, a mark, and then what comes, until the reader goes.
pub(crate) async fn follow(
    opening: Opening,
    sender: mpsc::Sender<Result<pb::SubscribeResponse, Status>>,
    replica: String,
    metrics: Metrics,
) {
    let send = |event: Result<Event, Status>| {
        let response = event.map(|event| pb::SubscribeResponse { event: Some(event) });
        let sender = &sender;
        async move {
            let failed = response.is_err();
            sender.send(response).await.is_ok() && !failed
        }
    };
    let Opening {
        held,
        sequence,
        mut live,
    } = opening;
    for report in held {
        let report = read(report, &replica).await;
        if !send(report.map(Event::Report)).await {
            return;
        }
    }
    let caught_up = pb::CaughtUp {
        replica: replica.clone(),
        sequence,
    };
    if !send(Ok(Event::CaughtUp(caught_up))).await {
        return;
    }
    loop {
        let received = tokio::select! {
            () = sender.closed() => return,
            received = live.recv() => received,
        };
        let event = match received {
            Ok(report) => read(report, &replica).await.map(Event::Report),
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                metrics.missed.inc_by(missed);
                Ok(Event::Missed(missed))
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if !send(event).await {
            return;
        }
    }
}

/// Sends these reports, or their headers alone, until the reader goes.
pub(crate) async fn list(
    reports: Vec<Arc<Logged>>,
    headers_only: bool,
    sender: mpsc::Sender<Result<pb::ListReportsResponse, Status>>,
    replica: String,
) {
    for report in reports {
        let report = match headers_only {
            true => Ok(stored(&report, Bytes::new(), &replica)),
            false => read(report, &replica).await,
        };
        let failed = report.is_err();
        let response = report.map(|report| pb::ListReportsResponse {
            report: Some(report),
        });
        if sender.send(response).await.is_err() || failed {
            return;
        }
    }
}
