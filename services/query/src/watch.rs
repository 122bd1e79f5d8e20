//! Everything that one page shows, in one stream.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::Caller;
use proto::encoded::query::v1 as pb;
use proto::encoded::query::v1::watch_response::Event;
use report::options::Selection;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::convert;
use crate::hub::{self, Form, Hub, Subject};
use crate::scope::interval;
use crate::selection::{Past, check_node_id, selection};
use crate::tenant::Tenant;
use crate::tenants::Tenants;

const DEFAULT_INTERVAL: u32 = 1000;
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Node details that one watch keeps fresh.
const NODES: usize = 8;
/// Watches that are open at once; a page has one.
const WATCHES: usize = 10_000;

/// What a page shows, checked.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    topologies: bool,
    topology: String,
    selection: Selection,
    detail: convert::Detail,
    nodes: Vec<pb::WatchedNode>,
    interval: Duration,
}

/// Checks what a page wants.
pub(crate) fn check(scope: Option<pb::WatchScope>, caller: &Caller) -> Result<Scope, Status> {
    let scope = scope.unwrap_or(pb::WatchScope {
        topologies: true,
        ..pb::WatchScope::default()
    });
    if scope.nodes.len() > NODES {
        return Err(Status::invalid_argument("more than 8 nodes are watched"));
    }
    for node in &scope.nodes {
        check_node_id(node.node_id.as_bytes())?;
    }
    Ok(Scope {
        topologies: scope.topologies,
        detail: scope.view().into(),
        topology: scope.topology_id,
        selection: selection(scope.selection, caller, Past::Refuse)?,
        nodes: scope.nodes,
        interval: interval(scope.interval_ms, DEFAULT_INTERVAL)?,
    })
}

/// The open watches of this process.
#[derive(Debug, Clone)]
pub(crate) struct Watches {
    open: Arc<Mutex<HashMap<String, Open>>>,
    shutdown: CancellationToken,
}

#[derive(Debug)]
struct Open {
    org: String,
    scopes: watch::Sender<(u64, Scope)>,
}

/// Takes a watch off the list when its stream ends.
struct Listed {
    watches: Watches,
    id: String,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.watches.with(|open| open.remove(&self.id));
    }
}

impl Watches {
    pub(crate) fn new(shutdown: CancellationToken) -> Self {
        Watches {
            open: Arc::default(),
            shutdown,
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut HashMap<String, Open>) -> R) -> R {
        f(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces what a watch of this organisation covers.
    pub(crate) fn update(
        &self,
        org: &str,
        id: &str,
        number: u64,
        scope: Scope,
    ) -> Result<(), Status> {
        self.with(|open| {
            let open = open.get(id).filter(|open| open.org == org);
            let open = open.ok_or_else(|| {
                Status::not_found("this watch has ended, or is another replica's; open a new one")
            })?;
            open.scopes.send_if_modified(|current| {
                let newer = number > current.0;
                if newer {
                    *current = (number, scope);
                }
                newer
            });
            Ok(())
        })
    }
}

type Responses = mpsc::Sender<Result<pb::WatchResponse, Status>>;

/// Starts a watch.
pub(crate) fn start(
    watches: &Watches,
    tenants: Tenants,
    caller: Caller,
    scope: Scope,
) -> Pin<Box<dyn Stream<Item = Result<pb::WatchResponse, Status>> + Send>> {
    let (sender, receiver) = mpsc::channel(2);
    let (scopes, changes) = watch::channel((0, scope));
    let id = format!("{:032x}", rand::random::<u128>());
    let full = watches.with(|open| {
        if open.len() >= WATCHES {
            return true;
        }
        let org = caller.org_id.clone();
        open.insert(id.clone(), Open { org, scopes });
        false
    });
    let shutdown = watches.shutdown.clone();
    let listed = Listed {
        watches: watches.clone(),
        id: id.clone(),
    };
    tokio::spawn(async move {
        let _listed = listed;
        if full {
            let status = Status::resource_exhausted("too many watches are open");
            let _ = sender.send(Err(status)).await;
            return;
        }
        let started = Event::Started(pb::WatchStarted { watch_id: id });
        let session = Session::new(tenants, caller.org_id, sender.clone(), changes);
        let run = async {
            if session.send(started, 0).await.is_some() {
                session.run().await;
            }
        };
        tokio::select! {
            () = run => {}
            () = sender.closed() => {}
            () = shutdown.cancelled() => {
                let _ = sender.send(Err(Status::unavailable("the server is shutting down"))).await;
            }
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

struct Session {
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

impl Session {
    fn new(
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

    /// None when the page is gone.
    async fn send(&self, event: Event, scope_number: u64) -> Option<()> {
        let response = pb::WatchResponse {
            scope_number,
            event: Some(event),
        };
        self.sender.send(Ok(response)).await.ok()
    }

    async fn run(mut self) {
        loop {
            let (number, scope) = self.scopes.borrow_and_update().clone();
            let mut scopes = self.scopes.clone();
            tokio::select! {
                ended = self.follow(number, &scope) => match ended {
                    None => return,
                    // An unknown topology: nothing to follow until the page wants something else.
                    Some(status) => {
                        tracing::debug!(%status, "watch");
                        if self.idle(number, &mut scopes).await.is_none() {
                            return;
                        }
                    }
                },
                changed = scopes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Heartbeats until the scope changes.
    async fn idle(&self, number: u64, scopes: &mut watch::Receiver<(u64, Scope)>) -> Option<()> {
        loop {
            tokio::select! {
                changed = scopes.changed() => return changed.ok(),
                () = tokio::time::sleep(HEARTBEAT) => {
                    self.send(Event::Heartbeat(pb::Heartbeat::default()), number).await?;
                }
            }
        }
    }

    /// Sends what is new in this scope until the page is gone (none) or there is nothing to follow.
    async fn follow(&self, number: u64, scope: &Scope) -> Option<Status> {
        let (tenant, warnings) = self.tenants.fresh(&self.org).await;
        let hub = if scope.topology.is_empty() {
            None
        } else {
            let subject = Subject {
                topology: scope.topology.clone(),
                selection: scope.selection.clone(),
                form: Form::Proto(scope.detail),
            };
            match hub::join(&tenant, subject).await {
                Ok(hub) => Some(hub),
                Err(status) => return Some(status),
            }
        };
        let mut arrivals = tenant.arrivals();
        let mut versions = hub.as_ref().map(|hub| hub.versions());
        let mut sent = Sent::default();
        let mut heartbeat = Instant::now() + HEARTBEAT;
        loop {
            arrivals.mark_unchanged();
            if let Some(versions) = &mut versions {
                versions.mark_unchanged();
            }
            let started = Instant::now();
            let events = self.events(&tenant, hub.as_ref(), scope, &warnings, &mut sent);
            let events = match events.await {
                Ok(events) => events,
                Err(status) => return Some(status),
            };
            if !events.is_empty() {
                heartbeat = Instant::now() + HEARTBEAT;
            }
            for event in events {
                self.send(event, number).await?;
            }
            sleep_until(started + scope.interval).await;
            let news = async {
                tokio::select! {
                    _ = arrivals.changed() => {}
                    () = new_version(&mut versions) => {}
                    // Things expire without a report.
                    () = tokio::time::sleep(Duration::from_secs(2)) => {}
                }
            };
            tokio::select! {
                () = news => {}
                () = sleep_until(heartbeat) => {}
            }
            if Instant::now() >= heartbeat {
                self.send(Event::Heartbeat(pb::Heartbeat::default()), number)
                    .await?;
                heartbeat = Instant::now() + HEARTBEAT;
            }
        }
    }

    async fn events(
        &self,
        tenant: &Arc<Tenant>,
        hub: Option<&Arc<Hub>>,
        scope: &Scope,
        warnings: &[String],
        sent: &mut Sent,
    ) -> Result<Vec<Event>, Status> {
        let mut events = Vec::new();
        if let Some(hub) = hub {
            tenant.touch();
            let change = hub.since(sent.version);
            if !change.is_empty() {
                events.push(Event::Nodes(hub.message(&change, warnings)));
            }
            sent.version = Some(change.version);
        }
        if !scope.topologies && scope.nodes.is_empty() {
            return Ok(events);
        }
        let wanted = scope.clone();
        let (list, details) = tenant
            .read(move |r| {
                let list = wanted
                    .topologies
                    .then(|| convert::topologies(&r.view.topologies(r.symbols, &wanted.selection)));
                let mut details = Vec::new();
                for node in &wanted.nodes {
                    let id = node.node_id.as_bytes();
                    let node = r
                        .view
                        .node(r.symbols, &node.topology_id, id, &wanted.selection);
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
