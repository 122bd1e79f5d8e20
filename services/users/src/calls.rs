//! What happens around every call of the store: its duration, its outcome, and what that says about the store's health.

use std::future::Future;
use std::time::{Duration, Instant};

use prometheus::{HistogramOpts, HistogramVec};
use runtime::{Dependency, Runtime};
use tracing::Instrument;

use crate::{Error, OpenError};

/// Upper bounds in seconds.
const BUCKETS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];
/// How often a store that is down is asked whether it still is.
const PROBE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub(crate) struct Calls {
    seconds: HistogramVec,
    dependency: Dependency,
}

impl Calls {
    pub(crate) fn register(rt: &Runtime) -> Result<Self, OpenError> {
        let opts = HistogramOpts::new(
            "weft_users_store_operation_seconds",
            "Time that calls of the users' store took.",
        );
        let opts = opts.buckets(BUCKETS.to_vec());
        let seconds = HistogramVec::new(opts, &["operation", "outcome"])?;
        rt.registry.register(Box::new(seconds.clone()))?;
        Ok(Calls {
            seconds,
            dependency: rt.dependency("users-store"),
        })
    }

    pub(crate) async fn run<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let span = tracing::info_span!("store", store = "users", operation);
        let started = Instant::now();
        let result = call.instrument(span).await;
        let outcome = match &result {
            Ok(_) => "ok",
            Err(error) if error.is_outage() => "unavailable",
            Err(_) => "refused",
        };
        self.seconds
            .with_label_values(&[operation, outcome])
            .observe(started.elapsed().as_secs_f64());
        match &result {
            Err(error) if error.is_outage() => self.dependency.down(&error.to_string()),
            _ => self.dependency.up(),
        }
        result
    }

    /// Asks the store while it is down, so that it is known to be back without anybody calling.
    pub(crate) fn probe<F, P>(&self, rt: &Runtime, probe: F)
    where
        F: Fn() -> P + Send + Sync + 'static,
        P: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let calls = self.clone();
        rt.spawn("probe of the users' store", async move {
            loop {
                // What it says is known to the dependency now.
                drop(calls.run("probe", probe()).await);
                tokio::time::sleep(PROBE).await;
                calls.dependency.until(false).await;
            }
        });
    }
}
