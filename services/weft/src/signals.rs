//! Ending a process.

use std::time::Duration;

use runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// At the first SIGINT or SIGTERM says that this process is not ready any more, and begins its shutdown so much later; the
/// second ends it at once.
pub(crate) fn leave_on_signal(rt: &Runtime, delay: Duration) -> anyhow::Result<()> {
    cancel_on_signal(rt.leaving.clone())?;
    let (leaving, shutdown) = (rt.leaving.clone(), rt.shutdown.clone());
    tokio::spawn(async move {
        leaving.cancelled().await;
        tokio::time::sleep(delay).await;
        shutdown.cancel();
    });
    Ok(())
}

/// Cancels the token at the first SIGINT or SIGTERM; the second ends the process at once.
pub(crate) fn cancel_on_signal(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for attempt in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if attempt > 0 {
                std::process::exit(130);
            }
            tracing::info!("shutting down");
            shutdown.cancel();
        }
    });
    Ok(())
}
