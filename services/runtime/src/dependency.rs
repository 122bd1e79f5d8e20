//! What a process needs of others, and whether it is there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::Runtime;

/// A database, a store or another server that this process calls. It counts as there until a call fails.
///
/// Health answers for it under `dependency/<name>`, `/readyz` and `weft_dependency_up` tell of it, and each change is one
/// line in the log, however many calls notice. A process whose dependency is away goes on serving what it can.
#[derive(Debug, Clone)]
pub struct Dependency {
    name: &'static str,
    gauge: IntGauge,
    outage: Arc<watch::Sender<Option<Outage>>>,
}

#[derive(Debug, Clone)]
struct Outage {
    reason: String,
    since: Instant,
}

impl Dependency {
    /// It answers.
    pub fn up(&self) {
        self.outage.send_if_modified(|outage| {
            let Some(was) = outage.take() else {
                return false;
            };
            let after = was.since.elapsed();
            tracing::info!(dependency = self.name, ?after, "dependency is back");
            self.gauge.set(1);
            true
        });
    }

    /// It does not answer as it should. `/readyz` shows the reason: no secrets in it.
    pub fn down(&self, reason: &str) {
        self.outage.send_if_modified(|outage| {
            if let Some(outage) = outage {
                reason.clone_into(&mut outage.reason);
                return false;
            }
            tracing::warn!(dependency = self.name, reason, "dependency is down");
            self.gauge.set(0);
            *outage = Some(Outage {
                reason: reason.to_owned(),
                since: Instant::now(),
            });
            true
        });
    }

    /// Whether it answered when it was called last.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.outage.borrow().is_none()
    }

    /// Waits until it is up, or down.
    pub async fn until(&self, up: bool) {
        let mut outage = self.outage.subscribe();
        // Fails if the sender is gone, which is in `self`.
        let _ = outage.wait_for(|outage| outage.is_none() == up).await;
    }
}

/// All dependencies of a process.
#[derive(Clone)]
pub(crate) struct Dependencies {
    all: Arc<Mutex<BTreeMap<&'static str, Dependency>>>,
    gauge: IntGaugeVec,
}

impl Dependencies {
    pub(crate) fn register(registry: &Registry) -> Self {
        let opts = Opts::new(
            "weft_dependency_up",
            "Whether a dependency answered when it was called last.",
        );
        let gauge = IntGaugeVec::new(opts, &["dependency"]).expect("a valid metric");
        registry
            .register(Box::new(gauge.clone()))
            .expect("registered once");
        Dependencies {
            all: Arc::default(),
            gauge,
        }
    }

    /// A line for each that is down.
    pub(crate) fn outages(&self) -> String {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = String::new();
        for (name, dependency) in &*all {
            if let Some(Outage { reason, since }) = &*dependency.outage.borrow() {
                let seconds = since.elapsed().as_secs();
                let reason = reason.replace('\n', " ");
                // Writing to a string does not fail.
                let _ = writeln!(lines, "{name}: {reason}, for {seconds} s");
            }
        }
        lines
    }
}

impl Runtime {
    /// The dependency of this name: the same one for all who ask. To be called within Tokio.
    #[must_use]
    pub fn dependency(&self, name: &'static str) -> Dependency {
        let Dependencies { all, gauge } = &self.dependencies;
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let gauge = gauge.with_label_values(&[name]);
            gauge.set(1);
            let (outage, changes) = watch::channel(None);
            let report = report(self.health.clone(), name, changes);
            self.spawn("health of a dependency", report);
            Dependency {
                name,
                gauge,
                outage: Arc::new(outage),
            }
        };
        all.entry(name).or_insert_with(new).clone()
    }
}

/// Keeps the health service informed, which can only be told by awaiting it.
async fn report(
    health: HealthReporter,
    name: &'static str,
    mut changes: watch::Receiver<Option<Outage>>,
) {
    loop {
        let status = match &*changes.borrow_and_update() {
            None => ServingStatus::Serving,
            Some(_) => ServingStatus::NotServing,
        };
        let service = format!("dependency/{name}");
        health.set_service_status(service, status).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use client::Key;
    use http_body_util::BodyExt;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus as Answer;
    use tonic_health::pb::health_client::HealthClient;
    use tower::ServiceExt;

    use super::*;
    use crate::{Config, admin, open};

    async fn get(rt: &Runtime, path: &str) -> String {
        let request = http::Request::get(path).body(Body::empty());
        let answer = admin::router(rt).oneshot(request.expect("a request")).await;
        let Ok(answer) = answer;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a body");
        format!(
            "{status} {}",
            String::from_utf8_lossy(&body.to_bytes()).trim_end()
        )
    }

    /// Health learns of a change a little later, from a task.
    async fn check_health(rt: &Runtime, service: &str, expected: Answer) {
        let mut client = HealthClient::new(open(rt).await);
        for _ in 0..100 {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let status = client.check(request).await.map(|a| a.into_inner().status());
            if status.is_ok_and(|status| status == expected) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{service} is not {expected:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn outage_is_told_everywhere_and_ends() {
        let rt = Runtime::new(Config::default(), Key::generate());
        let dependency = rt.dependency("objects");
        assert_eq!(get(&rt, "/readyz").await, "200 ok");
        check_health(&rt, "dependency/objects", Answer::Serving).await;

        dependency.down("connection refused");
        tokio::time::advance(Duration::from_secs(12)).await;
        rt.dependency("objects").down("no answer");
        assert_eq!(
            get(&rt, "/readyz").await,
            "200 degraded\nobjects: no answer, for 12 s"
        );
        check_health(&rt, "dependency/objects", Answer::NotServing).await;
        check_health(&rt, "", Answer::Serving).await;
        let metrics = get(&rt, "/metrics").await;
        assert!(metrics.contains("weft_dependency_up{dependency=\"objects\"} 0"));

        dependency.up();
        dependency.until(true).await;
        assert_eq!(get(&rt, "/readyz").await, "200 ok");
        check_health(&rt, "dependency/objects", Answer::Serving).await;
        rt.shutdown.cancel();
        assert_eq!(get(&rt, "/readyz").await, "503 shutting down");
    }
}
