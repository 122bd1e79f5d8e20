//! What was done, by whom and from where: a chain in which no link can be changed, taken out or put in without breaking it.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use sha2::{Digest, Sha256};

use super::Store;
use super::entity::{audit, audit_head};
use crate::Error;

/// What erases personal data in links, and how its detail ends.
pub(super) const ERASE: &str = "user.erase";
const REDACTED: &str = "what is left of them has the digest ";
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
            let mut chain = Chain::default();
            while chain.position < head.position {
                let page = audit::Entity::find()
                    .filter(audit::Column::Position.gt(chain.position))
                    .filter(audit::Column::Position.lte(head.position))
                    .order_by_asc(audit::Column::Position)
                    .limit(PAGE);
                let page = page.all(db).await?;
                if page.is_empty() {
                    return Ok(broken(chain.position + 1));
                }
                for link in page {
                    if !chain.goes_on_with(&link) {
                        return Ok(broken(chain.position + 1));
                    }
                }
            }
            Ok(chain.checked(&head.digest))
        };
        self.calls.run("check_audit", checked).await
    }
}

/// What was followed of the chain.
#[derive(Default)]
struct Chain {
    position: i64,
    last: String,
    /// Redacted links that were seen, by the event that must answer for them: where the first is, and the digest of what is
    /// left.
    redacted: BTreeMap<i64, (i64, Redacted)>,
}

impl Chain {
    /// Whether this link is the next one and as it was written, or as it was redacted.
    fn goes_on_with(&mut self, link: &audit::Model) -> bool {
        if link.position != self.position + 1 {
            return false;
        }
        match link.redacted_by {
            // Its digest is of what it was; whatever it is now, an event further on answers for.
            Some(by) if by > link.position => {
                let start = || (link.position, Redacted::default());
                self.redacted.entry(by).or_insert_with(start).1.add(link);
            }
            Some(_) => return false,
            None if link.digest != digest(&self.last, link) => return false,
            None => {}
        }
        if let Some((_, redacted)) = self.redacted.remove(&link.position) {
            let answers = link.redacted_by.is_none() && redacted.is_answered_for_by(link);
            if !answers {
                return false;
            }
        }
        self.position = link.position;
        self.last.clone_from(&link.digest);
        true
    }

    fn checked(&self, head: &str) -> Checked {
        // Nobody answered for these.
        if let Some((first, _)) = self.redacted.values().min_by_key(|(first, _)| *first) {
            return broken(*first);
        }
        if self.last != head {
            return broken(self.position);
        }
        Checked {
            sound: self.position.unsigned_abs(),
            broken: None,
        }
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
            redacted_by: None,
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
        update(&mut hash, field);
    }
    hex(hash)
}

fn update(hash: &mut Sha256, field: &str) {
    hash.update((field.len() as u64).to_be_bytes());
    hash.update(field.as_bytes());
}

fn hex(hash: Sha256) -> String {
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A digest of links as they are left after personal data was erased, in the order of their positions.
#[derive(Clone, Default)]
pub(super) struct Redacted(Sha256);

impl Redacted {
    pub(super) fn add(&mut self, link: &audit::Model) {
        // The first digest is of what the link was, and cannot be made again.
        update(&mut self.0, &link.digest);
        update(&mut self.0, &digest("", link));
    }

    /// What the event says that did it.
    pub(super) fn in_words(self) -> String {
        format!("{REDACTED}{}", hex(self.0))
    }

    fn is_answered_for_by(&self, link: &audit::Model) -> bool {
        link.action == ERASE && link.detail.ends_with(&self.clone().in_words())
    }
}
