//! Everything that one page shows, in one stream.

mod session;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::Caller;
use proto::encoded::query::v1 as pb;
use proto::encoded::query::v1::watch_response::Event;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::scope::interval;
use crate::selection::{Wanted, check_node_id, wanted};
use crate::tenants::Tenants;
use crate::{convert, moment};
use session::Session;

const DEFAULT_INTERVAL: u32 = 1000;
/// Node details that one watch keeps fresh.
const NODES: usize = 8;
/// Watches that are open at once; a page has one.
const WATCHES: usize = 10_000;

/// What a page shows, checked.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    topologies: bool,
    topology: String,
    wanted: Wanted,
    /// Seconds of history per second from the wanted moment on; 0 to stand there.
    speed: f64,
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
        wanted: wanted(scope.selection, caller)?,
        speed: moment::speed(scope.speed, 0.0)?,
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
