//! What edges must forget.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};
use tokio::sync::futures::Notified;

use super::Store;
use super::entity::{revocation_position as position, revocations};
use crate::Error;

/// How long revocations are kept, in milliseconds: whoever was away for longer forgets everything.
const KEPT: i64 = 24 * 3600 * 1000;
/// Told at once.
const MOST: u64 = 1000;

/// Callers about whom edges must ask again: those in whom each field that is set is the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Revocation {
    pub(crate) token_id: String,
    pub(crate) user_id: String,
    pub(crate) org_id: String,
}

impl Revocation {
    pub(crate) fn token(id: &str) -> Self {
        Revocation {
            token_id: id.to_owned(),
            ..Revocation::default()
        }
    }

    pub(crate) fn organisation(id: &str) -> Self {
        Revocation {
            org_id: id.to_owned(),
            ..Revocation::default()
        }
    }

    pub(crate) fn member(org_id: &str, user_id: &str) -> Self {
        Revocation {
            user_id: user_id.to_owned(),
            org_id: org_id.to_owned(),
            ..Revocation::default()
        }
    }
}

/// What came after a position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct News {
    /// Where to go on.
    pub(crate) position: u64,
    /// Some are missing.
    pub(crate) reset: bool,
    pub(crate) revocations: Vec<Revocation>,
}

/// Adds revocations, in the order in which transactions commit.
pub(super) async fn revoke(
    transaction: &DatabaseTransaction,
    now: i64,
    revocations: &[Revocation],
) -> Result<(), Error> {
    for revocation in revocations {
        position::Entity::update_many()
            .col_expr(
                position::Column::Position,
                Expr::col(position::Column::Position).add(1),
            )
            .exec(transaction)
            .await?;
        let next = current(transaction).await?;
        let row = revocations::Model {
            position: next,
            at: now,
            token_id: revocation.token_id.clone(),
            user_id: revocation.user_id.clone(),
            org_id: revocation.org_id.clone(),
        };
        let row = row.into_active_model();
        revocations::Entity::insert(row)
            .exec_without_returning(transaction)
            .await?;
    }
    revocations::Entity::delete_many()
        .filter(revocations::Column::At.lt(now - KEPT))
        .exec(transaction)
        .await?;
    Ok(())
}

async fn current<C: sea_orm::ConnectionTrait>(db: &C) -> Result<i64, Error> {
    let row = position::Entity::find().one(db).await?;
    Ok(row.map_or(0, |row| row.position))
}

impl Store {
    /// What was revoked after this position; none for now.
    pub(crate) async fn revocations(&self, after: Option<u64>) -> Result<News, Error> {
        let found = async {
            let db = self.read()?;
            let now = current(db).await?;
            let after = after.and_then(|after| i64::try_from(after).ok());
            let Some(after) = after.filter(|after| *after <= now) else {
                return Ok(reset(now));
            };
            let rows = revocations::Entity::find()
                .filter(revocations::Column::Position.gt(after))
                .order_by_asc(revocations::Column::Position)
                .limit(MOST)
                .all(db)
                .await?;
            // Positions have no gaps, so a first one that is not the next was kept too long ago.
            if rows
                .first()
                .map_or(now > after, |row| row.position != after + 1)
            {
                return Ok(reset(now));
            }
            Ok(News {
                position: rows.last().map_or(after, |row| row.position).unsigned_abs(),
                reset: false,
                revocations: rows.into_iter().map(Revocation::from).collect(),
            })
        };
        self.calls.run("revocations", found).await
    }

    /// Ends when this process revokes something. Others are not noticed.
    pub(crate) fn revoked(&self) -> Notified<'_> {
        self.revoked.notified()
    }
}

fn reset(now: i64) -> News {
    News {
        position: now.unsigned_abs(),
        reset: true,
        revocations: Vec::new(),
    }
}

impl From<revocations::Model> for Revocation {
    fn from(row: revocations::Model) -> Self {
        Revocation {
            token_id: row.token_id,
            user_id: row.user_id,
            org_id: row.org_id,
        }
    }
}
