//! What was changed, by whom: a chain in which no link can be changed, taken out or put in without breaking it.

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

impl Store {
    /// Adds a link in the transaction of the change itself, so that there is neither without the other.
    pub(super) async fn note(
        &self,
        transaction: &DatabaseTransaction,
        change: Change<'_>,
    ) -> Result<(), Error> {
        // Locked until the transaction ends, so that links follow each other in the order in which they commit.
        let head = audit_head::Entity::find()
            .lock_exclusive()
            .one(transaction)
            .await?;
        let head = head.ok_or(Error::Precondition("the audit log has lost its head"))?;
        let mut link = audit::Model {
            position: head.position + 1,
            at: self.now(),
            org_id: change.org_id.to_owned(),
            actor: self.actor.to_string(),
            action: change.action.to_owned(),
            target: change.target.to_owned(),
            detail: change.detail.to_owned(),
            digest: String::new(),
        };
        link.digest = digest(&head.digest, &link);
        let mut moved = head.into_active_model();
        moved.position = Set(link.position);
        moved.digest = Set(link.digest.clone());
        moved.update(transaction).await?;
        let row = link.into_active_model();
        audit::Entity::insert(row)
            .exec_without_returning(transaction)
            .await?;
        Ok(())
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

/// SHA-256 over the digest before and every field with its length, so that no two links read the same.
fn digest(before: &str, link: &audit::Model) -> String {
    let mut hash = Sha256::new();
    let (position, at) = (link.position.to_string(), link.at.to_string());
    for field in [
        before,
        &position,
        &at,
        &link.org_id,
        &link.actor,
        &link.action,
        &link.target,
        &link.detail,
    ] {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
