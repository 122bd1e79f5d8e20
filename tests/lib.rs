//! What the system tests stand on: a running Weft in each of its topologies, clients for its ports, recorded cases,
//! and the servers that Weft stores things in, with proxies before them that misbehave when told to.
//!
//! A test takes a [`Sandbox`], talks to it as a probe, a browser or an operator would, and lets it go; processes and
//! files go with it. Nothing is skipped: a binary that is missing fails the test.

pub mod compare;
pub mod fake_probe;
mod fault_proxy;
pub mod http;
mod port;
pub mod recorded;
mod sandbox;
mod servers;

pub use fault_proxy::{Fault, FaultProxy, Throttle};
pub use port::Port;
pub use sandbox::{Sandbox, Topology, binary};
pub use servers::Server;
