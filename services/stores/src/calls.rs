//! What happens around every call of a store, whatever the backend: a span, its duration, its outcome.

use std::future::Future;
use std::time::Instant;

use prometheus::{HistogramOpts, HistogramVec};
use runtime::Runtime;
use tracing::Instrument;

use crate::{OpenError, StoreError};

/// Upper bounds in seconds: from memory to a call that was tried three times.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0,
];

#[derive(Debug, Clone)]
pub(crate) struct Calls {
    store: &'static str,
    seconds: HistogramVec,
}

impl Calls {
    pub(crate) fn register(store: &'static str, rt: &Runtime) -> Result<Self, OpenError> {
        let opts = HistogramOpts::new(
            "weft_store_operation_seconds",
            "Time that calls of a store took, all tries together.",
        );
        let opts = opts.buckets(BUCKETS.to_vec()).const_label("store", store);
        let seconds = HistogramVec::new(opts, &["operation", "outcome"])?;
        match rt.registry.register(Box::new(seconds.clone())) {
            Ok(()) => Ok(Calls { store, seconds }),
            Err(prometheus::Error::AlreadyReg) => Err(OpenError::Other(format!(
                "{store} are open in this process already; clone them"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn run<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let span = tracing::info_span!("store", store = self.store, operation);
        let started = Instant::now();
        let result = call.instrument(span).await;
        self.seconds
            .with_label_values(&[operation, outcome(&result)])
            .observe(started.elapsed().as_secs_f64());
        result
    }
}

fn outcome<T>(result: &Result<T, StoreError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(StoreError::NotFound(_)) => "not_found",
        Err(StoreError::Throttled(_)) => "throttled",
        Err(StoreError::Unavailable(_)) => "unavailable",
        Err(StoreError::Refused(_)) => "refused",
    }
}
