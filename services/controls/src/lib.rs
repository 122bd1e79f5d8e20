//! Carries commands to probes and their answers back.
//!
//! ```text
//! Invoke ─▶ registry: newest connection of the probe ─▶ Connect stream ─▶ probe
//!   ▲                                                                      │
//!   └───────────── answer with the same number ◀───────────────────────────┘
//! ```
//!
//! **Invariant:** a call is handed to at most one connection, once. Probes of two organisations never share a name: the
//! registry's key has both.

mod registry;
mod server;

use client::Channel;
use proto::controls::v1::controls_service_client::ControlsServiceClient;
use proto::controls::v1::controls_service_server::ControlsServiceServer;
use runtime::Runtime;

pub use server::Controls;

/// The client of other parts.
pub type Client = ControlsServiceClient<Channel>;

/// Starts the service.
///
/// # Errors
/// When its metrics are registered already.
pub fn start(rt: &Runtime) -> Result<ControlsServiceServer<Controls>, prometheus::Error> {
    Ok(ControlsServiceServer::new(Controls::new(rt)?))
}
