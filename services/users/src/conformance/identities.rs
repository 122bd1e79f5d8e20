use std::collections::BTreeMap;

use super::accounts::{add, join};
use crate::permissions::Role;
use crate::store::entity::users;
use crate::store::{Identity, NewSession, Revocation};
use crate::{Error, Store};

const ISSUER: &str = "https://id.example";

fn identity(subject: &str, email: &str, roles: &[(&str, Role)]) -> Identity {
    let roles = roles.iter().map(|(org, role)| ((*org).to_owned(), *role));
    Identity {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        email: email.to_owned(),
        name: Some("A name".to_owned()),
        roles: BTreeMap::from_iter(roles),
    }
}

async fn log_in(store: &Store, identity: &Identity) -> Result<users::Model, Error> {
    let session = NewSession::default();
    let logged_in = store.log_in_identity(identity, false, session).await;
    logged_in.map(|(user, _, _)| user)
}

async fn role(store: &Store, org: &str, user: &users::Model) -> Option<Role> {
    let member = store.member(org, &user.id).await.expect("asked");
    member.map(|member| member.role())
}

pub(super) async fn identities(store: &Store) {
    for org in ["groups-a", "groups-b", "groups-c"] {
        add(store, org).await;
    }
    let denied = log_in(store, &identity("s1", "new@groups.example", &[])).await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");

    let roles = [("groups-a", Role::Editor), ("nowhere", Role::Admin)];
    let first = identity("s1", "new@groups.example", &roles);
    let user = log_in(store, &first).await.expect("a group lets in");
    assert_eq!(user.name, "A name");
    assert_eq!(role(store, "groups-a", &user).await, Some(Role::Editor));

    // The provider's name of a person counts, whatever the address is now.
    let moved = identity("s1", "moved@groups.example", &[("groups-a", Role::Editor)]);
    assert_eq!(log_in(store, &moved).await.expect("known").id, user.id);
    // Somebody else of its address joins the account, because the provider vouches for the address.
    let known = join(store, "groups-b", "known@groups.example", Role::Viewer).await;
    let joined = identity("s2", "known@groups.example", &[("groups-b", Role::Admin)]);
    let joined = log_in(store, &joined).await.expect("known");
    assert_eq!(joined.id, known);
    let kept = role(store, "groups-b", &joined).await;
    assert_eq!(kept, Some(Role::Viewer), "what a person gave stays");

    // What groups gave they change and take, and edges are told.
    let start = store.revocations(None).await.expect("asked").position;
    let other = [("groups-a", Role::Viewer), ("groups-c", Role::Admin)];
    let changed = identity("s1", "new@groups.example", &other);
    log_in(store, &changed).await.expect("known");
    assert_eq!(role(store, "groups-a", &user).await, Some(Role::Viewer));
    assert_eq!(role(store, "groups-c", &user).await, Some(Role::Admin));
    let none = identity("s1", "new@groups.example", &[]);
    log_in(store, &none).await.expect("known");
    assert_eq!(role(store, "groups-a", &user).await, None);
    let last = role(store, "groups-c", &user).await;
    assert_eq!(last, Some(Role::Admin), "the last admin stays");
    let news = store.revocations(Some(start)).await.expect("asked");
    let lost = Revocation::member("groups-a", &user.id);
    let told = news.revocations.iter().filter(|told| **told == lost);
    assert_eq!(told.count(), 2, "{news:?}");

    // Set by a person from then on.
    join(store, "groups-a", "new@groups.example", Role::Viewer).await;
    log_in(store, &none).await.expect("known");
    assert_eq!(role(store, "groups-a", &user).await, Some(Role::Viewer));
}
