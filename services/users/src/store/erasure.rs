//! What is kept of a person: given to the person, and erased.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::audit::{ERASE, Redacted};
use super::entity::{
    audit, audit_head, ceremonies, device_logins, identities, invitations, login_links, members,
    passkeys, sessions, tokens, users,
};
use super::members::{in_organisation, keep_an_admin};
use super::{Change, Revocation, Store, lock_organisation, users as accounts};
use crate::Error;

/// A person's rows.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) user: users::Model,
    pub(crate) memberships: Vec<members::Model>,
    pub(crate) invitations: Vec<invitations::Model>,
    pub(crate) tokens: Vec<tokens::Model>,
    pub(crate) sessions: Vec<sessions::Model>,
    pub(crate) passkeys: Vec<passkeys::Model>,
    pub(crate) identities: Vec<identities::Model>,
}

/// Events of the audit log that name a person.
fn about(user: &users::Model) -> Condition {
    Condition::any()
        .add(audit::Column::Actor.eq(&user.id))
        .add(audit::Column::Target.eq(&user.id))
        .add(audit::Column::Target.eq(&user.email))
        .add(audit::Column::Detail.contains(&user.email))
}

impl Store {
    /// All rows of the person with this address.
    pub(crate) async fn account(&self, email: &str) -> Result<Account, Error> {
        let found = async {
            let db = self.read()?;
            let user = accounts::find(db, email).await?;
            let user = user.ok_or(Error::NotFound("user"))?;
            let id = user.id.as_str();
            Ok(Account {
                memberships: members::Entity::find()
                    .filter(members::Column::UserId.eq(id))
                    .order_by_asc(members::Column::OrgId)
                    .all(db)
                    .await?,
                invitations: invitations::Entity::find()
                    .filter(invitations::Column::Email.eq(email))
                    .all(db)
                    .await?,
                tokens: tokens::Entity::find()
                    .filter(tokens::Column::UserId.eq(id))
                    .all(db)
                    .await?,
                sessions: sessions::Entity::find()
                    .filter(sessions::Column::UserId.eq(id))
                    .all(db)
                    .await?,
                passkeys: passkeys::Entity::find()
                    .filter(passkeys::Column::UserId.eq(id))
                    .all(db)
                    .await?,
                identities: identities::Entity::find()
                    .filter(identities::Column::UserId.eq(id))
                    .all(db)
                    .await?,
                user,
            })
        };
        self.calls.run("account", found).await
    }

    /// Events that name a person after this position, oldest first.
    pub(crate) async fn audit_of(
        &self,
        user: &users::Model,
        after: i64,
        most: u64,
    ) -> Result<Vec<audit::Model>, Error> {
        let found = async {
            let events = audit::Entity::find()
                .filter(about(user))
                .filter(audit::Column::Position.gt(after))
                .order_by_asc(audit::Column::Position)
                .limit(most);
            Ok(events.all(self.read()?).await?)
        };
        self.calls.run("audit_of", found).await
    }

    /// Erases the person with this address: its id, and how many events were redacted.
    pub(crate) async fn erase_user(&self, email: &str) -> Result<(String, u64), Error> {
        let erased = async {
            let transaction = self.write().await?;
            let user = accounts::find(&transaction, email).await?;
            let user = user.ok_or(Error::NotFound("user"))?;
            leave_all(&transaction, &user).await?;
            forget(&transaction, &user).await?;
            let (redacted, count) = redact(&transaction, &user).await?;
            let detail = match count {
                0 => "the account is gone".to_owned(),
                _ => format!(
                    "the account is gone; addresses in {count} events were erased; {}",
                    redacted.in_words()
                ),
            };
            let change = Change {
                org_id: "",
                action: ERASE,
                target: &user.id,
                detail: &detail,
            };
            let revoked = Revocation {
                user_id: user.id.clone(),
                ..Revocation::default()
            };
            self.commit(transaction, change, &[revoked]).await?;
            Ok((user.id, count))
        };
        self.calls.run("erase_user", erased).await
    }
}

/// Ends all memberships, none of which may be an organisation's last admin's.
async fn leave_all(transaction: &DatabaseTransaction, user: &users::Model) -> Result<(), Error> {
    let own = members::Entity::find()
        .filter(members::Column::UserId.eq(&user.id))
        .order_by_asc(members::Column::OrgId);
    for member in own.all(transaction).await? {
        match lock_organisation(transaction, &member.org_id).await {
            Ok(_) => {
                let all = in_organisation(transaction, &member.org_id).await?;
                keep_an_admin(&all, &member)?;
            }
            // A deleted one needs no admin.
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    members::Entity::delete_many()
        .filter(members::Column::UserId.eq(&user.id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Deletes all rows that are the person's alone.
async fn forget(transaction: &DatabaseTransaction, user: &users::Model) -> Result<(), Error> {
    let (id, email) = (user.id.as_str(), user.email.as_str());
    tokens::Entity::delete_many()
        .filter(tokens::Column::UserId.eq(id))
        .exec(transaction)
        .await?;
    sessions::Entity::delete_many()
        .filter(sessions::Column::UserId.eq(id))
        .exec(transaction)
        .await?;
    identities::Entity::delete_many()
        .filter(identities::Column::UserId.eq(id))
        .exec(transaction)
        .await?;
    passkeys::Entity::delete_many()
        .filter(passkeys::Column::UserId.eq(id))
        .exec(transaction)
        .await?;
    ceremonies::Entity::delete_many()
        .filter(ceremonies::Column::UserId.eq(id))
        .exec(transaction)
        .await?;
    device_logins::Entity::delete_many()
        .filter(device_logins::Column::UserId.eq(id))
        .exec(transaction)
        .await?;
    invitations::Entity::delete_many()
        .filter(invitations::Column::Email.eq(email))
        .exec(transaction)
        .await?;
    login_links::Entity::delete_many()
        .filter(login_links::Column::Email.eq(email))
        .exec(transaction)
        .await?;
    users::Entity::delete_by_id(id).exec(transaction).await?;
    Ok(())
}

/// Erases the person's addresses from the audit log, on behalf of the event that comes next.
async fn redact(
    transaction: &DatabaseTransaction,
    user: &users::Model,
) -> Result<(Redacted, u64), Error> {
    // Locked until that event is there.
    let head = audit_head::Entity::find()
        .lock_exclusive()
        .one(transaction)
        .await?;
    let head = head.ok_or(Error::Precondition("the audit log has lost its head"))?;
    let mut links = audit::Entity::find()
        .filter(about(user))
        .all(transaction)
        .await?;
    links.retain(|link| redacted(link, user) != *link);
    // What another event answers for is answered for by this one, all of it, or there would be too little left for that one.
    let mut before: Vec<i64> = links.iter().filter_map(|link| link.redacted_by).collect();
    before.sort_unstable();
    before.dedup();
    for by in before {
        let together = audit::Entity::find().filter(audit::Column::RedactedBy.eq(by));
        links.extend(together.all(transaction).await?);
    }
    links.sort_by_key(|link| link.position);
    links.dedup_by_key(|link| link.position);
    let mut left = Redacted::default();
    for link in &links {
        let now = redacted(link, user);
        audit::Entity::update_many()
            .col_expr(audit::Column::Address, Expr::value(now.address.clone()))
            .col_expr(audit::Column::Target, Expr::value(now.target.clone()))
            .col_expr(audit::Column::Detail, Expr::value(now.detail.clone()))
            .col_expr(audit::Column::RedactedBy, Expr::value(head.position + 1))
            .filter(audit::Column::Position.eq(link.position))
            .exec(transaction)
            .await?;
        left.add(&now);
    }
    Ok((left, links.len() as u64))
}

/// A link without what says who the person is or was.
fn redacted(link: &audit::Model, user: &users::Model) -> audit::Model {
    let mut link = link.clone();
    if link.actor == user.id {
        link.address.clear();
    }
    if link.target == user.email {
        link.target.clone_from(&user.id);
    }
    // An address is no part of a longer one: ada@a.example of wada@a.example.
    let known = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
    let words = link.detail.split_inclusive(|c: char| !known(c));
    let words = words.map(|word| {
        let address = word
            .trim_end_matches(|c: char| !known(c))
            .trim_end_matches('.');
        match address == user.email {
            true => word.replacen(address, &user.id, 1),
            false => word.to_owned(),
        }
    });
    link.detail = words.collect();
    link
}
