//! What operators do from a command line: `weft admin`.
//!
//! It calls users on its private port, and says with the deployment's key that an operator is calling. Whoever can read
//! that key can sign anything already, so this gives nobody more than they have; and users stays the only one who opens
//! its store, so that every change is told to the edges at once.

pub mod admin;
