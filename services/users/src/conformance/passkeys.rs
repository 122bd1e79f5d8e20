use super::accounts::{add, join, together};
use crate::permissions::Role;
use crate::secret::Digested;
use crate::store::entity::passkeys::Model;
use crate::store::{MOST_PASSKEYS, NewCeremony, NewPasskey, NewSession, OtherWays, Purpose};
use crate::{Error, Store};

fn new(user_id: &str, credential_id: &str) -> NewPasskey {
    NewPasskey {
        user_id: user_id.to_owned(),
        name: format!("the {credential_id}"),
        credential_id: credential_id.to_owned(),
        credential: "first".to_owned(),
    }
}

fn ceremony<'a>(secret: &str, session_id: &'a str) -> NewCeremony<'a> {
    NewCeremony {
        purpose: Purpose::Register,
        digest: Digested::of(secret),
        user_id: "usr_x",
        session_id,
        state: secret.to_owned(),
    }
}

async fn person(store: &Store, email: &str) -> String {
    join(store, "keys", email, Role::Viewer).await;
    let user = store.user_by_email(email).await.expect("asked");
    user.expect("a user").id
}

fn browser() -> NewSession {
    NewSession {
        method: "passkey".to_owned(),
        ..NewSession::default()
    }
}

pub(super) async fn passkeys(store: &Store) {
    add(store, "keys").await;
    let ada = person(store, "ada@keys.example").await;
    let bob = person(store, "bob@keys.example").await;
    let first = store.add_passkey(new(&ada, "key-1")).await.expect("added");
    let second = store.add_passkey(new(&ada, "key-2")).await.expect("added");
    let twice = store.add_passkey(new(&bob, "key-1")).await;
    assert!(matches!(twice, Err(Error::Exists(_))), "{twice:?}");
    let listed = store.passkeys(&ada).await.expect("found");
    assert_eq!(listed, [first.clone(), second.clone()]);
    assert!(store.passkeys(&bob).await.expect("found").is_empty());
    let found = store.passkey("key-2").await.expect("asked");
    assert_eq!(found.as_ref(), Some(&second));
    assert_eq!(store.passkey("key-3").await.expect("asked"), None);

    let stranger = store.rename_passkey(&bob, &first.id, "his").await;
    assert!(matches!(stranger, Err(Error::NotFound(_))), "{stranger:?}");
    let renamed = store.rename_passkey(&ada, &first.id, "phone").await;
    assert_eq!(renamed.expect("renamed").name, "phone");

    log_ins(store, &second).await;
    let events = store.audit("keys", None, 10).await.expect("found");
    let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    let expected = [
        "session.begin",
        "passkey.rename",
        "passkey.add",
        "passkey.add",
    ];
    assert_eq!(actions[..4], expected);

    last_way(store, &ada, [&first, &second]).await;
    for number in 0..MOST_PASSKEYS {
        let new = new(&bob, &format!("many-{number}"));
        store.add_passkey(new).await.expect("added");
    }
    let more = store.add_passkey(new(&bob, "one-more")).await;
    assert!(matches!(more, Err(Error::Precondition(_))), "{more:?}");
}

/// Of two that were checked against the same state, one logs in.
async fn log_ins(store: &Store, known: &Model) {
    let logged_in = store.log_in_passkey(known, "used", browser()).await;
    let (user, session, _) = logged_in.expect("logged in");
    assert_eq!((&user.id, &*session.method), (&known.user_id, "passkey"));
    let now = store.passkey(&known.credential_id).await.expect("asked");
    let now = now.expect("there");
    assert_eq!(now.credential, "used");
    assert!(now.last_used_at.is_some());
    let late = store.log_in_passkey(known, "used", browser()).await;
    assert!(matches!(late, Err(Error::Unproven(_))), "{late:?}");
}

async fn last_way(store: &Store, user_id: &str, keys: [&Model; 2]) {
    let none = OtherWays::default();
    store
        .remove_passkey(user_id, &keys[0].id, &none)
        .await
        .expect("another is left");
    let elsewhere = OtherWays {
        issuers: vec!["https://nobody.example".to_owned()],
        ..OtherWays::default()
    };
    for ways in [&none, &elsewhere] {
        let last = store.remove_passkey(user_id, &keys[1].id, ways).await;
        assert!(matches!(last, Err(Error::Precondition(_))), "{last:?}");
    }
    let mail = OtherWays {
        mail: true,
        ..OtherWays::default()
    };
    store
        .remove_passkey(user_id, &keys[1].id, &mail)
        .await
        .expect("mail is left");
    let gone = store.log_in_passkey(keys[1], "used", browser()).await;
    assert!(matches!(gone, Err(Error::Unproven(_))), "{gone:?}");
}

pub(super) async fn ceremonies(store: &Store) {
    let digest = Digested::of("a ceremony");
    let take = async |digest: &Digested, purpose| {
        let taken = store.take_ceremony(digest, purpose).await;
        taken.expect("asked").map(|taken| taken.state)
    };
    let begin = async |secret, session_id| {
        let begun = store.begin_ceremony(ceremony(secret, session_id)).await;
        begun.expect("begun");
    };
    begin("a ceremony", "").await;
    assert_eq!(take(&digest, Purpose::LogIn).await, None);
    store.forget_ceremonies().await.expect("nothing is old");
    let taken = take(&digest, Purpose::Register).await;
    assert_eq!(taken.as_deref(), Some("a ceremony"));
    assert_eq!(take(&digest, Purpose::Register).await, None, "twice");
    begin("one", "ses_1").await;
    begin("another", "ses_2").await;
    begin("a newer one", "ses_1").await;
    for (secret, there) in [("one", false), ("another", true), ("a newer one", true)] {
        let taken = take(&Digested::of(secret), Purpose::Register).await;
        assert_eq!(taken.is_some(), there, "{secret}");
    }
}

/// Of many that end the same ceremony one does, and of the last passkeys that are removed at once one stays.
pub(super) async fn races(stores: &[Store]) {
    let store = &stores[0];
    add(store, "keys-race").await;
    join(store, "keys-race", "ada@race.example", Role::Viewer).await;
    let ada = store.user_by_email("ada@race.example").await;
    let ada = ada.expect("asked").expect("a user").id;
    let begun = store.begin_ceremony(ceremony("raced", "")).await;
    begun.expect("begun");
    let digest = Digested::of("raced");
    let takes = stores
        .iter()
        .map(|store| store.take_ceremony(&digest, Purpose::Register));
    let taken = together(takes).await;
    let got = taken.iter().filter(|taken| matches!(taken, Ok(Some(_))));
    assert_eq!(got.count(), 1, "{taken:?}");
    let mut keys = Vec::new();
    for number in 0..stores.len() {
        let new = new(&ada, &format!("race-{number}"));
        keys.push(store.add_passkey(new).await.expect("added").id);
    }
    let none = OtherWays::default();
    let pairs = stores.iter().zip(&keys);
    let removed = together(pairs.map(|(store, key)| store.remove_passkey(&ada, key, &none))).await;
    assert_eq!(
        removed.iter().filter(|removed| removed.is_ok()).count(),
        stores.len() - 1
    );
    assert_eq!(store.passkeys(&ada).await.expect("found").len(), 1);
}
