//! One open watch.

use std::sync::Arc;
use std::time::Duration;

use proto::encoded::query::v1 as pb;
use proto::encoded::query::v1::watch_response::Event;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::{Code, Status};

use super::{Responses, Scope};
use crate::convert;
use crate::follow::pause;
use crate::hub::{self, Form, Hub, Subject};
use crate::moment::timestamp;
use crate::tenant::Tenant;
use crate::tenants::Tenants;

const HEARTBEAT: Duration = Duration::from_secs(10);
/// Things expire without a report; this often that is looked for.
const EXPIRY: Duration = Duration::from_secs(2);

pub(super) struct Session {
    tenants: Tenants,
    org: String,
    sender: Responses,
    scopes: watch::Receiver<(u64, Scope)>,
}

/// What the page has of the current scope.
#[derive(Default)]
struct Sent {
    list: Option<Vec<pb::Topology>>,
    version: Option<u64>,
    nodes: Vec<Option<pb::NodeDetails>>,
    any_nodes: bool,
}

/// Why a scope is no longer followed.
enum End {
    /// The page is gone.
    Gone,
    /// Everything has been said.
    Still,
    Failed(Status),
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        End::Failed(status)
    }
}

impl Session {
    pub(super) fn new(
        tenants: Tenants,
        org: String,
        sender: Responses,
        scopes: watch::Receiver<(u64, Scope)>,
    ) -> Self {
        Session {
            tenants,
            org,
            sender,
            scopes,
        }
    }

    pub(super) async fn send(&self, event: Event, scope_number: u64) -> Option<()> {
        let response = pb::WatchResponse {
            scope_number,
            event: Some(event),
        };
        self.sender.send(Ok(response)).await.ok()
    }

    /// Sends what every scope wants until the page is gone.
    pub(super) async fn run(mut self) {
        loop {
            let (number, scope) = self.scopes.borrow_and_update().clone();
            let mut scopes = self.scopes.clone();
            let end = tokio::select! {
                end = self.follow(number, &scope) => end,
                changed = scopes.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            match end {
                End::Gone => return,
                End::Still => {}
                // An unknown topology: nothing to follow until the page wants something else.
                End::Failed(status) if status.code() == Code::NotFound => {
                    tracing::debug!(%status, "watch");
                }
                End::Failed(status) => {
                    // Fails when the page is gone.
                    let _ = self.sender.send(Err(status)).await;
                    return;
                }
            }
            if self.idle(number, &scope, &mut scopes).await.is_none() {
                return;
            }
        }
    }

    /// Heartbeats until the scope changes.
    async fn idle(
        &self,
        number: u64,
        scope: &Scope,
        scopes: &mut watch::Receiver<(u64, Scope)>,
    ) -> Option<()> {
        let standing = self.tenants.passed(scope.wanted.at);
        loop {
            tokio::select! {
                changed = scopes.changed() => return changed.ok(),
                () = sleep(HEARTBEAT) => {
                    self.heartbeat(standing.unwrap_or(self.tenants.now()), number).await?;
                }
            }
        }
    }

    async fn heartbeat(&self, at: i64, number: u64) -> Option<()> {
        let at = Some(timestamp(at));
        self.send(Event::Heartbeat(pb::Heartbeat { at }), number)
            .await
    }

    /// Sends what is new in this scope.
    async fn follow(&self, number: u64, scope: &Scope) -> End {
        let played = match self.tenants.passed(scope.wanted.at) {
            Some(at) if scope.speed > 0.0 => self.play(number, scope, at).await,
            Some(at) => match self.tenants.at(&self.org, Some(at)).await {
                Ok(tenant) => return self.watch(&tenant, number, scope).await,
                Err(status) => Err(status.into()),
            },
            None => Ok(()),
        };
        if let Err(end) = played {
            return end;
        }
        let tenant = self.tenants.fresh(&self.org).await;
        self.watch(&tenant, number, scope).await
    }

    /// Plays history until it reaches the present.
    async fn play(&self, number: u64, scope: &Scope, at: i64) -> Result<(), End> {
        let step = scope.interval;
        let player = self.tenants.play(&self.org, at, scope.speed, step).await;
        let mut player = player?;
        let tenant = Arc::clone(&player.tenant);
        tokio::select! {
            end = self.watch(&tenant, number, scope) => Err(end),
            ended = player.ended() => Ok(ended?),
        }
    }

    /// Sends what is new of a tenant.
    async fn watch(&self, tenant: &Arc<Tenant>, number: u64, scope: &Scope) -> End {
        let hub = match join(tenant, scope).await {
            Ok(hub) => hub,
            Err(status) => return status.into(),
        };
        let mut arrivals = tenant.arrivals();
        let mut versions = hub.as_ref().map(|hub| hub.versions());
        let mut urgencies = match &hub {
            Some(hub) => hub.urgencies(),
            None => tenant.urgencies(),
        };
        let mut sent = Sent::default();
        let mut heartbeat = Instant::now() + HEARTBEAT;
        loop {
            arrivals.mark_unchanged();
            urgencies.mark_unchanged();
            if let Some(versions) = &mut versions {
                versions.mark_unchanged();
            }
            let next = Instant::now() + scope.interval;
            let events = match self.events(tenant, hub.as_ref(), scope, &mut sent).await {
                Ok(events) => events,
                Err(status) => return status.into(),
            };
            if !events.is_empty() {
                heartbeat = Instant::now() + HEARTBEAT;
            }
            for event in events {
                if self.send(event, number).await.is_none() {
                    return End::Gone;
                }
            }
            if tenant.stands() {
                return End::Still;
            }
            pause(next.duration_since(Instant::now()), &mut urgencies).await;
            let news = async {
                tokio::select! {
                    _ = arrivals.changed() => {}
                    () = new_version(&mut versions) => {}
                    () = sleep(EXPIRY) => {}
                }
            };
            tokio::select! {
                () = news => {}
                () = sleep_until(heartbeat) => {}
            }
            if Instant::now() >= heartbeat {
                if self.heartbeat(tenant.now(), number).await.is_none() {
                    return End::Gone;
                }
                heartbeat = Instant::now() + HEARTBEAT;
            }
        }
    }

    async fn events(
        &self,
        tenant: &Arc<Tenant>,
        hub: Option<&Arc<Hub>>,
        scope: &Scope,
        sent: &mut Sent,
    ) -> Result<Vec<Event>, Status> {
        let mut events = Vec::new();
        if let Some(hub) = hub {
            tenant.touch();
            let change = hub.since(sent.version);
            if !change.is_empty() || change.warned {
                events.push(Event::Nodes(hub.message(&change)));
            }
            sent.version = Some(change.version);
        }
        if !scope.topologies && scope.nodes.is_empty() {
            return Ok(events);
        }
        let wanted = scope.clone();
        let (list, details) = tenant
            .read(move |r| {
                let list = wanted.topologies.then(|| {
                    convert::topologies(&r.view.topologies(r.symbols, &wanted.wanted.selection))
                });
                let mut details = Vec::new();
                for node in &wanted.nodes {
                    let id = node.node_id.as_bytes();
                    let node =
                        r.view
                            .node(r.symbols, &node.topology_id, id, &wanted.wanted.selection);
                    details.push(node.map(|n| convert::details(&n)));
                }
                (list, details)
            })
            .await?;
        if list != sent.list
            && let Some(topologies) = &list
        {
            let topologies = topologies.clone();
            events.push(Event::Topologies(pb::ListTopologiesResponse { topologies }));
        }
        sent.list = list;
        for (i, (watched, details)) in scope.nodes.iter().zip(&details).enumerate() {
            if sent.any_nodes && sent.nodes.get(i) == Some(details) {
                continue;
            }
            events.push(Event::Node(pb::NodeChanged {
                watched: Some(watched.clone()),
                details: details.clone(),
            }));
        }
        sent.nodes = details;
        sent.any_nodes = true;
        Ok(events)
    }
}

/// The hub of the scope's topology, if it wants one.
async fn join(tenant: &Arc<Tenant>, scope: &Scope) -> Result<Option<Arc<Hub>>, Status> {
    if scope.topology.is_empty() {
        return Ok(None);
    }
    let subject = Subject {
        topology: scope.topology.clone(),
        selection: scope.wanted.selection.clone(),
        form: Form::Proto(scope.detail),
    };
    hub::join(tenant, subject, scope.interval).await.map(Some)
}

/// Waits for a new version of the nodes; for ever if no nodes are watched.
async fn new_version(versions: &mut Option<watch::Receiver<u64>>) {
    match versions {
        Some(versions) => {
            // The hub lives as long as its subject is watched, which is now.
            let _ = versions.changed().await;
        }
        None => std::future::pending().await,
    }
}
