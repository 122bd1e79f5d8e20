//! The tenants that somebody reads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::collection::v1::GetStatusRequest;
use proto::collection::v1::collection_service_client::CollectionServiceClient;
use proto::tenant::v1::Permission;
use runtime::Runtime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::feed::feed;
use crate::metrics::Metrics;
use crate::tenant::Tenant;
use crate::{Config, Peers};

/// How long an answer waits for reports that are on their way; then it says that it is partial.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often tenants that nobody reads are looked for.
const FORGET: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub(crate) struct Tenants(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    peers: Peers,
    rt: Runtime,
    metrics: Metrics,
    followed: Mutex<HashMap<String, Followed>>,
}

#[derive(Debug)]
struct Followed {
    tenant: Arc<Tenant>,
    stop: CancellationToken,
}

impl Tenants {
    pub(crate) fn start(
        config: Config,
        peers: Peers,
        rt: &Runtime,
    ) -> Result<Self, prometheus::Error> {
        let tenants = Tenants(Arc::new(Inner {
            metrics: Metrics::register(&rt.registry)?,
            config,
            peers,
            rt: rt.clone(),
            followed: Mutex::default(),
        }));
        let forgetting = tenants.clone();
        rt.spawn("forget tenants", async move {
            let mut tick = tokio::time::interval(FORGET);
            loop {
                tick.tick().await;
                forgetting.forget();
            }
        });
        Ok(tenants)
    }

    /// The tenant, and what is missing of it, in words. Every report that collection had accepted before this call is in.
    pub(crate) async fn fresh(&self, org: &str) -> (Arc<Tenant>, Vec<String>) {
        let tenant = self.tenant(org);
        let replicas = self.0.peers.collection.iter();
        let waits = replicas.map(|channel| self.caught_up(&tenant, channel.clone()));
        let results = futures_util::future::join_all(waits).await;
        let missing = results.iter().filter(|up| !**up).count();
        let mut warnings = Vec::new();
        if missing > 0 {
            let all = results.len();
            warnings.push(format!(
                "partial: {} of {all} collectors answer",
                all - missing
            ));
        }
        (tenant, warnings)
    }

    /// The tenant as it is here, followed from now on.
    pub(crate) fn tenant(&self, org: &str) -> Arc<Tenant> {
        let inner = &self.0;
        let mut followed = inner
            .followed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = followed.get(org) {
            known.tenant.touch();
            return Arc::clone(&known.tenant);
        }
        let interval = inner.config.watch_interval;
        let tenant = Tenant::new(org, inner.rt.clock, inner.metrics.clone(), interval);
        let tenant = Arc::new(tenant);
        let stop = inner.rt.shutdown.child_token();
        for channel in &inner.peers.collection {
            let following = feed(
                Arc::clone(&tenant),
                channel.clone(),
                inner.rt.key.clone(),
                inner.metrics.clone(),
            );
            let stop = stop.clone();
            inner.rt.spawn("follow a tenant", async move {
                stop.run_until_cancelled_owned(following).await;
            });
        }
        followed.insert(
            org.to_owned(),
            Followed {
                tenant: Arc::clone(&tenant),
                stop,
            },
        );
        inner.metrics.followed_tenants.inc();
        tenant
    }

    async fn caught_up(&self, tenant: &Arc<Tenant>, channel: client::Channel) -> bool {
        let up = async {
            let request = client::authorise(
                tonic::Request::new(GetStatusRequest {}),
                &self.0.rt.key,
                &tenant.org,
                "query",
                &[Permission::View],
            );
            let status = CollectionServiceClient::new(channel)
                .get_status(request)
                .await?
                .into_inner();
            tenant.wait_for(&status.replica, status.sequence).await;
            Ok::<_, tonic::Status>(())
        };
        matches!(timeout(PATIENCE, up).await, Ok(Ok(())))
    }

    fn forget(&self) {
        let inner = &self.0;
        let mut followed = inner
            .followed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        followed.retain(|_, known| {
            let keep = known.tenant.unread_for() < inner.config.forget_after;
            if !keep {
                known.stop.cancel();
            }
            keep
        });
        let count = i64::try_from(followed.len()).unwrap_or(i64::MAX);
        inner.metrics.followed_tenants.set(count);
    }
}
