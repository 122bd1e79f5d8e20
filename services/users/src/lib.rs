//! Who callers are and what they may do.
//!
//! Owns users, organisations, memberships, invitations, tokens and sessions; authfe asks it about every credential it has not seen
//! lately, and is told at once when an answer is no longer true.
//!
//! ```text
//! authfe ──Authenticate(credential)──▶ Users ──▶ Assertion (organisation, subject, permissions)
//!        ◀─WatchRevocations────────────  │
//!        ──links, logins──▶ Logins ──────┤
//! operators, admins ─members, tokens──▶  └─▶ Store: SQLite or PostgreSQL
//! ```
//!
//! On a loopback listener there is one organisation, [`LOCAL`], and no login: a connection from this machine may do
//! everything in it.
//!
//! **Invariant:** a failing store is UNAVAILABLE, never UNAUTHENTICATED.
//! **Invariant:** a change that takes something away is committed together with the revocation that tells of it.
//! **Invariant:** the secret of a token, session or link is in one answer and in no log, error or row.

mod authenticate;
mod calls;
pub mod conformance;
mod convert;
mod error;
mod login;
mod names;
mod operator;
mod passkeys;
mod permissions;
mod recorded;
mod revocations;
mod secret;
mod server;
mod store;
mod throttle;

use client::Channel;
use proto::users::v1::audit_service_server::AuditServiceServer;
use proto::users::v1::login_service_server::LoginServiceServer;
use proto::users::v1::operator_service_server::OperatorServiceServer;
use proto::users::v1::users_service_server::UsersServiceServer;
use runtime::Runtime;

pub(crate) use error::Error;
pub use error::OpenError;
pub use login::{LoginConfig, Logins, Mail, MailError, OidcConfig, OidcError, SignUp};
pub use operator::Operator;
pub use recorded::Recorded;
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
    /// How people log in.
    pub login: LoginConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            trust_loopback: true,
            probe_token: None,
            login: LoginConfig::default(),
        }
    }
}

/// The clients of other parts.
pub type Client = proto::users::v1::users_service_client::UsersServiceClient<Channel>;

/// What the service is made of.
#[derive(Debug, Clone)]
pub struct Started {
    /// What everybody may call.
    pub users: UsersServiceServer<Users>,
    /// What the edge calls for people who log in.
    pub logins: LoginServiceServer<Logins>,
    /// What operators may call.
    pub operator: OperatorServiceServer<Operator>,
    /// What services call that have something written into the audit log.
    pub audit: AuditServiceServer<Recorded>,
}

/// Starts the service.
#[must_use]
pub fn start(config: Config, store: Store, rt: &Runtime) -> Started {
    let operator = Operator::new(store.clone(), config.login.clone());
    let recorded = Recorded::new(store.clone());
    let logins = Logins::new(config.login.clone(), store.clone(), rt);
    Started {
        users: UsersServiceServer::new(Users::new(config, store, logins.outbox(), rt)),
        logins: LoginServiceServer::new(logins),
        operator: OperatorServiceServer::new(operator),
        audit: AuditServiceServer::new(recorded),
    }
}
