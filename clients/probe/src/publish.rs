//! Sends reports: a full one, then what changed, then a full one again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::app::{App, RequestError};
use crate::backoff::Backoff;
use crate::report::Report;

/// Shortcuts that may be under way at once.
const MAX_SHORTCUTS: usize = 4;

/// Sends one regular report at a time.
pub(crate) struct Publisher {
    app: Arc<App>,
    interval: Duration,
    full_every: u32,
    compressor: Compressor,
    /// The last full report, if the app has it.
    base: Option<Arc<Report>>,
    since_full: u32,
    backoff: Backoff,
    /// Failures after one that was told are told more quietly.
    failing: bool,
    next: Instant,
    sending: Option<Sending>,
    shortcuts: JoinSet<()>,
    last_shortcut: Instant,
}

struct Sending {
    task: JoinHandle<Result<(), RequestError>>,
    /// The report, when it is a full one.
    full: Option<Arc<Report>>,
}

impl Publisher {
    pub(crate) fn new(app: Arc<App>, interval: Duration, full_every: u32) -> Self {
        Self {
            app,
            interval,
            full_every: full_every.max(1),
            compressor: Compressor::new(CompressionLvl::default()),
            base: None,
            since_full: 0,
            backoff: Backoff::default(),
            failing: false,
            next: Instant::now() + interval,
            sending: None,
            shortcuts: JoinSet::new(),
            last_shortcut: Instant::now(),
        }
    }

    /// Waits until the next report may be sent.
    pub(crate) async fn ready(&mut self) {
        if let Some(sending) = &mut self.sending {
            let result = (&mut sending.task).await;
            let full = sending.full.take();
            self.sending = None;
            // The task neither panics nor is aborted before this is dropped.
            self.sent(full, result.unwrap_or(Err(RequestError::Timeout)));
        }
        tokio::time::sleep_until(self.next).await;
    }

    /// Sends a report in the background. Only after `ready`.
    pub(crate) fn send(&mut self, report: Report) {
        self.next = (self.next + self.interval).max(Instant::now());
        let (bytes, full) = match self.base.as_deref() {
            Some(base) if self.since_full < self.full_every => {
                self.since_full += 1;
                (report.subtract(base).encode(), None)
            }
            _ => {
                let report = Arc::new(report);
                (report.encode(), Some(report))
            }
        };
        self.post(&bytes, full);
    }

    /// Lets this turn pass: there is nothing to report yet.
    pub(crate) fn skip(&mut self) {
        self.next = Instant::now() + self.interval;
    }

    /// Sends a report that cannot wait; it is lost if the app does not take it.
    pub(crate) async fn send_shortcut(&mut self, report: &Report) {
        // So that a storm of events does not become one of requests.
        tokio::time::sleep_until(self.last_shortcut + self.interval / 100).await;
        self.last_shortcut = Instant::now();
        let Ok(body) = gzip(&mut self.compressor, &report.encode()) else {
            return;
        };
        let app = Arc::clone(&self.app);
        self.shortcuts.spawn(async move {
            if let Err(error) = app.report(body).await {
                tracing::debug!(error = error.chain(), "shortcut report failed");
            }
        });
        while self.shortcuts.len() > MAX_SHORTCUTS {
            self.shortcuts.join_next().await;
        }
        while self.shortcuts.try_join_next().is_some() {}
    }

    fn post(&mut self, bytes: &[u8], full: Option<Arc<Report>>) {
        let body = match gzip(&mut self.compressor, bytes) {
            Ok(body) => body,
            Err(error) => return tracing::error!(%error, "a report cannot be compressed"),
        };
        tracing::debug!(
            bytes = bytes.len(),
            compressed = body.len(),
            full = full.is_some(),
            "report"
        );
        let app = Arc::clone(&self.app);
        let task = tokio::spawn(async move { app.report(body).await });
        self.sending = Some(Sending { task, full });
    }

    fn sent(&mut self, full: Option<Arc<Report>>, result: Result<(), RequestError>) {
        match result {
            Ok(()) => {
                if self.failing {
                    tracing::info!("reports are accepted again");
                }
                self.failing = false;
                self.backoff.reset();
                if full.is_some() {
                    self.base = full;
                    self.since_full = 1;
                }
            }
            Err(error) => {
                // What the app has not got, nothing can be relative to.
                self.forget();
                let delay = self.backoff.next();
                self.next = self.next.max(Instant::now() + delay);
                if self.failing {
                    tracing::debug!(error = error.chain(), "report failed again");
                } else {
                    tracing::warn!(
                        error = error.chain(),
                        "report failed; trying again with growing delays"
                    );
                }
                self.failing = true;
            }
        }
    }

    /// Makes the next report a full one: the app may have lost the last.
    pub(crate) fn forget(&mut self) {
        self.base = None;
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if let Some(sending) = &self.sending {
            sending.task.abort();
        }
    }
}

fn gzip(compressor: &mut Compressor, bytes: &[u8]) -> Result<Bytes, libdeflater::CompressionError> {
    let mut out = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let size = compressor.gzip_compress(bytes, &mut out)?;
    out.truncate(size);
    Ok(out.into())
}
