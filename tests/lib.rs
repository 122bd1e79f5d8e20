//! What the system tests stand on: a running Weft in each of its topologies, clients for its ports, recorded cases.
//!
//! A test takes a [`Sandbox`], talks to it as a probe, a browser or an operator would, and lets it go; processes and
//! files go with it. Nothing is skipped: a binary that is missing fails the test.

pub mod compare;
pub mod fake_probe;
pub mod http;
pub mod recorded;
mod sandbox;

pub use sandbox::{Sandbox, Topology, binary};
