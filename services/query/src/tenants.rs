//! The tenants that somebody reads: now, at a moment, or played from one.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::collectors::Collectors;
use crate::feed::Feed;
use crate::history::History;
use crate::metrics::Metrics;
use crate::past::Past;
use crate::play::{Player, Score};
use crate::renderers::Renderers;
use crate::tenant::Tenant;
use crate::turns::Turns;
use crate::{Config, Peers, StartError, announcements};

/// How often tenants that nobody reads are looked for.
const FORGET: Duration = Duration::from_secs(5);
/// Watches of one organisation that play history at once.
const PLAYERS_PER_ORG: usize = 16;

#[derive(Debug, Clone)]
pub(crate) struct Tenants(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    shortcuts: stores::Shortcuts,
    collectors: Collectors,
    history: History,
    past: Past,
    players: Turns,
    rt: Runtime,
    metrics: Metrics,
    renderers: Renderers,
    followed: Mutex<HashMap<String, Followed>>,
}

#[derive(Debug)]
struct Followed {
    tenant: Arc<Tenant>,
    feeds: Vec<Feed>,
    stop: CancellationToken,
}

impl Tenants {
    pub(crate) fn start(config: Config, peers: Peers, rt: &Runtime) -> Result<Self, StartError> {
        let metrics = Metrics::register(&rt.registry)?;
        let renderers = Renderers::start()?;
        let collectors = Collectors {
            channels: peers.collection,
            key: rt.key.clone(),
        };
        let history = History {
            archive: peers.archive,
            collectors: collectors.clone(),
        };
        let past = Past::new(
            config.clone(),
            history.clone(),
            rt,
            metrics.clone(),
            renderers.clone(),
        );
        let tenants = Tenants(Arc::new(Inner {
            players: Turns::new(config.players, PLAYERS_PER_ORG),
            shortcuts: peers.shortcuts,
            collectors,
            history,
            past,
            metrics,
            renderers,
            config,
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

    /// The history of all tenants.
    pub(crate) fn history(&self) -> &History {
        &self.0.history
    }

    /// The present in Unix nanoseconds.
    pub(crate) fn now(&self) -> i64 {
        self.0.rt.clock.unix_nanos()
    }

    /// The tenant at this moment; none and moments to come are now.
    pub(crate) async fn at(&self, org: &str, at: Option<i64>) -> Result<Arc<Tenant>, Status> {
        match self.passed(at) {
            Some(at) => self.0.past.at(org, at).await,
            None => Ok(self.fresh(org).await),
        }
    }

    /// The moment, if it has passed.
    pub(crate) fn passed(&self, at: Option<i64>) -> Option<i64> {
        at.filter(|at| *at < self.now())
    }

    /// Plays a tenant's history from a moment that has passed.
    pub(crate) async fn play(
        &self,
        org: &str,
        from: i64,
        speed: f64,
        step: Duration,
    ) -> Result<Player, Status> {
        let inner = &self.0;
        let busy = || Status::resource_exhausted("too many watches play history; try again later");
        let turn = inner.players.take(org).ok_or_else(busy)?;
        let score = Score {
            org: org.to_owned(),
            from,
            speed,
            step: step.max(inner.config.watch_interval),
            clock: inner.rt.clock,
        };
        let renderers = inner.renderers.clone();
        Player::start(
            inner.history.clone(),
            score,
            &inner.metrics,
            renderers,
            turn,
        )
        .await
    }

    /// The tenant now. Every report that collection had accepted before this call is in, or it says what is missing.
    pub(crate) async fn fresh(&self, org: &str) -> Arc<Tenant> {
        let (tenant, feeds) = self.followed(org);
        futures_util::future::join_all(feeds.iter().map(Feed::catch_up)).await;
        tenant
    }

    /// The tenant as it is here, followed from now on.
    fn followed(&self, org: &str) -> (Arc<Tenant>, Vec<Feed>) {
        let mut followed = self.lock();
        let known = match followed.get(org) {
            Some(known) => known,
            None => followed.entry(org.to_owned()).or_insert(self.follow(org)),
        };
        known.tenant.touch();
        (Arc::clone(&known.tenant), known.feeds.clone())
    }

    fn follow(&self, org: &str) -> Followed {
        let inner = &self.0;
        let (interval, metrics) = (inner.config.watch_interval, &inner.metrics);
        let replicas = inner.collectors.len();
        let tenant = Tenant::present(
            org,
            inner.rt.clock,
            metrics.clone(),
            inner.renderers.clone(),
            interval,
            replicas,
        );
        let tenant = Arc::new(tenant);
        let stop = inner.rt.shutdown.child_token();
        let spawn = |name, task: Pin<Box<dyn Future<Output = ()> + Send>>| {
            let stop = stop.clone();
            inner.rt.spawn(name, async move {
                stop.run_until_cancelled_owned(task).await;
            });
        };
        let feeds = (0..replicas).map(|replica| Feed {
            tenant: Arc::clone(&tenant),
            collectors: inner.collectors.clone(),
            replica,
            metrics: metrics.clone(),
        });
        let feeds: Vec<Feed> = feeds.collect();
        for feed in &feeds {
            spawn("follow a tenant", Box::pin(feed.clone().run()));
        }
        let heeding = announcements::heed(Arc::clone(&tenant), inner.shortcuts.clone());
        spawn("heed shortcuts", Box::pin(heeding));
        metrics.followed_tenants.inc();
        Followed {
            tenant,
            feeds,
            stop,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Followed>> {
        self.0
            .followed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self) {
        let inner = &self.0;
        let mut followed = self.lock();
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
