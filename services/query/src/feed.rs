//! Following one replica of collection.

use std::sync::Arc;
use std::time::Duration;

use client::{Channel, Key};
use proto::collection::v1::collection_service_client::CollectionServiceClient;
use proto::collection::v1::subscribe_response::Event;
use proto::collection::v1::{SubscribeRequest, SubscribeResponse};
use proto::tenant::v1::Permission;
use tonic::Status;

use crate::metrics::Metrics;
use crate::tenant::Tenant;

/// The first and the longest wait before the next attempt.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A report and the message around it; what collection accepted must also get through.
const MESSAGE_BYTES: usize = 64 << 20;

/// Feeds the tenant from this replica for ever.
pub(crate) async fn feed(tenant: Arc<Tenant>, channel: Channel, key: Key, metrics: Metrics) {
    let mut wait = BACK_OFF.0;
    loop {
        match follow(&tenant, &channel, &key, &metrics, &mut wait).await {
            Ok(()) => tracing::debug!(org = tenant.org, "collection ended the stream"),
            Err(status) => {
                tracing::warn!(org = tenant.org, %status, "cannot follow collection");
            }
        }
        // Half to all of the wait, so that many tenants do not come back in step.
        tokio::time::sleep(wait.mul_f64(0.5 + 0.5 * rand::random::<f64>())).await;
        wait = (wait * 2).min(BACK_OFF.1);
    }
}

async fn follow(
    tenant: &Arc<Tenant>,
    channel: &Channel,
    key: &Key,
    metrics: &Metrics,
    wait: &mut Duration,
) -> Result<(), Status> {
    let request = client::authorise(
        tonic::Request::new(SubscribeRequest {}),
        key,
        &tenant.org,
        "query",
        &[Permission::View],
    );
    let mut client =
        CollectionServiceClient::new(channel.clone()).max_decoding_message_size(MESSAGE_BYTES);
    let mut stream = client.subscribe(request).await?.into_inner();
    while let Some(SubscribeResponse { event }) = stream.message().await? {
        *wait = BACK_OFF.0;
        match event {
            // After a break, what is held is sent again.
            Some(Event::Report(stored)) if tenant.has_seen(&stored.replica, stored.sequence) => {}
            Some(Event::Report(stored)) => tenant.push(stored),
            Some(Event::CaughtUp(mark)) => tenant.saw(mark.replica, mark.sequence),
            Some(Event::Missed(missed)) => {
                metrics.missed_reports.inc_by(missed);
                return Err(Status::data_loss(format!("{missed} reports were missed")));
            }
            None => {}
        }
    }
    Ok(())
}
