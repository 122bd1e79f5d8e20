use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use super::accounts::add;
use crate::Store;
use crate::store::entity::audit;

pub(super) async fn unbroken(store: &Store) {
    let checked = store.check_audit().await.expect("checked");
    assert!(checked.broken.is_none() && checked.sound > 0, "{checked:?}");
}

pub(super) async fn changes(store: &Store) {
    let ada = store.by("ada");
    add(&ada, "audited").await;
    add(store, "beside").await;
    ada.refuse_organisation("audited", false, true, "quota")
        .await
        .expect("changed");
    let failed = ada.revoke_token("audited", "tok_none").await;
    assert!(failed.is_err());
    ada.remove_organisation("audited").await.expect("removed");
    let events = store.audit("audited", None, 10).await.expect("found");
    let said: Vec<_> = events
        .iter()
        .map(|e| (e.actor.as_str(), e.action.as_str(), e.detail.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("ada", "organisation.remove", ""),
            ("ada", "organisation.refuse", "reports are refused: quota"),
            ("ada", "organisation.add", ""),
        ]
    );
    let page = store
        .audit("audited", Some(events[0].position), 1)
        .await
        .expect("found");
    assert_eq!(page, events[1..2]);
    unbroken(store).await;
}

/// Whatever is done to the table is noticed, and where; each is undone again.
pub(super) async fn tampering(store: &Store) {
    let link = store
        .audit("audited", None, 10)
        .await
        .expect("found")
        .remove(1);
    let at = link.position;
    let db = store.connections();
    let run = async |sql: String| db.execute_unprepared(&sql).await.expect("run");
    let broken = async || store.check_audit().await.expect("checked").broken;
    let swap = |from: &str, to: &str| {
        format!("UPDATE audit SET actor = '{to}' WHERE position = {at} AND actor = '{from}'")
    };
    run(swap("ada", "bob")).await;
    assert_eq!(broken().await, Some(at), "an actor was changed");
    run(swap("bob", "ada")).await;
    assert_eq!(broken().await, None);
    run("UPDATE audit_head SET position = position - 1".to_owned()).await;
    assert!(broken().await.is_some(), "the end was cut off");
    run("UPDATE audit_head SET position = position + 1".to_owned()).await;
    assert_eq!(broken().await, None);
    run(format!("DELETE FROM audit WHERE position = {at}")).await;
    assert_eq!(broken().await, Some(at), "a link was taken out");
    let put_back = audit::Entity::insert(link.into_active_model());
    put_back.exec_without_returning(db).await.expect("put back");
    assert_eq!(broken().await, None);
}
