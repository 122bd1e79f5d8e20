//! Who callers are and what they may do.
//!
//! Owns users, organisations, memberships and credentials; authfe asks it about every credential it has not seen lately.
//!
//! ```text
//! authfe ──Authenticate(credential)──▶ Users ──▶ Assertion (organisation, subject, permissions)
//! ```
//!
//! On a loopback listener there is one organisation, [`LOCAL`], and no login: a connection from this machine may do
//! everything in it. Every other credential is refused, because none has been given out.

mod server;

use client::Channel;
use proto::users::v1::users_service_server::UsersServiceServer;
use runtime::Runtime;

pub use server::Users;

/// The organisation of a machine that runs Weft for itself.
pub const LOCAL: &str = "local";

/// What the service can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Callers on this machine need no credential and belong to [`LOCAL`].
    pub trust_loopback: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            trust_loopback: true,
        }
    }
}

/// The clients of other parts.
pub type Client = proto::users::v1::users_service_client::UsersServiceClient<Channel>;

/// Starts the service.
#[must_use]
pub fn start(config: Config, rt: &Runtime) -> UsersServiceServer<Users> {
    UsersServiceServer::new(Users::new(config, rt.clock))
}
