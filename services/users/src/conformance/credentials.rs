use std::time::Duration;

use proto::tenant::v1::Permission;
use tokio::time::timeout;

use super::accounts::{add, join, together};
use crate::permissions::{Permissions, Role};
use crate::secret::Secret;
use crate::store::entity::tokens;
use crate::store::{NewToken, Revocation, minute};
use crate::{Error, Store};

const REPORT: Permissions = Permissions::of(&[Permission::Report]);

fn new(org: &str, user: Option<&str>) -> NewToken {
    NewToken {
        org_id: org.to_owned(),
        user_id: user.map(str::to_owned),
        name: "a token".to_owned(),
        permissions: REPORT,
        created_by: "test".to_owned(),
        expires_at: None,
    }
}

async fn make(store: &Store, org: &str, user: Option<&str>) -> (tokens::Model, Secret) {
    store.add_token(new(org, user)).await.expect("added")
}

/// The organisation that it works in, of this name.
async fn works(store: &Store, secret: &Secret, org: &str) -> Option<String> {
    let known = store.known(&secret.digest(), org).await.expect("asked");
    known.map(|known| known.organisation.id)
}

pub(super) async fn tokens(store: &Store) {
    add(store, "tokens").await;
    add(store, "others").await;
    let (token, secret) = make(store, "tokens", None).await;
    assert!(
        !format!("{token:?}").contains(secret.reveal()),
        "it is kept in clear"
    );
    assert_eq!(works(store, &secret, "").await.as_deref(), Some("tokens"));
    assert_eq!(
        works(store, &secret, "tokens").await.as_deref(),
        Some("tokens")
    );
    assert_eq!(works(store, &secret, "others").await, None);
    assert_eq!(works(store, &Secret::generate(), "").await, None);

    assert_eq!(token.last_used_at, None);
    store.used(&token.id).await.expect("written");
    store.used(&token.id).await.expect("written");
    let used = store
        .token("tokens", &token.id)
        .await
        .expect("found")
        .last_used_at;
    let used = used.expect("a time");
    assert_eq!(used, minute(used));
    assert!((0..120_000).contains(&(store.now() - used)), "{used}");

    let short = NewToken {
        expires_at: Some(store.now() + 300),
        ..new("tokens", None)
    };
    let (_, short) = store.add_token(short).await.expect("added");
    assert!(works(store, &short, "").await.is_some());
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(works(store, &short, "").await, None, "expired");
    let listed = store.tokens("tokens", None).await.expect("found");
    assert_eq!(listed.len(), 1, "{listed:?}");

    let foreign = store.revoke_token("others", &token.id).await;
    assert!(matches!(foreign, Err(Error::NotFound(_))), "{foreign:?}");
    store
        .revoke_token("tokens", &token.id)
        .await
        .expect("revoked");
    assert_eq!(works(store, &secret, "").await, None);
    assert!(
        store
            .tokens("tokens", None)
            .await
            .expect("found")
            .is_empty()
    );
    let again = store.revoke_token("tokens", &token.id).await;
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");

    let (_, secret) = make(store, "tokens", None).await;
    store.remove_organisation("tokens").await.expect("removed");
    assert_eq!(
        works(store, &secret, "").await,
        None,
        "its organisation is gone"
    );
    let refused = store.add_token(new("tokens", None)).await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    store
        .restore_organisation("tokens")
        .await
        .expect("restored");
    assert!(works(store, &secret, "").await.is_some());
}

pub(super) async fn rotation(store: &Store) {
    add(store, "rotation").await;
    let (old, old_secret) = make(store, "rotation", None).await;
    let (new, new_secret) = store
        .rotate_token(&old, 300, "test")
        .await
        .expect("rotated");
    assert_ne!(old.id, new.id);
    assert_eq!((&old.name, old.permissions), (&new.name, new.permissions));
    assert_eq!(new.expires_at, None);
    assert!(
        works(store, &old_secret, "").await.is_some(),
        "both work for a while"
    );
    assert!(works(store, &new_secret, "").await.is_some());
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(works(store, &old_secret, "").await, None);
    assert!(works(store, &new_secret, "").await.is_some());
    let ended = store.rotate_token(&old, 300, "test").await;
    assert!(matches!(ended, Err(Error::NotFound(_))), "{ended:?}");
}

pub(super) async fn personal(store: &Store) {
    add(store, "first").await;
    add(store, "second").await;
    add(store, "third").await;
    let user = join(store, "first", "p@first.example", Role::Admin).await;
    join(store, "second", "p@first.example", Role::Viewer).await;
    join(store, "second", "q@first.example", Role::Admin).await;
    let (_, secret) = make(store, "first", Some(&user)).await;
    assert!(secret.reveal().starts_with("weftusr_"));
    assert_eq!(works(store, &secret, "").await.as_deref(), Some("first"));
    assert_eq!(
        works(store, &secret, "second").await.as_deref(),
        Some("second")
    );
    assert_eq!(works(store, &secret, "third").await, None);
    let listed = store.tokens("first", Some(&user)).await.expect("found");
    assert_eq!(listed.len(), 1);
    assert!(
        store
            .tokens("first", Some("usr_x"))
            .await
            .expect("found")
            .is_empty()
    );

    store.remove_member("second", &user).await.expect("removed");
    assert_eq!(works(store, &secret, "second").await, None);
    assert!(works(store, &secret, "first").await.is_some());
}

pub(super) async fn revocations(store: &Store) {
    add(store, "news").await;
    let start = store.revocations(None).await.expect("asked");
    assert!(start.reset && start.revocations.is_empty());
    let nothing = store
        .revocations(Some(start.position))
        .await
        .expect("asked");
    assert!(!nothing.reset && nothing.revocations.is_empty());

    let user = join(store, "news", "n@news.example", Role::Admin).await;
    join(store, "news", "m@news.example", Role::Admin).await;
    let (token, _) = make(store, "news", None).await;
    let told = store.revoked();
    store
        .revoke_token("news", &token.id)
        .await
        .expect("revoked");
    timeout(Duration::from_secs(1), told)
        .await
        .expect("told at once");
    join(store, "news", "n@news.example", Role::Viewer).await;
    store.remove_member("news", &user).await.expect("removed");
    store.remove_organisation("news").await.expect("removed");
    let news = store
        .revocations(Some(start.position))
        .await
        .expect("asked");
    assert_eq!(
        news.revocations,
        [
            Revocation::token(&token.id),
            Revocation::member("news", &user),
            Revocation::member("news", &user),
            Revocation::organisation("news"),
        ]
    );
    assert_eq!(news.position, start.position + 4);
    let rest = store
        .revocations(Some(news.position - 1))
        .await
        .expect("asked");
    assert_eq!(rest.revocations, [Revocation::organisation("news")]);
    let future = store
        .revocations(Some(news.position + 1))
        .await
        .expect("asked");
    assert!(future.reset, "of another store");
}

/// Revocations of several processes are seen in one order, and none is missed.
pub(super) async fn races(stores: &[Store]) {
    const EACH: usize = 10;
    let start = stores[0].revocations(None).await.expect("asked").position;
    add(&stores[0], "race-tokens").await;
    let revoke = together(stores.iter().map(async |store| {
        for _ in 0..EACH {
            let (token, _) = make(store, "race-tokens", None).await;
            store
                .revoke_token("race-tokens", &token.id)
                .await
                .expect("revoked");
        }
    }));
    let watch = async {
        let (mut seen, mut after) = (Vec::new(), start);
        while seen.len() < EACH * stores.len() {
            let news = stores[0].revocations(Some(after)).await.expect("asked");
            assert!(!news.reset, "some are missing");
            after = news.position;
            seen.extend(
                news.revocations
                    .into_iter()
                    .map(|revocation| revocation.token_id),
            );
        }
        seen
    };
    let (_, seen) = tokio::join!(revoke, timeout(Duration::from_secs(60), watch));
    let mut seen = seen.expect("all of them");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), EACH * stores.len());
}
