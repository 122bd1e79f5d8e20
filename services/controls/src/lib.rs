//! Carries commands to probes and their answers back, whichever replica a probe is connected to.
//!
//! ```text
//! Invoke ─▶ Directory: the probe's newest connection ─┬─ here ─────────────────────────▶ Connect stream ─▶ probe
//!                                                     └─▶ queue of the replica that holds it ─▶ ┘            │
//!   ▲                                                                                                        │
//!   └──── answer with the same number, through the queue of the caller's replica ◀───────────────────────────┘
//! ```
//!
//! Each replica has one queue, and tells the others through theirs which probes it holds: [`directory`]. `docs/controls.md`
//! says what is sent when, and why.
//!
//! **Invariant:** a call is handed to the one connection that was the newest when the call came, at most once, and never after
//! its caller was answered.
//! **Invariant:** a call is in the audit log before it is handed on.
//! **Invariant:** what comes through a queue is believed only if it was sealed with the deployment's key.
//! **Invariant:** probes of two organisations never share a name: every key has both.

mod announce;
pub mod conformance;
mod connections;
mod directory;
mod metrics;
mod replica;
mod request;
mod server;

use std::time::Duration;

use client::Channel;
use proto::controls::v1::controls_service_client::ControlsServiceClient;
use proto::controls::v1::controls_service_server::ControlsServiceServer;
use runtime::{Recorder, Runtime};
use stores::Queues;

use crate::metrics::Metrics;
use crate::replica::Replica;

pub use server::Controls;

/// What the service can be told.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// How often replicas tell each other that they are there, 20 s by default. One that has missed three of these is taken
    /// as gone; when it has not answered twenty times more its queue is deleted.
    pub heartbeat: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            heartbeat: Duration::from_secs(20),
        }
    }
}

/// The client of other parts.
pub type Client = ControlsServiceClient<Channel>;

/// Ways to other services.
#[derive(Debug, Clone)]
pub struct Peers {
    /// Where calls are written down before they are made, and those that were refused.
    pub recorder: Recorder,
    /// Who is told which pipes probes answered with; without it nobody can attach to them.
    pub pipes: Option<Channel>,
}

/// Starts the service as a replica among those that share its queues.
///
/// # Errors
/// When its metrics are registered already.
pub fn start(
    config: Config,
    queues: Queues,
    peers: Peers,
    rt: &Runtime,
) -> Result<ControlsServiceServer<Controls>, prometheus::Error> {
    let metrics = Metrics::register(rt)?;
    let replica = Replica::start(queues, config.heartbeat, metrics.clone(), rt);
    let announcer = announce::Announcer::new(peers.pipes, rt.key.clone());
    Ok(ControlsServiceServer::new(Controls::new(
        (announcer, peers.recorder),
        replica,
        metrics,
        rt.clone(),
    )))
}
