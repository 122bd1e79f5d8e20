//! Byte streams between a user and a process on a probe's host.
//!
//! ```text
//! user's end ──Attach, Write──▶ input queue ─────────▶ probe's end
//! user's end ◀─Attach, Read──── output (64 KiB ring) ◀─ probe's end
//! ```
//!
//! Output goes to every reader, and a reader that comes back goes on where it was; the slowest connected reader sets the
//! pace. A pipe exists from the first attachment until it is closed or an end has been missing for a minute, and is
//! remembered as closed for ten minutes, because a probe gives up only when it is told so.
//!
//! **Invariant:** bytes of one direction keep their order, and a pipe's key has its organisation.

mod output;
mod pipe;
mod registry;
mod server;

use client::Channel;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use proto::pipes::v1::pipes_service_server::PipesServiceServer;
use runtime::Runtime;

pub use server::Pipes;

/// Bytes that one direction may hold for an end that is slow.
pub(crate) const IN_FLIGHT: usize = 64 << 10;

/// The client of other parts.
pub type Client = PipesServiceClient<Channel>;

/// Starts the service.
///
/// # Errors
/// When its metrics are registered already.
pub fn start(rt: &Runtime) -> Result<PipesServiceServer<Pipes>, prometheus::Error> {
    Ok(PipesServiceServer::new(Pipes::new(rt)?))
}
