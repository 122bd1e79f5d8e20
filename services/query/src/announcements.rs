//! Shortcuts: reports that watchers shall see at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use stores::{Shortcut, Shortcuts};
use tokio::time::{sleep, timeout};

use crate::tenant::Tenant;

/// How long an announced report may take to arrive; after that it is seen when it is.
const ARRIVAL: Duration = Duration::from_secs(1);
/// Announced reports that are waited for at once.
const AT_ONCE: usize = 64;
/// How long until announcements are asked for again after the store was away.
const AGAIN: Duration = Duration::from_secs(5);

/// Hurries whoever watches the tenant when a shortcut is announced, for ever. While the store is away all goes on without.
pub(crate) async fn heed(tenant: Arc<Tenant>, shortcuts: Shortcuts) {
    loop {
        match shortcuts.subscribe(&tenant.org).await {
            Ok(announced) => {
                let heeded = |shortcut| {
                    let tenant = &tenant;
                    async move { hurry(tenant, &shortcut).await }
                };
                announced.for_each_concurrent(AT_ONCE, heeded).await;
            }
            Err(error) => tracing::debug!(org = tenant.org, %error, "no shortcuts"),
        }
        sleep(AGAIN).await;
    }
}

async fn hurry(tenant: &Tenant, shortcut: &Shortcut) {
    if !tenant.has_seen(&shortcut.replica, shortcut.sequence) {
        // If it is a feed's turn to wait, this is not the time.
        tenant.reconnect();
        let arrival = tenant.wait_for(&shortcut.replica, shortcut.sequence);
        if timeout(ARRIVAL, arrival).await.is_err() {
            return;
        }
    }
    tenant.hurry();
}
