//! Time that stands until it is told to pass.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::bail;
use tokio::task::spawn_blocking;

/// How long something may take in earnest, whatever the time is here.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long what is under way is given, in earnest, before time passes.
const REST: Duration = Duration::from_millis(2);

/// Makes Tokio's clock stand while this lives.
///
/// Once it is paused, it runs ahead to the next time-out whenever nothing happens on this thread, as if disk and network took
/// for ever. It does not while something blocks, which is what this does.
pub(super) struct Still {
    _until: mpsc::Sender<()>,
}

impl Still {
    pub(super) fn new() -> Still {
        tokio::time::pause();
        let (until, still) = mpsc::channel::<()>();
        spawn_blocking(move || still.recv());
        Still { _until: until }
    }
}

/// Lets time pass.
pub(super) async fn pass(time: Duration) -> anyhow::Result<()> {
    // Else what is under way would take that long.
    spawn_blocking(|| std::thread::sleep(REST)).await?;
    tokio::time::advance(time).await;
    Ok(())
}

/// Fails what takes too long in earnest: while time stands, nothing else ends it.
pub(super) async fn soon<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let (_done, wait) = mpsc::channel::<()>();
    tokio::select! {
        result = work => Ok(result),
        _ = spawn_blocking(move || wait.recv_timeout(PATIENCE)) => bail!("nothing happens"),
    }
}
