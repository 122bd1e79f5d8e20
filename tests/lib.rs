//! What the system tests stand on: a running Weft in each of its topologies, clients for its ports, recorded cases,
//! and the servers that Weft stores things in, with proxies before them that misbehave when told to.
//!
//! A test takes a [`Sandbox`], talks to it as a probe, a browser or an operator would, and lets it go; processes and
//! files go with it. Nothing is skipped: a binary that is missing fails the test.

mod audit;
pub mod collection;
pub mod compare;
pub mod controls;
pub mod crash;
pub mod fake_probe;
mod fault_proxy;
pub mod http;
pub mod load;
pub mod pipes;
mod port;
mod process;
pub mod recorded;
mod sandbox;
mod servers;

pub use audit::{Audit, Keep};
pub use collection::Collection;
pub use fault_proxy::{Fault, FaultProxy, Throttle};
pub use load::{Acked, Load, Made};
pub use port::Port;
pub use process::{Process, binary};
pub use sandbox::{Sandbox, Topology};
pub use servers::{Server, tool};
