use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::Store;
use super::entity::users;
use crate::{Error, names};

impl Store {
    pub(crate) async fn user(&self, id: &str) -> Result<users::Model, Error> {
        let found = async {
            let found = users::Entity::find_by_id(id).one(self.read()?).await?;
            found.ok_or(Error::NotFound("user"))
        };
        self.calls.run("user", found).await
    }

    pub(crate) async fn user_by_email(&self, email: &str) -> Result<Option<users::Model>, Error> {
        let found = async { find(self.read()?, email).await };
        self.calls.run("user_by_email", found).await
    }
}

pub(super) async fn find<C: ConnectionTrait>(
    db: &C,
    email: &str,
) -> Result<Option<users::Model>, Error> {
    let found = users::Entity::find().filter(users::Column::Email.eq(email));
    Ok(found.one(db).await?)
}

/// The account of this address, which is made if there is none.
pub(super) async fn find_or_add<C: ConnectionTrait>(
    db: &C,
    email: &str,
    now: i64,
) -> Result<users::Model, Error> {
    if let Some(found) = find(db, email).await? {
        return Ok(found);
    }
    let local = email.split('@').next().unwrap_or(email);
    let model = users::Model {
        id: names::id(names::USER),
        email: email.to_owned(),
        name: local.chars().take(100).collect(),
        created_at: now,
    };
    let row = model.clone().into_active_model();
    users::Entity::insert(row)
        .exec_without_returning(db)
        .await?;
    Ok(model)
}
