use super::accounts::{add, join, together};
use crate::permissions::Role;
use crate::secret::{Digested, Secret};
use crate::store::entity::{sessions, users};
use crate::store::{Ages, NewLink, NewSession, Opening, Revocation};
use crate::{Error, Store};

const HOUR: i64 = 3_600_000;
const LONG: Ages = Ages {
    idle: HOUR,
    absolute: 10 * HOUR,
};

fn browser(replaces: Option<Digested>) -> NewSession {
    NewSession {
        method: "test".to_owned(),
        address: "192.0.2.1".to_owned(),
        user_agent: "a browser".to_owned(),
        replaces,
    }
}

async fn link(store: &Store, new: NewLink<'_>) -> Secret {
    let made = store.add_link(&new, HOUR, 3).await.expect("made");
    made.expect("not too many").0
}

async fn open(
    store: &Store,
    link: &Secret,
    email: Option<&str>,
    replaces: Option<Digested>,
) -> Result<(users::Model, sessions::Model, Secret), Error> {
    let opening = Opening {
        digest: &link.digest(),
        email,
        sign_up: false,
    };
    store.open_link(&opening, browser(replaces)).await
}

/// A session of this member.
pub(super) async fn log_in(store: &Store, email: &str) -> (users::Model, sessions::Model, Secret) {
    let link = link(store, NewLink::Mail { email }).await;
    open(store, &link, None, None).await.expect("logged in")
}

async fn is_known(store: &Store, secret: &Secret, ages: Ages) -> bool {
    let known = store.known_session(&secret.digest(), "", ages).await;
    known.expect("asked").is_some()
}

pub(super) async fn sessions(store: &Store) {
    for org in ["logins-a", "logins-b", "logins-c"] {
        add(store, org).await;
    }
    let ada = "ada@logins.example";
    join(store, "logins-b", ada, Role::Viewer).await;
    join(store, "logins-a", ada, Role::Editor).await;
    let (user, session, secret) = log_in(store, ada).await;
    assert!(
        !format!("{session:?}").contains(&secret.reveal()[8..]),
        "it is kept in clear"
    );
    for (asked, expected) in [("", "logins-a"), ("logins-b", "logins-b")] {
        let known = store.known_session(&secret.digest(), asked, LONG).await;
        let belongs = known.expect("asked").expect("known").belongs;
        let org_id = belongs.map(|(organisation, _)| organisation.id);
        assert_eq!(
            org_id.as_deref(),
            Some(expected),
            "by default the first by id"
        );
    }
    let foreign = store
        .known_session(&secret.digest(), "logins-c", LONG)
        .await;
    assert!(matches!(foreign, Err(Error::Denied(_))), "{foreign:?}");
    assert!(!is_known(store, &Secret::generate(), LONG).await);

    // Logging in again in the same browser replaces the session, and edges are told.
    let start = store.revocations(None).await.expect("asked").position;
    let link = link(store, NewLink::Mail { email: ada }).await;
    let again = open(store, &link, None, Some(secret.digest()))
        .await
        .expect("logged in");
    assert!(!is_known(store, &secret, LONG).await);
    let news = store.revocations(Some(start)).await.expect("asked");
    assert_eq!(news.revocations, [Revocation::token(&session.id)]);

    let other = log_in(store, ada).await;
    let listed = store.sessions(&user.id, LONG).await.expect("found");
    assert_eq!(listed.len(), 2, "{listed:?}");
    let stranger = store.revoke_session("usr_x", &other.1.id).await;
    assert!(matches!(stranger, Err(Error::NotFound(_))), "{stranger:?}");
    store
        .revoke_session(&user.id, &other.1.id)
        .await
        .expect("revoked");
    assert!(!is_known(store, &other.2, LONG).await && is_known(store, &again.2, LONG).await);
    let third = log_in(store, ada).await;
    let ended = store
        .revoke_sessions(&user.id, &third.1.id)
        .await
        .expect("revoked");
    assert_eq!(ended, 1);
    assert!(!is_known(store, &again.2, LONG).await && is_known(store, &third.2, LONG).await);
    store.end_session(&third.2.digest()).await.expect("ended");
    assert!(
        store
            .sessions(&user.id, LONG)
            .await
            .expect("found")
            .is_empty()
    );
    store
        .end_session(&third.2.digest())
        .await
        .expect("nothing to end");

    let events = store.audit("logins-a", None, 3).await.expect("found");
    assert_eq!(events[0].action, "session.end");
    assert!(
        events.iter().all(|event| event.target == user.id),
        "{events:?}"
    );
}

pub(super) async fn old_sessions(store: &Store) {
    add(store, "old").await;
    join(store, "old", "o@old.example", Role::Viewer).await;
    let (user, session, secret) = log_in(store, "o@old.example").await;
    let idle = Ages { idle: 0, ..LONG };
    let aged = Ages {
        absolute: 0,
        ..LONG
    };
    for ages in [idle, aged] {
        assert!(!is_known(store, &secret, ages).await, "{ages:?}");
        assert!(
            store
                .sessions(&user.id, ages)
                .await
                .expect("found")
                .is_empty()
        );
    }
    assert!(is_known(store, &secret, LONG).await);
    assert_eq!(LONG.latest_end(&session), session.created_at + 10 * HOUR);
    store.session_used(&session.id).await.expect("written");
    store.end_old_sessions(LONG).await.expect("ended");
    assert!(is_known(store, &secret, LONG).await, "it is young");
    let start = store.revocations(None).await.expect("asked").position;
    assert!(store.end_old_sessions(idle).await.expect("ended") >= 1);
    let news = store.revocations(Some(start)).await.expect("asked");
    assert!(
        news.revocations.contains(&Revocation::token(&session.id)),
        "{news:?}"
    );
    assert!(!is_known(store, &secret, LONG).await, "it is gone");

    // The oldest makes room.
    let first = log_in(store, "o@old.example").await;
    for _ in 0..50 {
        log_in(store, "o@old.example").await;
    }
    assert!(!is_known(store, &first.2, LONG).await);
    assert_eq!(
        store.sessions(&user.id, LONG).await.expect("found").len(),
        50
    );
}

pub(super) async fn mail_links(store: &Store) {
    add(store, "mail").await;
    join(store, "mail", "m@mail.example", Role::Admin).await;
    let mail = |email| NewLink::Mail { email };
    let one = link(store, mail("m@mail.example")).await;
    open(store, &one, None, None).await.expect("opened");
    let unproven = |opened: &Result<_, Error>| matches!(opened, Err(Error::Unproven(_)));
    assert!(
        unproven(&open(store, &one, None, None).await),
        "it was used"
    );
    assert!(unproven(
        &open(store, &Secret::generate(), None, None).await
    ));
    let old = store
        .add_link(&mail("m@mail.example"), 0, 3)
        .await
        .expect("made");
    assert!(
        unproven(&open(store, &old.expect("made").0, None, None).await),
        "it is old"
    );

    for _ in 0..3 {
        link(store, mail("m@mail.example")).await;
    }
    let more = store.add_link(&mail("m@mail.example"), HOUR, 3).await;
    assert!(more.expect("asked").is_none(), "too many for an address");

    let stranger = "stranger@mail.example";
    assert!(!store.may_log_in(stranger, false).await.expect("asked"));
    assert!(store.may_log_in(stranger, true).await.expect("asked"));
    let two = link(store, mail(stranger)).await;
    assert!(
        unproven(&open(store, &two, None, None).await),
        "nobody was invited"
    );
    store
        .set_member("mail", stranger, Role::Viewer, Some("test"))
        .await
        .expect("invited");
    assert!(store.may_log_in(stranger, false).await.expect("asked"));
    let (user, _, secret) = open(store, &two, None, None).await.expect("opened");
    assert_eq!(user.email, stranger);
    let known = store
        .known_session(&secret.digest(), "", LONG)
        .await
        .expect("asked");
    assert!(
        known.expect("known").belongs.is_none(),
        "invited is not a member"
    );
}

pub(super) async fn bootstrap_links(store: &Store) {
    add(store, "boot").await;
    let nobody = NewLink::Bootstrap {
        org_id: "boot",
        email: "",
    };
    let replaced = link(store, nobody.clone()).await;
    let one = link(store, nobody.clone()).await;
    assert!(matches!(
        open(store, &replaced, Some("b@boot.example"), None).await,
        Err(Error::Unproven(_))
    ));
    let unsaid = open(store, &one, None, None).await;
    assert!(matches!(unsaid, Err(Error::Invalid(_))), "{unsaid:?}");
    let victim = join(store, "boot", "v@boot.example", Role::Viewer).await;
    let taken = open(store, &one, Some("v@boot.example"), None).await;
    assert!(matches!(taken, Err(Error::Exists(_))), "{taken:?}");
    let (user, _, _) = open(store, &one, Some("b@boot.example"), None)
        .await
        .expect("it works on");
    let member = store
        .member("boot", &user.id)
        .await
        .expect("asked")
        .expect("a member");
    assert_eq!(member.role(), Role::Admin);
    assert!(matches!(
        open(store, &one, Some("c@boot.example"), None).await,
        Err(Error::Unproven(_))
    ));

    let named = link(
        store,
        NewLink::Bootstrap {
            org_id: "boot",
            email: "v@boot.example",
        },
    )
    .await;
    let (user, _, _) = open(store, &named, Some("x@boot.example"), None)
        .await
        .expect("opened");
    assert_eq!(user.id, victim, "an operator vouches for whom it names");
    let member = store
        .member("boot", &victim)
        .await
        .expect("asked")
        .expect("a member");
    assert_eq!(member.role(), Role::Admin);
    let nowhere = NewLink::Bootstrap {
        org_id: "nowhere",
        email: "",
    };
    let missing = store.add_link(&nowhere, HOUR, 3).await;
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
}

/// Of many who open one link at once, one gets in.
pub(super) async fn races(stores: &[Store]) {
    add(&stores[0], "race-links").await;
    join(&stores[0], "race-links", "r@links.example", Role::Viewer).await;
    let link = link(
        &stores[0],
        NewLink::Mail {
            email: "r@links.example",
        },
    )
    .await;
    let opened = together(stores.iter().map(|store| open(store, &link, None, None))).await;
    assert_eq!(
        opened.iter().filter(|opened| opened.is_ok()).count(),
        1,
        "{opened:?}"
    );
    let refused = |opened: &&Result<_, Error>| matches!(opened, Err(Error::Unproven(_)));
    assert_eq!(opened.iter().filter(refused).count(), stores.len() - 1);
}
