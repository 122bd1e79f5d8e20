use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, ModelTrait,
    QueryFilter, QueryOrder, Set,
};

use super::entity::{invitations, members, users};
use super::{Change, Revocation, Store, lock_organisation, users as accounts};
use crate::Error;
use crate::permissions::Role;

const LAST_ADMIN: Error = Error::Precondition("an organisation keeps at least one admin");

/// What became of setting a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Membership {
    Member(members::Model, users::Model),
    Invited(invitations::Model),
}

impl members::Model {
    pub(crate) fn role(&self) -> Role {
        Role::from_columns(&self.role, self.permissions)
    }
}

impl Store {
    /// Ordered by e-mail address.
    pub(crate) async fn members(
        &self,
        org_id: &str,
    ) -> Result<Vec<(members::Model, users::Model)>, Error> {
        let found = async {
            let rows = members::Entity::find()
                .filter(members::Column::OrgId.eq(org_id))
                .find_also_related(users::Entity)
                .order_by_asc(users::Column::Email)
                .all(self.read()?)
                .await?;
            let rows = rows.into_iter();
            Ok(rows
                .filter_map(|(member, user)| Some((member, user?)))
                .collect())
        };
        self.calls.run("members", found).await
    }

    pub(crate) async fn member(
        &self,
        org_id: &str,
        user_id: &str,
    ) -> Result<Option<members::Model>, Error> {
        let found = async {
            let key = (org_id.to_owned(), user_id.to_owned());
            Ok(members::Entity::find_by_id(key).one(self.read()?).await?)
        };
        self.calls.run("member", found).await
    }

    /// Changes the role of a member. Somebody else is invited by `invite`, or becomes a member at once if that is none.
    pub(crate) async fn set_member(
        &self,
        org_id: &str,
        email: &str,
        role: Role,
        invite: Option<&str>,
    ) -> Result<Membership, Error> {
        let set = async {
            let transaction = self.write().await?;
            lock_organisation(&transaction, org_id).await?;
            let user = accounts::find(&transaction, email).await?;
            let mut revoked = Vec::new();
            let set = match (user, invite) {
                (Some(user), _) if is_member(&transaction, org_id, &user.id).await? => {
                    let member = change_role(&transaction, org_id, &user.id, role).await?;
                    revoked.push(Revocation::member(org_id, &user.id));
                    Membership::Member(member, user)
                }
                (_, Some(by)) => {
                    Membership::Invited(self.invite(&transaction, org_id, email, role, by).await?)
                }
                (_, None) => {
                    let now = self.now();
                    let user = accounts::find_or_add(&transaction, email, now).await?;
                    let member = add(&transaction, org_id, &user.id, role, now).await?;
                    self.drop_invitation(&transaction, org_id, email).await?;
                    Membership::Member(member, user)
                }
            };
            let action = match &set {
                Membership::Member(..) => "member.set",
                Membership::Invited(_) => "member.invite",
            };
            let change = Change {
                org_id,
                action,
                target: email,
                detail: &format!("{role}"),
            };
            self.commit(transaction, change, &revoked).await?;
            Ok(set)
        };
        self.calls.run("set_member", set).await
    }

    pub(crate) async fn remove_member(&self, org_id: &str, user_id: &str) -> Result<(), Error> {
        let removed = async {
            let transaction = self.write().await?;
            lock_organisation(&transaction, org_id).await?;
            let all = in_organisation(&transaction, org_id).await?;
            let found = all.iter().find(|member| member.user_id == user_id);
            let found = found.ok_or(Error::NotFound("member"))?;
            keep_an_admin(&all, found)?;
            found.clone().delete(&transaction).await?;
            let change = Change {
                org_id,
                action: "member.remove",
                target: user_id,
                detail: "",
            };
            let revoked = [Revocation::member(org_id, user_id)];
            self.commit(transaction, change, &revoked).await?;
            Ok(())
        };
        self.calls.run("remove_member", removed).await
    }
}

pub(super) async fn change_role(
    transaction: &DatabaseTransaction,
    org_id: &str,
    user_id: &str,
    role: Role,
) -> Result<members::Model, Error> {
    let all = in_organisation(transaction, org_id).await?;
    let found = all.iter().find(|member| member.user_id == user_id);
    let found = found.ok_or(Error::NotFound("member"))?;
    if !role.is_admin() {
        keep_an_admin(&all, found)?;
    }
    let (name, permissions) = role.to_columns();
    let mut row = found.clone().into_active_model();
    row.role = Set(name.to_owned());
    row.permissions = Set(permissions);
    // Whoever changes a role answers for it.
    row.granted_by = Set(String::new());
    Ok(row.update(transaction).await?)
}

pub(super) async fn in_organisation(
    transaction: &DatabaseTransaction,
    org_id: &str,
) -> Result<Vec<members::Model>, Error> {
    let all = members::Entity::find().filter(members::Column::OrgId.eq(org_id));
    Ok(all.all(transaction).await?)
}

pub(super) async fn is_member(
    transaction: &DatabaseTransaction,
    org_id: &str,
    user_id: &str,
) -> Result<bool, Error> {
    let key = (org_id.to_owned(), user_id.to_owned());
    let found = members::Entity::find_by_id(key).one(transaction).await?;
    Ok(found.is_some())
}

pub(super) async fn add(
    transaction: &DatabaseTransaction,
    org_id: &str,
    user_id: &str,
    role: Role,
    now: i64,
) -> Result<members::Model, Error> {
    let (name, permissions) = role.to_columns();
    let model = members::Model {
        org_id: org_id.to_owned(),
        user_id: user_id.to_owned(),
        role: name.to_owned(),
        permissions,
        created_at: now,
        granted_by: String::new(),
    };
    let row = model.clone().into_active_model();
    members::Entity::insert(row)
        .exec_without_returning(transaction)
        .await?;
    Ok(model)
}

/// Fails if this one is the only admin.
pub(super) fn keep_an_admin(all: &[members::Model], gone: &members::Model) -> Result<(), Error> {
    let others = all.iter().filter(|member| member.user_id != gone.user_id);
    let left = others.filter(|member| member.role().is_admin()).count();
    if gone.role().is_admin() && left == 0 {
        return Err(LAST_ADMIN);
    }
    Ok(())
}
