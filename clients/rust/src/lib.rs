//! How any process reaches a Weft service.
//!
//! Every caller holds a generated client over a [`Channel`]: `UsersServiceClient<Channel>`. Whether the service runs in
//! this process or behind an address is decided where the channel is made, and nowhere else.
//!
//! Who the caller is travels as a signed [`Assertion`](proto::tenant::v1::Assertion): [`Key`] signs and verifies it,
//! [`Caller`] is what a service learns from it.
//!
//! **Invariant:** a service trusts a verified [`Caller`] and no other statement about identity.

mod caller;
mod channel;
mod key;
mod replicas;
mod wide;

pub use caller::{ASSERTION_HEADER, Caller, LOGIN_TOO_OLD, Session, authorise, authorise_for};
pub use channel::Channel;
pub use key::{Key, KeyError, VerifyError};
