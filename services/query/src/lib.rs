//! Renders reports: what is running and what talks to what, now and with every change, or at any past moment.
//!
//! ```text
//! collection ──Subscribe──▶ feed ─▶ tenant: live report ─▶ view (rendered, memoised) ─▶ answers
//!                                     ▲                       └─▶ hub per (topology, selection) ─▶ watchers
//! collection ──ListReports─┐          │
//! stores ──────────────────┴▶ history ┴─ past moments (kept for a while), players
//! ```
//!
//! A tenant is followed while somebody reads it, and forgotten a minute after. An answer covers every report that was
//! accepted before it was asked for: a read first learns from collection how far it must have come. A past moment is a
//! tenant of its own that has the reports which were live then, so that all that is said of the present holds for it.
//!
//! **Invariant:** all rendering of a tenant happens under its lock, on threads that give way to others, and what leaves it holds no
//! number of its symbol table.

mod announcements;
mod collectors;
mod convert;
mod feed;
mod follow;
mod history;
mod hub;
mod metrics;
mod moment;
mod needed;
mod past;
mod play;
mod post;
mod recent;
mod renderers;
mod scope;
mod search;
mod selection;
mod server;
mod tenant;
mod tenants;
mod timeline;
mod turns;
mod watch;

use std::time::Duration;

use client::Channel;
use proto::encoded::query::v1::query_service_server::QueryServiceServer;
use proto::encoded::query::v1::scope_service_server::ScopeServiceServer;
use runtime::Runtime;
use stores::Shortcuts;
use stores::archive::Archive;

pub use scope::Scope;
pub use server::Query;

/// What the service can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// A tenant that nobody has read for this long is no longer followed. 60 s by default.
    pub forget_after: Duration,
    /// The least time between two renderings of a watched topology. 250 ms by default.
    pub watch_interval: Duration,
    /// Past moments kept in memory, in bytes. 512 MiB by default.
    pub past_bytes: usize,
    /// Past moments that are loaded at once; of one organisation two at most. 4 by default.
    pub past_loads: usize,
    /// How long loading a past moment may take. 20 s by default.
    pub past_timeout: Duration,
    /// Watches that play history at once. 64 by default.
    pub players: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            forget_after: Duration::from_secs(60),
            watch_interval: Duration::from_millis(250),
            past_bytes: 512 << 20,
            past_loads: 4,
            past_timeout: Duration::from_secs(20),
            players: 64,
        }
    }
}

/// Ways to the services that query reads from.
#[derive(Debug, Clone)]
pub struct Peers {
    /// Every replica of collection.
    pub collection: Vec<Channel>,
    /// Past reports.
    pub archive: Archive,
    /// What tells of reports that shall be seen at once.
    pub shortcuts: Shortcuts,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its metrics are there already.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// Threads to render on.
    #[error("cannot start threads to render on: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Starts the service.
///
/// # Errors
/// When its metrics are registered already, or threads cannot be started.
pub fn start(
    config: Config,
    peers: Peers,
    rt: &Runtime,
) -> Result<(QueryServiceServer<Query>, ScopeServiceServer<Scope>), StartError> {
    let tenants = tenants::Tenants::start(config, peers, rt)?;
    let query = QueryServiceServer::new(Query::new(tenants.clone(), rt));
    let scope = ScopeServiceServer::new(Scope::new(tenants));
    Ok((query, scope))
}
