use super::accounts::{add, join, together};
use crate::permissions::{Permissions, Role};
use crate::secret::{Digested, Secret};
use crate::store::{NewDeviceLogin, Polled};
use crate::{Error, Store};

fn new(secret: &str, code: &str) -> NewDeviceLogin {
    NewDeviceLogin {
        digest: Digested::of(secret),
        code_digest: Digested::of(code),
        client: "a program".to_owned(),
        address: "192.0.2.1".to_owned(),
        permissions: Permissions::ALL,
        lifetime: 3_600_000,
    }
}

async fn person(store: &Store, org_id: &str) -> String {
    add(store, org_id).await;
    let email = format!("ada@{org_id}.example");
    join(store, org_id, &email, Role::Viewer).await;
    let user = store.user_by_email(&email).await.expect("asked");
    user.expect("a user").id
}

async fn poll(store: &Store, secret: &str) -> Option<Polled> {
    let polled = store.poll_device_login(&Digested::of(secret)).await;
    polled.expect("asked")
}

pub(super) async fn devices(store: &Store) {
    let ada = person(store, "devices").await;
    let begun = store.begin_device_login(new("one", "code-1")).await;
    begun.expect("begun");
    let twice = store.begin_device_login(new("two", "code-1")).await;
    assert!(twice.is_err_and(|error| error.is_duplicate()));
    let code = Digested::of("code-1");
    let by = (ada.as_str(), "devices");
    let found = store.device_login(&code).await.expect("found");
    assert_eq!((&*found.client, &*found.user_id), ("a program", ""));
    assert!(matches!(poll(store, "one").await, Some(Polled::Pending)));
    assert!(matches!(poll(store, "one").await, Some(Polled::SlowDown)));
    assert!(poll(store, "two").await.is_none());
    store.forget_device_logins().await.expect("nothing is old");
    let answered = store.answer_device_login(&code, by, true).await;
    answered.expect("answered");
    for refused in [
        store.answer_device_login(&code, by, false).await.err(),
        store.device_login(&code).await.err(),
    ] {
        assert!(matches!(refused, Some(Error::NotFound(_))), "{refused:?}");
    }
    let Some(Polled::Granted(token, secret)) = poll(store, "one").await else {
        panic!("no token");
    };
    assert_eq!(token.user_id.as_ref(), Some(&ada));
    let lifetime = token.expires_at.expect("an end") - token.created_at;
    assert!((3_590_000..=3_600_000).contains(&lifetime), "{lifetime}");
    let digest = Secret::parse(secret.reveal()).expect("a token").digest();
    let known = store.known(&digest, "").await.expect("asked");
    assert_eq!(known.expect("known").token.id, token.id);
    assert!(poll(store, "one").await.is_none(), "it was told");

    let begun = store.begin_device_login(new("three", "code-3")).await;
    begun.expect("begun");
    let refused = store
        .answer_device_login(&Digested::of("code-3"), by, false)
        .await;
    refused.expect("answered");
    assert!(matches!(poll(store, "three").await, Some(Polled::Denied)));
    assert!(poll(store, "three").await.is_none(), "it was told");
}

/// However often it is asked for at once, there is one token.
pub(super) async fn races(stores: &[Store]) {
    let store = &stores[0];
    let ada = person(store, "devices-race").await;
    let begun = store.begin_device_login(new("raced", "code-r")).await;
    begun.expect("begun");
    let code = Digested::of("code-r");
    let approved = store.answer_device_login(&code, (&ada, "devices-race"), true);
    approved.await.expect("answered");
    let polled = together(stores.iter().map(|store| poll(store, "raced"))).await;
    let granted = polled
        .iter()
        .filter(|polled| matches!(polled, Some(Polled::Granted(..))));
    assert_eq!(granted.count(), 1, "{polled:?}");
    let tokens = store.tokens("devices-race", None).await.expect("found");
    assert_eq!(tokens.len(), 1, "{tokens:?}");
}
