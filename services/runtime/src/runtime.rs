//! What a service is given when it starts.

use std::future::Future;
use std::time::Duration;

use client::Key;
use prometheus::Registry;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic_health::server::HealthReporter;
use tracing::Instrument;

use crate::Clock;
use crate::dependency::Dependencies;
use crate::listen::Connections;
use crate::rpc_metrics::RpcMetrics;

/// How the services of one process reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wiring {
    /// By calling each other.
    #[default]
    Direct,
    /// Over HTTP/2 in memory: what separate processes do, without sockets.
    Http2,
}

/// What all services of a process have in common.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long open calls may go on after shutdown began. 4 s by default: with what follows, a process ends within 5 s.
    pub drain: Duration,
    /// Calls whose answer has not begun; more are refused with RESOURCE_EXHAUSTED. 1,024 by default.
    pub calls_in_flight: usize,
    /// How services of this process reach each other.
    pub wiring: Wiring,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            drain: Duration::from_secs(4),
            calls_in_flight: 1024,
            wiring: Wiring::Direct,
        }
    }
}

/// Clock, metrics, key, health and shutdown of one process.
#[derive(Clone)]
pub struct Runtime {
    /// How this process behaves.
    pub config: Config,
    /// Wall time.
    pub clock: Clock,
    /// Where every component registers its metrics.
    pub registry: Registry,
    /// Signs and verifies assertions.
    pub key: Key,
    /// Cancelled when the process will end soon, and says so to whoever asks whether it is ready, so that callers go elsewhere
    /// before it takes no more of them.
    pub leaving: CancellationToken,
    /// Cancelled when the process shall end.
    pub shutdown: CancellationToken,
    pub(crate) rpc_metrics: RpcMetrics,
    pub(crate) connections: Connections,
    pub(crate) health: HealthReporter,
    pub(crate) dependencies: Dependencies,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Runtime {
    /// A runtime whose services believe assertions signed with this key.
    #[must_use]
    pub fn new(config: Config, key: Key) -> Self {
        let registry = Registry::new();
        let dependencies = Dependencies::register(&registry);
        Runtime {
            config,
            clock: Clock::system(),
            rpc_metrics: RpcMetrics::register(&registry),
            connections: Connections::register(&registry),
            registry,
            key,
            leaving: CancellationToken::new(),
            shutdown: CancellationToken::new(),
            health: HealthReporter::new(),
            dependencies,
            tasks: TaskTracker::new(),
        }
    }

    /// Runs a background task under this name until it ends or the process shuts down.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let shutdown = self.shutdown.clone();
        let span = tracing::info_span!("task", name);
        let task = async move { shutdown.run_until_cancelled_owned(task).await };
        self.tasks.spawn(
            async move {
                task.await;
            }
            .instrument(span),
        );
    }

    /// Runs work that ends by itself after shutdown began, such as a connection that drains.
    pub fn spawn_draining<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks
            .spawn(task.instrument(tracing::info_span!("task", name)));
    }

    /// Makes draining wait until this is dropped.
    pub(crate) fn held(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Waits until shutdown began and everything has ended, or the drain time is over.
    pub async fn drained(&self) {
        self.shutdown.cancelled().await;
        self.health
            .set_service_status("", tonic_health::ServingStatus::NotServing)
            .await;
        self.tasks.close();
        if timeout(self.config.drain, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "gave up waiting for open calls");
        }
    }
}
