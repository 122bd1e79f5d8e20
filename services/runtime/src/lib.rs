//! What every Weft process does around a service: telemetry, the RPC stack, health, listening, draining.
//!
//! ```text
//! listener ─▶ serve ─▶ stack: catch panic ▶ span + metrics ▶ deadline ▶ load shed ▶ caller ─▶ generated server
//!                        ▲
//! in-process Channel ────┘   (a direct call passes the same stack)
//! ```
//!
//! A service is given a [`Runtime`] when it starts and takes clock, metrics registry, key and shutdown from it; there are
//! no statics.

pub mod admin;
mod body;
mod clock;
mod dependency;
mod listen;
mod recorder;
mod rpc_metrics;
mod runtime;
mod stack;
mod tally;
pub mod telemetry;

pub use clock::Clock;
pub use dependency::Dependency;
pub use listen::{Listening, Proxies, Tls, TlsError, network, serve};
pub use recorder::{Event, Recorder};
pub use runtime::{Config, Runtime, Wiring};
pub use stack::{Mesh, local, local_pair, open};
pub use tally::Tally;
