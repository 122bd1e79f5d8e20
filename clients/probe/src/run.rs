//! The life of a probe.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::backoff::Backoff;
use crate::config::Config;
use crate::control::{self, Controls};
use crate::docker::{Docker, DockerControls};
use crate::error::Error;
use crate::pipe::Pipes;
use crate::publish::Publisher;
use crate::shell::Shells;
use crate::spy::Spy;

/// How long ending may take.
const GRACE: Duration = Duration::from_secs(1);

/// Changes of containers that may wait to be sent at once; more are left to the next regular report.
const MAX_CHANGES: usize = 1024;

/// Reports this host to the app, and serves its controls, until `shutdown` is cancelled. An app that cannot be reached
/// is tried again with delays of 1 s to 60 s, for ever.
///
/// # Errors
///
/// When the configuration cannot work: a wrong URL or token, no procfs. What may pass is not an error.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let probe_id = format!("{:x}", rand::random::<u64>() >> 1);
    let app = Arc::new(App::new(&config, &probe_id)?);
    let docker = Docker::open(&config, &probe_id);
    let spy = Spy::new(&config, &probe_id, docker.clone())?;
    tracing::info!(app = %app.target(), probe = probe_id, host = config.host(), "probe starting");
    let pipes = Arc::new(Pipes::new(Arc::clone(&app), shutdown.clone()));
    let probe = async {
        greet(&app).await;
        let connected = Arc::new(Notify::new());
        let (changes, changed) = mpsc::channel(MAX_CHANGES);
        let publisher = Publisher::new(
            Arc::clone(&app),
            config.publish_interval,
            config.full_report_every,
        );
        let reports = Reports {
            publisher,
            docker: docker.clone(),
            changed,
            connected: Arc::clone(&connected),
        };
        let containers = async {
            match docker.clone() {
                Some(docker) => docker.watch(changes).await,
                None => std::future::pending().await,
            }
        };
        let controls = async {
            if !config.controls {
                return std::future::pending().await;
            }
            let docker = docker
                .clone()
                .map(|docker| DockerControls::new(docker, Arc::clone(&pipes)));
            let controls = Controls {
                docker,
                shells: Shells::new(&config.shell),
                pipes: Arc::clone(&pipes),
            };
            control::serve(Arc::clone(&app), Arc::new(controls), connected).await;
        };
        // None of them ends by itself.
        tokio::join!(reports.run(spy, &config), containers, controls);
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = probe => {}
    }
    if timeout(GRACE, pipes.drained()).await.is_err() {
        tracing::warn!("some pipes did not end in time");
    }
    tracing::info!("probe stopped");
    Ok(())
}

/// Waits until the app answers, and says who it is.
async fn greet(app: &App) {
    let mut backoff = Backoff::default();
    loop {
        match app.details().await {
            Ok(details) => {
                tracing::info!(app = details.id, version = details.version, "app found");
                return;
            }
            Err(error) => {
                let delay = backoff.next();
                tracing::warn!(error = error.chain(), ?delay, "no app yet");
                tokio::time::sleep(delay).await;
            }
        }
    }
}

/// What reports are made of and go to.
struct Reports {
    publisher: Publisher,
    docker: Option<Docker>,
    /// Ids of containers that changed.
    changed: mpsc::Receiver<String>,
    connected: Arc<Notify>,
}

impl Reports {
    /// Looks and reports, for ever.
    async fn run(mut self, spy: Spy, config: &Config) {
        let mut spy = Some(spy);
        let mut next_look = Instant::now();
        let longest = config.publish_interval.max(config.spy_interval);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next_look) => {
                    let rest = look(&mut spy).await.clamp(config.spy_interval, longest);
                    next_look = (next_look + rest).max(Instant::now());
                }
                () = self.publisher.ready() => {
                    // The spy is away only while it looks, which is not now.
                    match spy.as_mut().and_then(Spy::report) {
                        Some(report) => self.publisher.send(report),
                        None => self.publisher.skip(),
                    }
                }
                Some(id) = self.changed.recv() => {
                    if let Some(docker) = &self.docker {
                        self.publisher.send_shortcut(&docker.shortcut(&id)).await;
                    }
                }
                // An app that is connected to again may be another one, or have been restarted.
                () = self.connected.notified() => self.publisher.forget(),
            }
        }
    }
}

/// Looks once, on a thread where that may take its time.
async fn look(place: &mut Option<Spy>) -> Duration {
    let Some(mut spy) = place.take() else {
        return Duration::ZERO;
    };
    let looked = tokio::task::spawn_blocking(move || {
        let rest = spy.look();
        (spy, rest)
    });
    match looked.await {
        Ok((spy, rest)) => {
            *place = Some(spy);
            rest
        }
        Err(error) => {
            tracing::error!(%error, "the probe cannot look at this machine any more");
            std::future::pending().await
        }
    }
}
