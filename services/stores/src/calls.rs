//! What happens around every call of a store, whatever the backend: a span, its duration, its outcome, and what that says
//! about the store's health.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prometheus::{HistogramOpts, HistogramVec};
use runtime::{Dependency, Runtime};
use tracing::Instrument;

use crate::{OpenError, StoreError};

/// Upper bounds in seconds: from memory to a call that was tried three times.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0,
];

/// How often a store that is down is asked whether it still is.
const PROBE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub(crate) struct Calls {
    store: &'static str,
    seconds: HistogramVec,
    dependency: Dependency,
    /// A write was refused or throttled: that reading works says nothing about it.
    needs_write: Arc<AtomicBool>,
}

/// What a call does to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
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
            Ok(()) => Ok(Calls {
                store,
                seconds,
                dependency: rt.dependency(store),
                needs_write: Arc::default(),
            }),
            Err(prometheus::Error::AlreadyReg) => Err(OpenError::Other(format!(
                "{store} are open in this process already; clone them"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn read<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.run(Kind::Read, operation, call).await
    }

    pub(crate) async fn write<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.run(Kind::Write, operation, call).await
    }

    async fn run<T>(
        &self,
        kind: Kind,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let span = tracing::info_span!("store", store = self.store, operation);
        let started = Instant::now();
        let result = call.instrument(span).await;
        self.seconds
            .with_label_values(&[operation, outcome(&result)])
            .observe(started.elapsed().as_secs_f64());
        self.learn(kind, result.as_ref().err());
        result
    }

    fn learn(&self, kind: Kind, error: Option<&StoreError>) {
        match error {
            None | Some(StoreError::NotFound(_)) => {
                if kind == Kind::Write {
                    self.needs_write.store(false, Ordering::Relaxed);
                }
                if !self.needs_write.load(Ordering::Relaxed) {
                    self.dependency.up();
                }
            }
            Some(error) => {
                if kind == Kind::Write && !matches!(error, StoreError::Unavailable(_)) {
                    self.needs_write.store(true, Ordering::Relaxed);
                }
                self.dependency.down(&error.to_string());
            }
        }
    }

    /// Asks the store now, and again and again while it is down, so that it is known to be back without anybody calling.
    pub(crate) fn probe<F, P>(&self, rt: &Runtime, probe: F)
    where
        F: Fn() -> P + Send + Sync + 'static,
        P: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let calls = self.clone();
        rt.spawn("probe of a store", async move {
            loop {
                let result = calls.read("probe", probe());
                // What it says is known to the dependency now.
                drop(result.await);
                tokio::time::sleep(PROBE).await;
                calls.dependency.until(false).await;
            }
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn calls() -> (Calls, Dependency) {
        let rt = Runtime::new(runtime::Config::default(), client::Key::generate());
        let calls = Calls::register("objects", &rt).expect("registered");
        (calls, rt.dependency("objects"))
    }

    fn refused() -> StoreError {
        StoreError::Refused("no".to_owned())
    }

    #[tokio::test]
    async fn refused_write_heals_by_a_write_alone() {
        let (calls, dependency) = calls();
        calls.learn(Kind::Write, Some(&refused()));
        calls.learn(Kind::Read, None);
        assert!(!dependency.is_up());
        calls.learn(Kind::Write, None);
        assert!(dependency.is_up());
    }

    #[tokio::test]
    async fn what_is_not_found_was_answered() {
        let (calls, dependency) = calls();
        calls.learn(Kind::Write, Some(&StoreError::Unavailable("x".to_owned())));
        assert!(!dependency.is_up());
        calls.learn(Kind::Read, Some(&StoreError::NotFound("x".to_owned())));
        assert!(dependency.is_up());
    }

    #[tokio::test(start_paused = true)]
    async fn store_that_is_down_is_probed_until_it_is_back() {
        let rt = Runtime::new(runtime::Config::default(), client::Key::generate());
        let calls = Calls::register("index", &rt).expect("registered");
        let away = Arc::new(AtomicBool::new(true));
        let probed = Arc::clone(&away);
        calls.probe(&rt, move || {
            let away = probed.load(Ordering::Relaxed);
            async move { if away { Err(refused()) } else { Ok(()) } }
        });
        let dependency = rt.dependency("index");
        dependency.until(false).await;
        away.store(false, Ordering::Relaxed);
        dependency.until(true).await;
        away.store(true, Ordering::Relaxed);
        calls.learn(Kind::Read, Some(&refused()));
        away.store(false, Ordering::Relaxed);
        dependency.until(true).await;
    }
}
