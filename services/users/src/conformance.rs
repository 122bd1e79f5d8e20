//! What a store of users must do on every database, as functions that panic where one does not. Tests run them, also on a
//! real server. They expect a store that nobody else uses.

mod accounts;
mod audit;
mod credentials;
mod devices;
mod erasure;
mod identities;
mod logins;
mod passkeys;

use crate::Store;

/// All of it.
pub async fn conformance(store: &Store) {
    accounts::organisations(store).await;
    accounts::ids_stay_reserved(store).await;
    accounts::members(store).await;
    accounts::invitations(store).await;
    credentials::tokens(store).await;
    credentials::rotation(store).await;
    credentials::personal(store).await;
    credentials::revocations(store).await;
    logins::sessions(store).await;
    logins::old_sessions(store).await;
    logins::mail_links(store).await;
    logins::bootstrap_links(store).await;
    identities::identities(store).await;
    passkeys::passkeys(store).await;
    passkeys::ceremonies(store).await;
    devices::devices(store).await;
    audit::changes(store).await;
    audit::tampering(store).await;
    erasure::erasure(store).await;
}

/// Many at once, by several handles of the same database: one wins each race, nobody fails otherwise.
pub async fn races(stores: &[Store]) {
    accounts::races(stores).await;
    credentials::races(stores).await;
    logins::races(stores).await;
    passkeys::races(stores).await;
    devices::races(stores).await;
    audit::unbroken(&stores[0]).await;
}

/// Whether calls are answered.
pub async fn is_ready(store: &Store) -> bool {
    store.revocations(None).await.is_ok()
}
