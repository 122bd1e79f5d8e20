//! Who callers are and what they may do.
//!
//! Owns users, organisations, memberships, invitations and tokens; authfe asks it about every credential it has not seen
//! lately, and is told at once when an answer is no longer true.
//!
//! ```text
//! authfe ──Authenticate(credential)──▶ Users ──▶ Assertion (organisation, subject, permissions)
//!        ◀─WatchRevocations────────────  │
//! operators, admins ─members, tokens──▶  └─▶ Store: SQLite or PostgreSQL
//! ```
//!
//! On a loopback listener there is one organisation, [`LOCAL`], and no login: a connection from this machine may do
//! everything in it.
//!
//! **Invariant:** a failing store is UNAVAILABLE, never UNAUTHENTICATED.
//! **Invariant:** a change that takes something away is committed together with the revocation that tells of it.
//! **Invariant:** the secret of a token is in one answer and in no log, error or row.

mod authenticate;
mod calls;
pub mod conformance;
mod convert;
mod error;
mod names;
mod operator;
mod permissions;
mod revocations;
mod secret;
mod server;
mod store;

use client::Channel;
use proto::users::v1::operator_service_server::OperatorServiceServer;
use proto::users::v1::users_service_server::UsersServiceServer;
use runtime::Runtime;

pub(crate) use error::Error;
pub use error::OpenError;
pub use operator::Operator;
pub use secret::Secret;
pub use server::Users;
pub use store::{Store, migrate};

/// The organisation of a machine that runs Weft for itself.
pub const LOCAL: &str = "local";

/// What the service can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Callers of whom authfe says that they are on its machine need no credential and belong to [`LOCAL`].
    pub trust_loopback: bool,
    /// A token of this process's own probe, which may report to [`LOCAL`]. It is never stored.
    pub probe_token: Option<Secret>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            trust_loopback: true,
            probe_token: None,
        }
    }
}

/// The clients of other parts.
pub type Client = proto::users::v1::users_service_client::UsersServiceClient<Channel>;

/// Starts the service: what everybody may call, and what operators may.
#[must_use]
pub fn start(
    config: Config,
    store: Store,
    rt: &Runtime,
) -> (UsersServiceServer<Users>, OperatorServiceServer<Operator>) {
    let operator = Operator::new(store.clone());
    let users = Users::new(config, store, rt);
    (
        UsersServiceServer::new(users),
        OperatorServiceServer::new(operator),
    )
}
