use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Set,
};

use super::entity::{members, organisations};
use super::{Change, Revocation, Store, lock_organisation};
use crate::permissions::Role;
use crate::{Error, names};

/// How often an id is made up before giving up.
const TRIES: usize = 8;

/// What an organisation starts with.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewOrganisation {
    /// None for one that is made up.
    pub(crate) id: Option<String>,
    /// None for one made from the id.
    pub(crate) name: Option<String>,
    pub(crate) created_by: String,
    /// The user who becomes its admin.
    pub(crate) admin: Option<String>,
}

impl Store {
    pub(crate) async fn add_organisation(
        &self,
        new: &NewOrganisation,
    ) -> Result<organisations::Model, Error> {
        let added = async {
            if let Some(id) = &new.id {
                let added = self.try_add(id, new).await;
                return added.map_err(|error| match error.is_duplicate() {
                    true => Error::Exists("there is an organisation of this id, or was"),
                    false => error,
                });
            }
            for _ in 0..TRIES {
                match self.try_add(&names::made_up_org_id(), new).await {
                    Err(error) if error.is_duplicate() => {}
                    added => return added,
                }
            }
            Err(Error::Exists("no free id was found; choose one"))
        };
        self.calls.run("add_organisation", added).await
    }

    async fn try_add(
        &self,
        id: &str,
        new: &NewOrganisation,
    ) -> Result<organisations::Model, Error> {
        let transaction = self.write().await?;
        let model = organisations::Model {
            id: id.to_owned(),
            name: new.name.clone().unwrap_or_else(|| names::name_of(id)),
            created_at: self.now(),
            created_by: new.created_by.clone(),
            deleted_at: None,
            refuse_access: false,
            refuse_upload: false,
            refusal_reason: String::new(),
        };
        let row = model.clone().into_active_model();
        organisations::Entity::insert(row)
            .exec_without_returning(&transaction)
            .await?;
        if let Some(admin) = &new.admin {
            let (role, permissions) = Role::Admin.to_columns();
            let member = members::ActiveModel {
                org_id: Set(id.to_owned()),
                user_id: Set(admin.clone()),
                role: Set(role.to_owned()),
                permissions: Set(permissions),
                created_at: Set(self.now()),
                granted_by: Set(String::new()),
            };
            members::Entity::insert(member)
                .exec_without_returning(&transaction)
                .await?;
        }
        let change = Change {
            org_id: id,
            action: "organisation.add",
            target: id,
            detail: &new
                .admin
                .as_ref()
                .map_or_else(String::new, |id| format!("its admin is {id}")),
        };
        self.commit(transaction, change, &[]).await?;
        Ok(model)
    }

    /// One that is not deleted.
    pub(crate) async fn organisation(&self, id: &str) -> Result<organisations::Model, Error> {
        let found = async {
            let found = organisations::Entity::find_by_id(id)
                .one(self.read()?)
                .await?;
            let live = found.filter(|found| found.deleted_at.is_none());
            live.ok_or(Error::NotFound("organisation"))
        };
        self.calls.run("organisation", found).await
    }

    /// Those that a person belongs to, ordered by id.
    pub(crate) async fn organisations_of(
        &self,
        user_id: &str,
    ) -> Result<Vec<organisations::Model>, Error> {
        let found = async {
            let rows = members::Entity::find()
                .filter(members::Column::UserId.eq(user_id))
                .filter(organisations::Column::DeletedAt.is_null())
                .order_by_asc(members::Column::OrgId)
                .find_also_related(organisations::Entity)
                .all(self.read()?)
                .await?;
            Ok(rows
                .into_iter()
                .filter_map(|(_, organisation)| organisation)
                .collect())
        };
        self.calls.run("organisations_of", found).await
    }

    /// A page of all, ordered by id.
    pub(crate) async fn find_organisations(
        &self,
        after: &str,
        most: u64,
        deleted: bool,
    ) -> Result<Vec<organisations::Model>, Error> {
        let found = async {
            let mut query = organisations::Entity::find()
                .filter(organisations::Column::Id.gt(after))
                .order_by_asc(organisations::Column::Id)
                .limit(most);
            if !deleted {
                query = query.filter(organisations::Column::DeletedAt.is_null());
            }
            Ok(query.all(self.read()?).await?)
        };
        self.calls.run("find_organisations", found).await
    }

    /// What is refused from now on.
    pub(crate) async fn refuse_organisation(
        &self,
        id: &str,
        access: bool,
        upload: bool,
        reason: &str,
    ) -> Result<organisations::Model, Error> {
        let changed = async {
            let transaction = self.write().await?;
            let mut row = lock_organisation(&transaction, id)
                .await?
                .into_active_model();
            row.refuse_access = Set(access);
            row.refuse_upload = Set(upload);
            row.refusal_reason = Set(reason.to_owned());
            let model = row.update(&transaction).await?;
            let change = Change {
                org_id: id,
                action: "organisation.refuse",
                target: id,
                detail: &refusal_in_words(access, upload, reason),
            };
            let revoked = [Revocation::organisation(id)];
            self.commit(transaction, change, &revoked).await?;
            Ok(model)
        };
        self.calls.run("refuse_organisation", changed).await
    }

    pub(crate) async fn remove_organisation(&self, id: &str) -> Result<(), Error> {
        let removed = async {
            let transaction = self.write().await?;
            let mut row = lock_organisation(&transaction, id)
                .await?
                .into_active_model();
            row.deleted_at = Set(Some(self.now()));
            row.update(&transaction).await?;
            let change = Change {
                org_id: id,
                action: "organisation.remove",
                target: id,
                detail: "",
            };
            let revoked = [Revocation::organisation(id)];
            self.commit(transaction, change, &revoked).await?;
            Ok(())
        };
        self.calls.run("remove_organisation", removed).await
    }

    /// As it was, with its members and tokens.
    pub(crate) async fn restore_organisation(
        &self,
        id: &str,
    ) -> Result<organisations::Model, Error> {
        let restored = async {
            let transaction = self.write().await?;
            let found = organisations::Entity::find_by_id(id)
                .one(&transaction)
                .await?;
            let found = found.ok_or(Error::NotFound("organisation"))?;
            if found.deleted_at.is_none() {
                return Err(Error::Precondition("the organisation is not deleted"));
            }
            let mut row = found.into_active_model();
            row.deleted_at = Set(None);
            let model = row.update(&transaction).await?;
            let change = Change {
                org_id: id,
                action: "organisation.restore",
                target: id,
                detail: "",
            };
            let revoked = [Revocation::organisation(id)];
            self.commit(transaction, change, &revoked).await?;
            Ok(model)
        };
        self.calls.run("restore_organisation", restored).await
    }

    /// Makes the organisation of this machine, if it is not there.
    pub(crate) async fn ensure_organisation(&self, id: &str, name: &str) -> Result<(), Error> {
        let new = NewOrganisation {
            id: Some(id.to_owned()),
            name: Some(name.to_owned()),
            created_by: id.to_owned(),
            admin: None,
        };
        match self.add_organisation(&new).await {
            Ok(_) | Err(Error::Exists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn refusal_in_words(access: bool, upload: bool, reason: &str) -> String {
    let what = match (access, upload) {
        (false, false) => return "nothing is refused any more".to_owned(),
        (true, false) => "reading and controls are refused",
        (false, true) => "reports are refused",
        (true, true) => "reading, controls and reports are refused",
    };
    match reason {
        "" => what.to_owned(),
        reason => format!("{what}: {reason}"),
    }
}
