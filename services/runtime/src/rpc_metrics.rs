//! The RPC metrics that every service has in common.

use std::time::{Duration, Instant};

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};
use tonic::Code;

/// Upper bounds in seconds: from a direct call to a slow cold query.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

#[derive(Debug, Clone)]
pub(crate) struct RpcMetrics {
    started: IntCounterVec,
    handled: IntCounterVec,
    seconds: HistogramVec,
}

impl RpcMetrics {
    pub(crate) fn register(registry: &Registry) -> Self {
        let labels = &["grpc_service", "grpc_method"];
        let with_code = &["grpc_service", "grpc_method", "grpc_code"];
        let counter = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels).expect("a valid metric")
        };
        let metrics = RpcMetrics {
            started: counter("grpc_server_started_total", "RPCs begun.", labels),
            handled: counter(
                "grpc_server_handled_total",
                "RPCs ended, by status code.",
                with_code,
            ),
            seconds: HistogramVec::new(
                HistogramOpts::new(
                    "grpc_server_handling_seconds",
                    "Time from the request to the end of the answer.",
                )
                .buckets(BUCKETS.to_vec()),
                labels,
            )
            .expect("a valid metric"),
        };
        for collector in [
            Box::new(metrics.started.clone()) as Box<dyn prometheus::core::Collector>,
            Box::new(metrics.handled.clone()),
            Box::new(metrics.seconds.clone()),
        ] {
            registry.register(collector).expect("registered once");
        }
        metrics
    }

    /// Counts a call of this path (`/package.Service/Method`) until the returned guard is told how it ended.
    pub(crate) fn begin(&self, path: &str) -> RunningRpc {
        let (service, method) = path
            .strip_prefix('/')
            .and_then(|p| p.split_once('/'))
            .unwrap_or(("unknown", "unknown"));
        self.started.with_label_values(&[service, method]).inc();
        RunningRpc {
            metrics: self.clone(),
            service: service.to_owned(),
            method: method.to_owned(),
            since: Instant::now(),
            code: None,
        }
    }
}

/// A call that has not ended. Dropped without a code, it was given up by its caller.
#[derive(Debug)]
pub(crate) struct RunningRpc {
    metrics: RpcMetrics,
    service: String,
    method: String,
    since: Instant,
    code: Option<Code>,
}

impl RunningRpc {
    pub(crate) fn ended(&mut self, code: Code) {
        self.code = Some(code);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Drop for RunningRpc {
    fn drop(&mut self) {
        let code = format!("{:?}", self.code.unwrap_or(Code::Cancelled));
        let (service, method) = (self.service.as_str(), self.method.as_str());
        self.metrics
            .handled
            .with_label_values(&[service, method, code.as_str()])
            .inc();
        self.metrics
            .seconds
            .with_label_values(&[service, method])
            .observe(self.elapsed().as_secs_f64());
    }
}
