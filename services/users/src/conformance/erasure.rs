use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::accounts::{add, join};
use super::audit::unbroken;
use super::logins::log_in;
use crate::permissions::Role;
use crate::store::entity::audit;
use crate::{Error, Store};

async fn everything(store: &Store) -> String {
    let all = audit::Entity::find().all(store.connections()).await;
    format!("{:?}", all.expect("read"))
}

pub(super) async fn erasure(store: &Store) {
    add(store, "erased").await;
    let boss = join(store, "erased", "boss@erased.example", Role::Admin).await;
    let ada = join(store, "erased", "ada@erased.example", Role::Admin).await;
    log_in(&store.from("192.0.2.77"), "ada@erased.example").await;
    // One event names both, so that whoever is erased last is erased from what was redacted before.
    let by_ada = store.by(&ada).from("198.51.100.77");
    by_ada
        .set_member("erased", "eve@erased.example", Role::Viewer, None)
        .await
        .expect("added");
    let account = store.account("ada@erased.example").await.expect("found");
    assert_eq!(account.sessions.len(), 1);
    assert_eq!(account.memberships[0].org_id, "erased");
    let events = store.audit_of(&account.user, 0, 100).await.expect("found");
    let said: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(said, ["member.set", "session.begin", "member.set"]);
    assert_eq!(events[0].target, "ada@erased.example");

    let (id, count) = store
        .erase_user("ada@erased.example")
        .await
        .expect("erased");
    assert_eq!((id.as_str(), count), (ada.as_str(), 3));
    unbroken(store).await;
    let left = everything(store).await;
    assert!(left.contains("eve@erased.example") && left.contains(&ada));
    for gone in ["ada@erased.example", "198.51.100.77", "192.0.2.77"] {
        assert!(!left.contains(gone), "{gone} is still there");
    }
    let again = store.erase_user("ada@erased.example").await;
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
    assert!(store.user(&ada).await.is_err());

    let last = store.erase_user("boss@erased.example").await;
    assert!(matches!(last, Err(Error::Precondition(_))), "{last:?}");
    assert!(store.user(&boss).await.is_ok(), "nothing was done");

    store
        .erase_user("eve@erased.example")
        .await
        .expect("erased");
    unbroken(store).await;
    assert!(!everything(store).await.contains("eve@erased.example"));
    tampering(store, &ada).await;
}

/// What was redacted is no place to change something.
async fn tampering(store: &Store, erased: &str) {
    let db = store.connections();
    let redacted = audit::Entity::find()
        .filter(audit::Column::Target.eq(erased))
        .filter(audit::Column::RedactedBy.is_not_null())
        .one(db);
    let link = redacted.await.expect("read").expect("there is one");
    let at = link.position;
    let run = async |set: &str, at: i64| {
        let sql = format!("UPDATE audit SET {set} WHERE position = {at}");
        db.execute_unprepared(&sql).await.expect("run");
    };
    let broken = async || store.check_audit().await.expect("checked").broken.is_some();
    run("detail = 'viewer'", at).await;
    assert!(broken().await, "what is left was changed");
    run(&format!("detail = '{}'", link.detail), at).await;
    unbroken(store).await;
    let by = link.redacted_by.expect("redacted");
    run("redacted_by = NULL", at).await;
    assert!(broken().await, "it passes for what was written");
    run(&format!("redacted_by = {by}"), at).await;
    unbroken(store).await;
    // Another one passes for one that was redacted.
    let other = audit::Entity::find()
        .filter(audit::Column::RedactedBy.is_null())
        .filter(audit::Column::Position.lt(by))
        .one(db);
    let other = other.await.expect("read").expect("there is one").position;
    run(&format!("redacted_by = {by}"), other).await;
    assert!(broken().await, "an event was redacted by nobody");
    run("redacted_by = NULL", other).await;
    unbroken(store).await;
}
