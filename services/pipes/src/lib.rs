//! Byte streams between a user and a process on a probe's host, whichever replicas the two reach.
//!
//! ```text
//! user's edge ◀──Attach──▶ any replica ◀──Bridge──▶ holder ◀──Attach──▶ probe's edge
//!                          places: who holds it       │
//!                                                     ├─ input    what users write, until it was passed on to the probe
//!                                                     └─ output   a ring, until every reader has it
//! ```
//!
//! One replica holds a pipe: the first that one of its ends reaches after the announcement. Others carry calls to it and
//! keep nothing. Edges keep what is under way until the other end has it, with offsets, so that a broken way costs no byte,
//! and a new holder is filled by them when one dies; docs/pipes.md has the whole of it.
//!
//! **Invariant:** bytes of one direction keep their order, and a pipe's key has its organisation.
//! **Invariant:** only what a control announced can be attached, with that control's permission.
//! **Invariant:** nobody uses a pipe who is not in the audit log for it.
//! **Invariant:** who holds a pipe is decided by check-and-set in the store of ends, and nowhere else.

mod access;
mod attach;
mod attended;
mod bridge;
mod bridge_server;
mod calls;
mod collect;
mod error;
mod held;
mod input;
mod member;
mod metrics;
mod output;
mod pipe;
mod places;
mod server;

use std::time::Duration;

use client::Channel;
use proto::pipes::v1::bridge_service_server::BridgeServiceServer;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use proto::pipes::v1::pipes_service_server::PipesServiceServer;
use runtime::{Recorder, Runtime};
use stores::Ends;

pub use bridge_server::Bridge;
pub use server::Pipes;

/// Bytes that may be under way in one direction: with an end that has not said yet that it passed them on.
pub(crate) const WINDOW: usize = 256 << 10;
/// Output that is kept after it was read, for readers that come back.
pub(crate) const HISTORY: usize = 64 << 10;

/// The client of other parts.
pub type Client = PipesServiceClient<Channel>;

/// What the service can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where other replicas reach this one, as http://host:port.
    pub address: String,
    /// When pipes are closed.
    pub limits: Limits,
}

/// When pipes are closed and forgotten.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long an end may be missing. 60 s by default, as Scope's app has it.
    pub grace: Duration,
    /// How long a closed pipe is remembered, because a probe gives up only when it is told so. 10 minutes by default.
    pub remember: Duration,
    /// How long no byte may pass. 12 hours by default.
    pub idle: Duration,
    /// How long a pipe may be open. 7 days by default.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            grace: Duration::from_secs(60),
            remember: Duration::from_secs(600),
            idle: Duration::from_secs(12 * 3600),
            age: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// Starts the service: what is for everybody, and what is for its replicas.
///
/// # Errors
/// When its metrics are registered already.
pub fn start(
    config: Config,
    ends: Ends,
    recorder: Recorder,
    rt: &Runtime,
) -> Result<(PipesServiceServer<Pipes>, BridgeServiceServer<Bridge>), prometheus::Error> {
    let places = places::Places::new(config, ends, recorder, rt);
    metrics::register(&places, rt)?;
    member::keep(&places, rt);
    collect::keep(&places, rt);
    let pipes = PipesServiceServer::new(Pipes::new(places.clone()));
    Ok((pipes, BridgeServiceServer::new(Bridge::new(places))))
}
