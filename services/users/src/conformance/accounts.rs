use std::future::Future;

use proto::tenant::v1::Permission;

use crate::permissions::{Permissions, Role};
use crate::store::{Membership, NewOrganisation};
use crate::{Error, Store};

pub(super) async fn add(store: &Store, id: &str) {
    let new = NewOrganisation {
        id: Some(id.to_owned()),
        created_by: "test".to_owned(),
        ..NewOrganisation::default()
    };
    let added = store.add_organisation(&new).await.expect("added");
    assert_eq!(added.id, id);
}

/// The id of a person who is a member now.
pub(super) async fn join(store: &Store, org: &str, email: &str, role: Role) -> String {
    match store.set_member(org, email, role, None).await.expect("set") {
        Membership::Member(member, user) => {
            assert_eq!(member.role(), role);
            assert_eq!(user.email, email);
            user.id
        }
        other => panic!("{other:?}"),
    }
}

fn ids(found: &[crate::store::entity::organisations::Model]) -> Vec<&str> {
    found.iter().map(|found| found.id.as_str()).collect()
}

pub(super) async fn organisations(store: &Store) {
    for id in ["page-c", "page-a", "page-b"] {
        add(store, id).await;
    }
    let page = store
        .find_organisations("page-", 2, false)
        .await
        .expect("found");
    assert_eq!(ids(&page), ["page-a", "page-b"]);
    let page = store
        .find_organisations("page-b", 2, false)
        .await
        .expect("found");
    assert_eq!(ids(&page), ["page-c"]);
    assert_eq!(page[0].name, "Page C");

    let made_up = store
        .add_organisation(&NewOrganisation::default())
        .await
        .expect("added");
    assert!(crate::names::org_id(&made_up.id).is_ok(), "{made_up:?}");

    let refused = store
        .refuse_organisation("page-a", true, false, "unpaid")
        .await
        .expect("changed");
    let seen = store.organisation("page-a").await.expect("found");
    assert_eq!(seen, refused);
    assert_eq!((seen.refuse_access, seen.refuse_upload), (true, false));
    assert_eq!(seen.refusal_reason, "unpaid");
    store
        .refuse_organisation("page-a", false, false, "")
        .await
        .expect("changed");
    let missing = store.refuse_organisation("nowhere", true, true, "").await;
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
}

pub(super) async fn ids_stay_reserved(store: &Store) {
    let taken = |result: &Result<_, Error>| matches!(result, Err(Error::Exists(_)));
    add(store, "mine").await;
    let user = join(store, "mine", "a@mine.example", Role::Admin).await;
    let again = NewOrganisation {
        id: Some("mine".to_owned()),
        ..NewOrganisation::default()
    };
    assert!(taken(&store.add_organisation(&again).await));
    store.remove_organisation("mine").await.expect("removed");
    assert!(matches!(
        store.organisation("mine").await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        store.remove_organisation("mine").await,
        Err(Error::NotFound(_))
    ));
    assert!(
        taken(&store.add_organisation(&again).await),
        "deleted ids stay taken"
    );
    assert!(
        store
            .organisations_of(&user)
            .await
            .expect("found")
            .is_empty()
    );
    let all = store
        .find_organisations("min", 1, true)
        .await
        .expect("found");
    assert!(
        all[0].id == "mine" && all[0].deleted_at.is_some(),
        "{all:?}"
    );

    store.restore_organisation("mine").await.expect("restored");
    assert_eq!(
        ids(&store.organisations_of(&user).await.expect("found")),
        ["mine"]
    );
    let twice = store.restore_organisation("mine").await;
    assert!(matches!(twice, Err(Error::Precondition(_))), "{twice:?}");
}

pub(super) async fn members(store: &Store) {
    add(store, "team").await;
    let ada = join(store, "team", "ada@team.example", Role::Admin).await;
    let only_logs = Role::Custom(Permissions::of(&[Permission::Logs]));
    let bob = join(store, "team", "bob@team.example", only_logs).await;
    assert_eq!(
        join(store, "team", "bob@team.example", Role::Viewer).await,
        bob
    );

    let demoted = store
        .set_member("team", "ada@team.example", Role::Editor, None)
        .await;
    assert!(
        matches!(demoted, Err(Error::Precondition(_))),
        "{demoted:?}"
    );
    let removed = store.remove_member("team", &ada).await;
    assert!(
        matches!(removed, Err(Error::Precondition(_))),
        "{removed:?}"
    );

    join(store, "team", "bob@team.example", Role::Admin).await;
    store.remove_member("team", &ada).await.expect("removed");
    assert!(store.member("team", &ada).await.expect("asked").is_none());
    let gone = store.remove_member("team", &ada).await;
    assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
    let left = store.members("team").await.expect("found");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].1.id, bob);
    // The account outlives the membership.
    let account = store
        .user_by_email("ada@team.example")
        .await
        .expect("asked");
    assert_eq!(account.map(|user| user.id), Some(ada));
}

pub(super) async fn invitations(store: &Store) {
    add(store, "club").await;
    add(store, "home").await;
    let eve = join(store, "home", "eve@club.example", Role::Admin).await;
    let eve = store.user(&eve).await.expect("found");
    let mallory = join(store, "home", "mallory@club.example", Role::Viewer).await;
    let mallory = store.user(&mallory).await.expect("found");
    let invite = async |role| {
        let set = store
            .set_member("club", &eve.email, role, Some("test"))
            .await;
        match set.expect("invited") {
            Membership::Invited(invitation) => invitation,
            other => panic!("{other:?}"),
        }
    };

    let first = invite(Role::Viewer).await;
    let second = invite(Role::Editor).await;
    let listed = store.invitations("club").await.expect("found");
    assert_eq!(listed, vec![second.clone()], "one for an address");
    assert_eq!(store.received(&eve.email).await.expect("found"), listed);
    assert!(
        store
            .member("club", &eve.id)
            .await
            .expect("asked")
            .is_none(),
        "not asked yet"
    );

    for (user, id) in [(&mallory, &second.id), (&eve, &first.id)] {
        let refused = store.answer_invitation(user, id, true).await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    }
    let declined = store
        .answer_invitation(&eve, &second.id, false)
        .await
        .expect("answered");
    assert!(declined.is_none());
    let third = invite(Role::Editor).await;
    let accepted = store
        .answer_invitation(&eve, &third.id, true)
        .await
        .expect("answered");
    assert_eq!(accepted.map(|member| member.role()), Some(Role::Editor));
    let again = store.answer_invitation(&eve, &third.id, true).await;
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
    assert!(store.invitations("club").await.expect("found").is_empty());

    let set = store
        .set_member("club", "new@club.example", Role::Viewer, Some("test"))
        .await;
    let Ok(Membership::Invited(pending)) = set else {
        panic!("{set:?}");
    };
    let foreign = store.revoke_invitation("home", &pending.id).await;
    assert!(matches!(foreign, Err(Error::NotFound(_))), "{foreign:?}");
    store
        .revoke_invitation("club", &pending.id)
        .await
        .expect("revoked");
    assert!(
        store
            .received("new@club.example")
            .await
            .expect("found")
            .is_empty()
    );
}

/// What all of these come to, at once.
pub(super) async fn together<T>(
    calls: impl IntoIterator<Item = impl Future<Output = T>>,
) -> Vec<T> {
    futures_util::future::join_all(calls).await
}

pub(super) async fn races(stores: &[Store]) {
    let new = NewOrganisation {
        id: Some("race".to_owned()),
        ..NewOrganisation::default()
    };
    let added = together(stores.iter().map(|store| store.add_organisation(&new))).await;
    assert_eq!(
        added.iter().filter(|added| added.is_ok()).count(),
        1,
        "{added:?}"
    );
    let refused = |added: &&Result<_, Error>| matches!(added, Err(Error::Exists(_)));
    assert_eq!(added.iter().filter(refused).count(), stores.len() - 1);

    // Each removes another admin, and one must stay.
    let mut admins = Vec::new();
    for n in 0..stores.len() {
        let email = format!("{n}@race.example");
        admins.push(join(&stores[0], "race", &email, Role::Admin).await);
    }
    let pairs = stores.iter().zip(&admins);
    let removed = together(pairs.map(|(store, admin)| store.remove_member("race", admin))).await;
    let kept = removed
        .iter()
        .filter(|removed| matches!(removed, Err(Error::Precondition(_))));
    assert_eq!(kept.count(), 1, "{removed:?}");
    assert_eq!(stores[0].members("race").await.expect("found").len(), 1);
}
