//! The native probe: it looks at a host once a second and tells an app about it every three.
//!
//! ```text
//!  /proc ─▶ host, process ─┐                       ┌─▶ POST /api/report      full, delta, delta, full, …
//!  netlink ─▶ connections ─┼─▶ spy ─▶ report ─▶ publish
//!  docker ─▶ containers ───┘                       ┌── GET /api/control/ws   requests of users
//!  shells, containers ◀─▶ pipe ◀─▶ app ◀── control ◀
//! ```
//!
//! The probe speaks the protocol of Weave Scope's probe 1.13.2 exactly, so it works with Scope's own app as well.
//! What it does otherwise than that one:
//!
//! - a full report that the app did not take is followed by another full one, not by deltas to it;
//! - connections are told apart by who listens, not by which port is lower, and IPv6 is reported too;
//! - it sees connections through the kernel's socket diagnostics, looks for the owner of a socket only once, and
//!   looks less often where looking is expensive, so that it costs a percent of a processor;
//! - the app is addressed by its name, over connections that are kept open.
//!
//! **Invariant:** nothing outlives [`run`]: on shutdown, shells and pipes are ended before it returns.

mod app;
mod backoff;
mod config;
mod connections;
mod control;
mod docker;
mod error;
mod host;
mod owners;
mod pipe;
mod proc;
mod process;
mod publish;
mod report;
mod run;
mod shell;
mod sockets;
mod spy;
mod target;

pub use crate::config::{Config, Containers, Token};
pub use crate::error::Error;
pub use crate::run::run;
