//! What people do from a command line: operators with `weft admin`, and everybody with `weft login`.
//!
//! `weft admin` calls users on its private port, and says with the deployment's key that an operator is calling. Whoever can read
//! that key can sign anything already, so this gives nobody more than they have; and users stays the only one who opens
//! its store, so that every change is told to the edges at once.

pub mod admin;
pub mod login;
