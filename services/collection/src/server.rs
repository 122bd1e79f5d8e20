use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use client::Caller;
use proto::collection::v1 as pb;
use proto::collection::v1::collection_service_server::CollectionService;
use proto::collection::v1::subscribe_response::Event;
use proto::tenant::v1::Permission;
use report::decode::{self, Limits};
use report::kind::KINDS;
use report::live::LiveConfig;
use runtime::{Clock, Runtime};
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::Config;
use crate::error::SubmitError;
use crate::metrics::Metrics;
use crate::window::{Opening, Window};

/// How often reports that nobody needs any more are let go.
const TRIM: Duration = Duration::from_secs(1);

/// Responses that a subscriber's stream may be ahead of its reader.
const STREAM_DEPTH: usize = 16;

type Windows = Arc<Mutex<HashMap<String, Window>>>;

/// The service.
#[derive(Debug)]
pub struct Collection {
    config: Config,
    limits: Limits,
    clock: Clock,
    metrics: Metrics,
    replica: String,
    windows: Windows,
    rejected: AtomicU64,
    /// Bounds the memory and the cores that inflating and checking take.
    checks: Arc<Semaphore>,
}

impl Collection {
    pub(crate) fn new(config: Config, rt: &Runtime) -> Result<Self, prometheus::Error> {
        let collection = Collection {
            limits: Limits {
                inflated_bytes: config.inflated_bytes,
                ..Limits::default()
            },
            clock: rt.clock,
            metrics: Metrics::register(&rt.registry)?,
            replica: format!("{:016x}", rand::random::<u64>()),
            windows: Windows::default(),
            rejected: AtomicU64::new(0),
            checks: Arc::new(Semaphore::new(
                std::thread::available_parallelism().map_or(2, usize::from),
            )),
            config,
        };
        rt.spawn("trim report windows", collection.trim());
        Ok(collection)
    }

    fn trim(&self) -> impl Future<Output = ()> + use<> {
        let (windows, clock, config) = (Arc::clone(&self.windows), self.clock, self.config.clone());
        let held = self.metrics.window_bytes.clone();
        async move {
            let mut tick = tokio::time::interval(TRIM);
            loop {
                tick.tick().await;
                let before = clock.unix_nanos() - nanos(config.hold);
                let mut windows = lock(&windows);
                windows.retain(|_, window| {
                    window.trim(before, config.window_bytes);
                    !window.is_idle()
                });
                let bytes: usize = windows.values().map(Window::bytes).sum();
                held.set(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
        }
    }

    /// Refuses what cannot be decoded later, at the price of inflating and walking it.
    async fn check(&self, report: &pb::RawReport) -> Result<decode::Checked, SubmitError> {
        let format = match report.format() {
            pb::ReportFormat::ScopeMsgpack => decode::Format::ScopeMsgpack,
            pb::ReportFormat::ScopeJson => decode::Format::ScopeJson,
            pb::ReportFormat::Unspecified => return Err(SubmitError::Format),
        };
        let compression = match report.compression() {
            pb::Compression::None => decode::Compression::None,
            pb::Compression::Gzip => decode::Compression::Gzip,
            pb::Compression::Unspecified => return Err(SubmitError::Compression),
        };
        if report.probe_id.len() > 64 {
            return Err(SubmitError::ProbeId);
        }
        let (size, limit) = (report.body.len(), self.config.report_bytes);
        if size > limit {
            return Err(SubmitError::TooLarge(size, limit));
        }
        let (body, limits) = (report.body.clone(), self.limits.clone());
        let permit = Arc::clone(&self.checks).acquire_owned().await;
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let inflated = decode::inflate(&body, compression, &limits)?;
            decode::check(&inflated, format, &limits)
        });
        Ok(checked.await??)
    }
}

/// The topologies that will be cut when rendered.
fn oversized(checked: &decode::Checked) -> Vec<String> {
    let limit = LiveConfig::default().max_nodes_per_topology;
    let counts = KINDS.iter().zip(checked.nodes);
    counts
        .filter(|(_, nodes)| *nodes as usize > limit)
        .map(|(kind, _)| kind.facts().name.to_owned())
        .collect()
}

fn lock(windows: &Windows) -> MutexGuard<'_, HashMap<String, Window>> {
    // Nothing that holds the lock leaves a window half changed.
    windows.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[tonic::async_trait]
impl CollectionService for Collection {
    async fn submit(
        &self,
        request: Request<pb::SubmitRequest>,
    ) -> Result<Response<pb::SubmitResponse>, Status> {
        let caller = Caller::of(&request, Permission::Report)?;
        let report = request.into_inner().report.ok_or(SubmitError::Missing)?;
        let checked = self.check(&report).await.inspect_err(|_| {
            self.rejected.fetch_add(1, Ordering::Relaxed);
            self.metrics.rejected.inc();
        })?;
        let size = report.body.len();
        let now = self.clock.now();
        let received = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let stored = pb::StoredReport {
            report: Some(report),
            received_at: Some(now.into()),
            sequence: 0,
            replica: self.replica.clone(),
            ..pb::StoredReport::default()
        };
        lock(&self.windows)
            .entry(caller.org_id)
            .or_insert_with(Window::new)
            .push(nanos(received), stored);
        self.metrics.accepted.inc();
        self.metrics.report_bytes.observe(size as f64);
        Ok(Response::new(pb::SubmitResponse {
            oversized_topologies: oversized(&checked),
            ..pb::SubmitResponse::default()
        }))
    }

    type SubscribeStream =
        Pin<Box<dyn Stream<Item = Result<pb::SubscribeResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<pb::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let opening = lock(&self.windows)
            .entry(caller.org_id)
            .or_insert_with(Window::new)
            .subscribe();
        let (sender, receiver) = mpsc::channel(STREAM_DEPTH);
        let (replica, metrics) = (self.replica.clone(), self.metrics.clone());
        tokio::spawn(feed(opening, sender, replica, metrics));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    type ListReportsStream =
        Pin<Box<dyn Stream<Item = Result<pb::ListReportsResponse, Status>> + Send>>;

    async fn list_reports(
        &self,
        request: Request<pb::ListReportsRequest>,
    ) -> Result<Response<Self::ListReportsStream>, Status> {
        Caller::of(&request, Permission::View)?;
        Err(Status::unimplemented(
            "reports are held for the live window only; there is no history yet",
        ))
    }

    async fn get_status(
        &self,
        request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let windows = lock(&self.windows);
        let window = windows.get(&caller.org_id);
        Ok(Response::new(pb::GetStatusResponse {
            window_reports: window.map_or(0, |w| w.len() as u64),
            window_bytes: window.map_or(0, |w| w.bytes() as u64),
            subscribers: window.map_or(0, |w| u32::try_from(w.subscribers()).unwrap_or(u32::MAX)),
            accepted_reports: self.metrics.accepted.get(),
            rejected_reports: self.rejected.load(Ordering::Relaxed),
            replica: self.replica.clone(),
            sequence: window.map_or(0, Window::sequence),
            ..pb::GetStatusResponse::default()
        }))
    }
}

async fn feed(
    opening: Opening,
    sender: mpsc::Sender<Result<pb::SubscribeResponse, Status>>,
    replica: String,
    metrics: Metrics,
) {
    let send = |event| {
        let response = pb::SubscribeResponse { event: Some(event) };
        let sender = &sender;
        async move { sender.send(Ok(response)).await.is_ok() }
    };
    let Opening {
        held,
        sequence,
        mut live,
    } = opening;
    for report in held {
        if !send(Event::Report(pb::StoredReport::clone(&report))).await {
            return;
        }
    }
    if !send(Event::CaughtUp(pb::CaughtUp { replica, sequence })).await {
        return;
    }
    loop {
        let received = tokio::select! {
            () = sender.closed() => return,
            received = live.recv() => received,
        };
        let event = match received {
            Ok(report) => Event::Report(pb::StoredReport::clone(&report)),
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                metrics.missed.inc_by(missed);
                Event::Missed(missed)
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if !send(event).await {
            return;
        }
    }
}
