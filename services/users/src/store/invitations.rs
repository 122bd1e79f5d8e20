use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, ModelTrait, QueryFilter,
    QueryOrder,
};

use super::entity::{invitations, members, users};
use super::members::add;
use super::{Change, Store, lock_organisation};
use crate::permissions::Role;
use crate::{Error, names};

/// How long an invitation can be accepted, in milliseconds.
const LIFETIME: i64 = 7 * 24 * 3600 * 1000;

impl invitations::Model {
    pub(crate) fn role(&self) -> Role {
        Role::from_columns(&self.role, self.permissions)
    }
}

impl Store {
    /// In place of one that the same address has.
    pub(super) async fn invite(
        &self,
        transaction: &DatabaseTransaction,
        org_id: &str,
        email: &str,
        role: Role,
        by: &str,
    ) -> Result<invitations::Model, Error> {
        self.drop_invitation(transaction, org_id, email).await?;
        let (name, permissions) = role.to_columns();
        let now = self.now();
        let model = invitations::Model {
            id: names::id(names::INVITATION),
            org_id: org_id.to_owned(),
            email: email.to_owned(),
            role: name.to_owned(),
            permissions,
            created_at: now,
            created_by: by.to_owned(),
            expires_at: now + LIFETIME,
        };
        let row = model.clone().into_active_model();
        invitations::Entity::insert(row)
            .exec_without_returning(transaction)
            .await?;
        Ok(model)
    }

    pub(super) async fn drop_invitation(
        &self,
        transaction: &DatabaseTransaction,
        org_id: &str,
        email: &str,
    ) -> Result<(), Error> {
        invitations::Entity::delete_many()
            .filter(invitations::Column::OrgId.eq(org_id))
            .filter(invitations::Column::Email.eq(email))
            .exec(transaction)
            .await?;
        Ok(())
    }

    /// Those to an organisation, ordered by e-mail address.
    pub(crate) async fn invitations(&self, org_id: &str) -> Result<Vec<invitations::Model>, Error> {
        let found = async {
            let found = invitations::Entity::find()
                .filter(invitations::Column::OrgId.eq(org_id))
                .filter(invitations::Column::ExpiresAt.gt(self.now()))
                .order_by_asc(invitations::Column::Email);
            Ok(found.all(self.read()?).await?)
        };
        self.calls.run("invitations", found).await
    }

    /// Those to an address, oldest first.
    pub(crate) async fn received(&self, email: &str) -> Result<Vec<invitations::Model>, Error> {
        let found = async {
            let found = invitations::Entity::find()
                .filter(invitations::Column::Email.eq(email))
                .filter(invitations::Column::ExpiresAt.gt(self.now()))
                .order_by_asc(invitations::Column::CreatedAt);
            Ok(found.all(self.read()?).await?)
        };
        self.calls.run("received", found).await
    }

    pub(crate) async fn revoke_invitation(&self, org_id: &str, id: &str) -> Result<(), Error> {
        let revoked = async {
            let transaction = self.write().await?;
            let deleted = invitations::Entity::delete_many()
                .filter(invitations::Column::OrgId.eq(org_id))
                .filter(invitations::Column::Id.eq(id))
                .exec(&transaction)
                .await?;
            if deleted.rows_affected == 0 {
                return Err(Error::NotFound("invitation"));
            }
            let change = Change {
                org_id,
                action: "invitation.revoke",
                target: id,
                detail: "",
            };
            self.commit(transaction, change, &[]).await?;
            Ok(())
        };
        self.calls.run("revoke_invitation", revoked).await
    }

    /// The membership, if it was accepted. Only whom the invitation was sent to finds it.
    pub(crate) async fn answer_invitation(
        &self,
        user: &users::Model,
        id: &str,
        accept: bool,
    ) -> Result<Option<members::Model>, Error> {
        let answered = async {
            let transaction = self.write().await?;
            let found = invitations::Entity::find_by_id(id)
                .filter(invitations::Column::Email.eq(&user.email))
                .filter(invitations::Column::ExpiresAt.gt(self.now()))
                .one(&transaction)
                .await?;
            let found = found.ok_or(Error::NotFound("invitation"))?;
            lock_organisation(&transaction, &found.org_id).await?;
            // Of two answers at once, the one that deletes it counts.
            let deleted = found.clone().delete(&transaction).await?;
            if deleted.rows_affected == 0 {
                return Err(Error::NotFound("invitation"));
            }
            let member = match accept {
                false => None,
                true => {
                    let now = self.now();
                    Some(add(&transaction, &found.org_id, &user.id, found.role(), now).await?)
                }
            };
            let change = Change {
                org_id: &found.org_id,
                action: if accept {
                    "invitation.accept"
                } else {
                    "invitation.decline"
                },
                target: id,
                detail: &found.email,
            };
            self.commit(transaction, change, &[]).await?;
            Ok(member)
        };
        self.calls.run("answer_invitation", answered).await
    }
}
