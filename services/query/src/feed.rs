//! Following one replica of collection.

use std::sync::Arc;
use std::time::Duration;

use proto::collection::v1::subscribe_response::Event;
use proto::collection::v1::{SubscribeRequest, SubscribeResponse};
use tokio::time::{sleep, timeout};
use tonic::Status;

use crate::collectors::{Collectors, PATIENCE};
use crate::metrics::Metrics;
use crate::tenant::Tenant;

/// The first and the longest wait before the next attempt. What a replica accepts after it came back is not seen for as
/// long as that.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// How often a replica is asked whether it is still there, and how often in vain before the stream counts as broken.
const CHECK: Duration = Duration::from_secs(5);
const CHECKS: u32 = 3;

/// A replica's reports on their way to a tenant.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) collectors: Collectors,
    pub(crate) replica: usize,
    pub(crate) metrics: Metrics,
}

impl Feed {
    /// Feeds the tenant for ever.
    pub(crate) async fn run(self) {
        let org = &self.tenant.org;
        let mut wait = BACK_OFF.0;
        loop {
            let ended = tokio::select! {
                ended = self.follow(&mut wait) => ended,
                status = self.check() => Err(status),
            };
            match ended {
                Ok(()) => tracing::debug!(org, "collection ended the stream"),
                // Once per outage, however long that is.
                Err(status) if wait == BACK_OFF.0 => {
                    tracing::warn!(org, %status, "cannot follow collection");
                }
                Err(status) => tracing::debug!(org, %status, "still cannot follow collection"),
            }
            self.tenant.answers(self.replica, false);
            let again = self.tenant.reconnection();
            // Half to all of the wait, so that many tenants do not come back in step.
            let wait_now = wait.mul_f64(0.5 + 0.5 * rand::random::<f64>());
            if timeout(wait_now, again).await.is_err() {
                wait = (wait * 2).min(BACK_OFF.1);
            }
        }
    }

    async fn follow(&self, wait: &mut Duration) -> Result<(), Status> {
        let tenant = &self.tenant;
        let request = self.collectors.request(&tenant.org, SubscribeRequest {});
        let mut client = self.collectors.client(self.replica);
        let mut stream = client.subscribe(request).await?.into_inner();
        while let Some(SubscribeResponse { event }) = stream.message().await? {
            *wait = BACK_OFF.0;
            match event {
                // After a break, what is held is sent again.
                Some(Event::Report(stored))
                    if tenant.has_seen(&stored.replica, stored.sequence) => {}
                Some(Event::Report(stored)) => tenant.push(stored),
                Some(Event::CaughtUp(mark)) => {
                    tenant.saw(mark.replica, mark.sequence);
                    tenant.answers(self.replica, true);
                }
                Some(Event::Missed(missed)) => {
                    self.metrics.missed_reports.inc_by(missed);
                    return Err(Status::data_loss(format!("{missed} reports were missed")));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Looks whether the replica answers, until it did not for long.
    async fn check(&self) -> Status {
        let mut failed = 0;
        while failed < CHECKS {
            sleep(CHECK).await;
            if self.catch_up().await {
                failed = 0;
            } else {
                failed += 1;
            }
        }
        Status::unavailable("it does not answer")
    }

    /// Waits until all reports that the replica has accepted are here; false if that does not happen soon.
    pub(crate) async fn catch_up(&self) -> bool {
        let tenant = &self.tenant;
        let up = async {
            let status = self.collectors.status(self.replica, &tenant.org).await?;
            tenant.wait_for(&status.replica, status.sequence).await;
            Ok::<_, Status>(())
        };
        let up = matches!(timeout(PATIENCE, up).await, Ok(Ok(())));
        tenant.answers(self.replica, up);
        up
    }
}
