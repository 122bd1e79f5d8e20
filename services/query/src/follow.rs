//! Sending what is new in a hub to one watcher.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tonic::Status;

use crate::hub::{Change, Hub};
use crate::tenant::Tenant;

/// A tenant that is watched is one that is read, however quiet it is.
const TOUCH: Duration = Duration::from_secs(20);

/// Where changes go, and how often at most.
#[derive(Debug)]
pub(crate) struct Watcher<T> {
    pub(crate) sender: mpsc::Sender<Result<T, Status>>,
    pub(crate) interval: Duration,
}

impl<T> Watcher<T> {
    /// Sends what is new since this version until the watcher is gone. Of a moment that stands, that is one message.
    pub(crate) async fn follow(
        &self,
        tenant: Arc<Tenant>,
        hub: Arc<Hub>,
        mut from: Option<u64>,
        message: impl Fn(&Hub, &Change) -> Option<T>,
    ) {
        let (mut versions, mut urgencies) = (hub.versions(), hub.urgencies());
        while let Ok(permit) = self.sender.reserve().await {
            tenant.touch();
            versions.mark_unchanged();
            urgencies.mark_unchanged();
            let change = hub.since(from);
            from = Some(change.version);
            let message = message(&hub, &change);
            let sent = message.is_some();
            if let Some(message) = message {
                permit.send(Ok(message));
            }
            if tenant.stands() {
                drop((tenant, hub));
                return self.sender.closed().await;
            }
            if sent {
                pause(self.interval, &mut urgencies).await;
            }
            tokio::select! {
                () = self.sender.closed() => return,
                () = sleep(TOUCH) => {}
                changed = versions.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Ends the watch with an error.
    pub(crate) async fn fail(&self, status: Status) {
        // Fails when the watcher is gone, which is no matter.
        let _ = self.sender.send(Err(status)).await;
    }
}

/// Waits so long, or until something is urgent.
pub(crate) async fn pause(time: Duration, urgencies: &mut watch::Receiver<u64>) {
    let urgent = async {
        // Fails when nothing more can be urgent.
        if urgencies.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = sleep(time) => {}
        () = urgent => {}
    }
}
