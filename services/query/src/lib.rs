//! Renders reports: what is running and what talks to what, now and with every change.
//!
//! ```text
//! collection ──Subscribe──▶ feed ─▶ live report of the tenant ─▶ view (rendered, memoised) ─▶ answers
//!                                                                  └─▶ hub per (topology, selection) ─▶ watchers
//! ```
//!
//! A tenant is followed while somebody reads it, and forgotten a minute after. An answer covers every report that was
//! accepted before it was asked for: a read first learns from collection how far it must have come.
//!
//! **Invariant:** all rendering of a tenant happens under its lock, on blocking threads, and what leaves it holds no
//! number of its symbol table.

mod convert;
mod feed;
mod hub;
mod metrics;
mod scope;
mod search;
mod selection;
mod server;
mod tenant;
mod tenants;
mod watch;

use std::time::Duration;

use client::Channel;
use proto::encoded::query::v1::query_service_server::QueryServiceServer;
use proto::encoded::query::v1::scope_service_server::ScopeServiceServer;
use runtime::Runtime;

pub use scope::Scope;
pub use server::Query;

/// What the service can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// A tenant that nobody has read for this long is no longer followed. 60 s by default.
    pub forget_after: Duration,
    /// The least time between two renderings of a watched topology. 250 ms by default.
    pub watch_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            forget_after: Duration::from_secs(60),
            watch_interval: Duration::from_millis(250),
        }
    }
}

/// Ways to the services that query reads from.
#[derive(Debug, Clone)]
pub struct Peers {
    /// Every replica of collection.
    pub collection: Vec<Channel>,
}

/// Starts the service.
///
/// # Errors
/// When its metrics are registered already.
pub fn start(
    config: Config,
    peers: Peers,
    rt: &Runtime,
) -> Result<(QueryServiceServer<Query>, ScopeServiceServer<Scope>), prometheus::Error> {
    let tenants = tenants::Tenants::start(config, peers, rt)?;
    let query = QueryServiceServer::new(Query::new(tenants.clone(), rt));
    let scope = ScopeServiceServer::new(Scope::new(tenants));
    Ok((query, scope))
}
