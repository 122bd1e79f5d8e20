//! What was done, by whom and from where: a chain in which no link can be changed, taken out or put in without breaking it.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use sha2::{Digest, Sha256};

use super::Store;
use super::entity::{audit, audit_head};
use crate::Error;

/// Links that are checked at once.
const PAGE: u64 = 1000;

/// A change, without who made it and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) org_id: &'a str,
    /// `token.revoke`, for example.
    pub(super) action: &'static str,
    /// The id of what was changed, or an e-mail address.
    pub(super) target: &'a str,
    /// What it is now.
    pub(super) detail: &'a str,
}

/// What checking the chain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Links that are sound.
    pub(crate) sound: u64,
    /// Where the first one is that is not.
    pub(crate) broken: Option<i64>,
}

/// A link to be, without its position.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Milliseconds since the Unix epoch.
    pub(crate) at: i64,
    pub(crate) org_id: String,
    pub(crate) actor: String,
    pub(crate) address: String,
    pub(crate) action: String,
    pub(crate) target: String,
    pub(crate) detail: String,
}

impl Store {
    /// A change of this moment, by whom this store is used.
    pub(super) fn event(&self, change: Change<'_>) -> Event {
        Event {
            at: self.now(),
            org_id: change.org_id.to_owned(),
            actor: self.actor.to_string(),
            address: self.address.to_string(),
            action: change.action.to_owned(),
            target: change.target.to_owned(),
            detail: change.detail.to_owned(),
        }
    }

    /// Adds a link in the transaction of the change itself, so that there is neither without the other.
    pub(super) async fn note(
        &self,
        transaction: &DatabaseTransaction,
        change: Change<'_>,
    ) -> Result<(), Error> {
        add(transaction, vec![self.event(change)]).await
    }

    /// Adds links for what is no change of this store.
    pub(crate) async fn record(&self, events: Vec<Event>) -> Result<(), Error> {
        let recorded = async {
            let transaction = self.write().await?;
            add(&transaction, events).await?;
            Ok(transaction.commit().await?)
        };
        self.calls.run("record", recorded).await
    }

    /// An organisation's, newest first, before this position.
    pub(crate) async fn audit(
        &self,
        org_id: &str,
        before: Option<i64>,
        most: u64,
    ) -> Result<Vec<audit::Model>, Error> {
        let found = async {
            let mut query = audit::Entity::find()
                .filter(audit::Column::OrgId.eq(org_id))
                .order_by_desc(audit::Column::Position)
                .limit(most);
            if let Some(before) = before {
                query = query.filter(audit::Column::Position.lt(before));
            }
            Ok(query.all(self.read()?).await?)
        };
        self.calls.run("audit", found).await
    }

    /// Follows the chain from its first link to its last.
    pub(crate) async fn check_audit(&self) -> Result<Checked, Error> {
        let checked = async {
            let db = self.read()?;
            // Links that are added meanwhile are not looked at.
            let head = audit_head::Entity::find().one(db).await?;
            let head = head.ok_or(Error::Precondition("the audit log has lost its head"))?;
            let (mut last, mut position) = (String::new(), 0);
            while position < head.position {
                let page = audit::Entity::find()
                    .filter(audit::Column::Position.gt(position))
                    .filter(audit::Column::Position.lte(head.position))
                    .order_by_asc(audit::Column::Position)
                    .limit(PAGE);
                let page = page.all(db).await?;
                if page.is_empty() {
                    return Ok(broken(position + 1));
                }
                for link in page {
                    if link.position != position + 1 || link.digest != digest(&last, &link) {
                        return Ok(broken(position + 1));
                    }
                    (last, position) = (link.digest, link.position);
                }
            }
            if last != head.digest {
                return Ok(broken(position));
            }
            Ok(Checked {
                sound: position.unsigned_abs(),
                broken: None,
            })
        };
        self.calls.run("check_audit", checked).await
    }
}

fn broken(position: i64) -> Checked {
    Checked {
        sound: position.saturating_sub(1).unsigned_abs(),
        broken: Some(position),
    }
}

/// Adds links to the chain, in this order.
pub(super) async fn add(
    transaction: &DatabaseTransaction,
    events: Vec<Event>,
) -> Result<(), Error> {
    // Locked until the transaction ends, so that links follow each other in the order in which they commit.
    let head = audit_head::Entity::find()
        .lock_exclusive()
        .one(transaction)
        .await?;
    let head = head.ok_or(Error::Precondition("the audit log has lost its head"))?;
    let (mut position, mut last) = (head.position, head.digest.clone());
    let mut links = Vec::new();
    for event in events {
        position += 1;
        let mut link = audit::Model {
            position,
            at: event.at,
            org_id: event.org_id,
            actor: event.actor,
            action: event.action,
            target: event.target,
            detail: event.detail,
            digest: String::new(),
            address: event.address,
        };
        link.digest = digest(&last, &link);
        last.clone_from(&link.digest);
        links.push(link.into_active_model());
    }
    if links.is_empty() {
        return Ok(());
    }
    let mut moved = head.into_active_model();
    moved.position = Set(position);
    moved.digest = Set(last);
    moved.update(transaction).await?;
    audit::Entity::insert_many(links)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// SHA-256 over the digest before and every field with its length, so that no two links read the same. An address is one field
/// more, so that links of versions that knew none are as they were.
fn digest(before: &str, link: &audit::Model) -> String {
    let mut hash = Sha256::new();
    let (position, at) = (link.position.to_string(), link.at.to_string());
    let address = Some(link.address.as_str()).filter(|address| !address.is_empty());
    let fields = [
        before,
        &position,
        &at,
        &link.org_id,
        &link.actor,
        &link.action,
        &link.target,
        &link.detail,
    ];
    for field in fields.into_iter().chain(address) {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
