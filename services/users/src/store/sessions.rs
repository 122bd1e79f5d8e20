//! Browsers in which people are logged in.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::entity::{login_links, members, organisations, sessions};
use super::{Change, Revocation, Store, minute};
use crate::secret::{Digested, Kind, Secret};
use crate::{Error, names};

/// Sessions of one person at once; the oldest ends when there would be more.
const MOST: usize = 50;
/// Sessions that are ended for their age in one transaction.
const PAGE: u64 = 500;
/// Organisations in whose audit log one login is written down.
const NOTED: u64 = 20;

/// How old a session gets, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ages {
    /// Since it was used last.
    pub(crate) idle: i64,
    /// Since it began.
    pub(crate) absolute: i64,
}

impl Ages {
    pub(crate) fn new(idle: Duration, absolute: Duration) -> Self {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2);
        Ages {
            idle: millis(idle),
            absolute: millis(absolute),
        }
    }

    /// When it ends if it is not used any more.
    pub(crate) fn end(self, session: &sessions::Model) -> i64 {
        let used = session.last_used_at.max(session.created_at);
        let idle = used.saturating_add(self.idle);
        idle.min(self.latest_end(session))
    }

    /// When it ends whatever happens.
    pub(crate) fn latest_end(self, session: &sessions::Model) -> i64 {
        session.created_at.saturating_add(self.absolute)
    }

    /// Those that have not ended.
    fn live(self, now: i64) -> Condition {
        self.over(now).not()
    }

    fn over(self, now: i64) -> Condition {
        let idle = now.saturating_sub(self.idle);
        Condition::any()
            .add(sessions::Column::CreatedAt.lte(now.saturating_sub(self.absolute)))
            .add(
                // The minute of the last use may lie before the beginning.
                Condition::all()
                    .add(sessions::Column::LastUsedAt.lte(idle))
                    .add(sessions::Column::CreatedAt.lte(idle)),
            )
    }
}

/// What a session starts with.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewSession {
    /// How the person logged in: `mail`.
    pub(crate) method: String,
    pub(crate) address: String,
    pub(crate) user_agent: String,
    /// The session that the same browser had, which ends.
    pub(crate) replaces: Option<Digested>,
}

/// What is known about a session that was presented.
#[derive(Debug, Clone)]
pub(crate) struct KnownSession {
    pub(crate) session: sessions::Model,
    /// None for a person who belongs to none.
    pub(crate) belongs: Option<(organisations::Model, members::Model)>,
}

impl Store {
    /// Adds a session in the transaction of a login; what edges must forget because of it goes to `revoked`.
    pub(super) async fn begin_session(
        &self,
        transaction: &DatabaseTransaction,
        user_id: &str,
        new: NewSession,
        revoked: &mut Vec<Revocation>,
    ) -> Result<(sessions::Model, Secret), Error> {
        let mut over = Vec::new();
        if let Some(digest) = &new.replaces {
            let replaced = sessions::Entity::find()
                .filter(sessions::Column::Digest.eq(digest.as_str()))
                .one(transaction);
            over.extend(replaced.await?);
        }
        let oldest = sessions::Entity::find()
            .filter(sessions::Column::UserId.eq(user_id))
            .order_by_desc(sessions::Column::CreatedAt)
            .offset(MOST as u64 - 1)
            .limit(PAGE);
        over.extend(oldest.all(transaction).await?);
        end(transaction, &over, revoked).await?;
        let secret = Secret::of(Kind::Session);
        let now = self.now();
        let model = sessions::Model {
            id: names::id(names::SESSION),
            user_id: user_id.to_owned(),
            digest: secret.digest().as_str().to_owned(),
            method: new.method,
            address: new.address,
            user_agent: new.user_agent,
            created_at: now,
            last_used_at: minute(now),
        };
        let row = model.clone().into_active_model();
        sessions::Entity::insert(row)
            .exec_without_returning(transaction)
            .await?;
        Ok((model, secret))
    }

    /// Notes something about a person in each of its organisations; about nobody known, if the id is empty, in none.
    pub(crate) async fn note_for(
        &self,
        user_id: &str,
        action: &'static str,
        (target, detail): (&str, &str),
    ) -> Result<(), Error> {
        let noted = async {
            let transaction = self.write().await?;
            let orgs = organisations_of(&transaction, user_id).await?;
            let note = |org_id| Change {
                org_id,
                action,
                target,
                detail,
            };
            let changes: Vec<_> = orgs.iter().map(|org_id| note(org_id.as_str())).collect();
            self.commit_all(transaction, &changes, &[]).await
        };
        self.calls.run("note_for", noted).await
    }

    /// Commits a login or its end, noted in each organisation of the person.
    pub(super) async fn commit_for_person(
        &self,
        transaction: DatabaseTransaction,
        action: &'static str,
        session: &sessions::Model,
        revoked: &[Revocation],
    ) -> Result<(), Error> {
        let detail = format!("by {}", session.method);
        self.commit_about_person(transaction, (action, &detail), &session.user_id, revoked)
            .await
    }

    /// Commits what a person did, an action and its detail, noted in each of the person's organisations.
    pub(super) async fn commit_about_person(
        &self,
        transaction: DatabaseTransaction,
        (action, detail): (&'static str, &str),
        user_id: &str,
        revoked: &[Revocation],
    ) -> Result<(), Error> {
        let orgs = organisations_of(&transaction, user_id).await?;
        let note = |org_id| Change {
            org_id,
            action,
            target: user_id,
            detail,
        };
        let changes: Vec<_> = orgs.iter().map(|org_id| note(org_id.as_str())).collect();
        let by = self.by(user_id);
        by.commit_all(transaction, &changes, revoked).await
    }

    /// The session with this digest, if it has not ended, in this organisation; in the first by id of the person's if that
    /// is empty.
    pub(crate) async fn known_session(
        &self,
        digest: &Digested,
        org_id: &str,
        ages: Ages,
    ) -> Result<Option<KnownSession>, Error> {
        let found = async {
            let db = self.read()?;
            let session = sessions::Entity::find()
                .filter(sessions::Column::Digest.eq(digest.as_str()))
                .filter(ages.live(self.now()))
                .one(db);
            let Some(session) = session.await? else {
                return Ok(None);
            };
            let mut belongs = members::Entity::find()
                .find_also_related(organisations::Entity)
                .filter(members::Column::UserId.eq(&session.user_id))
                .filter(organisations::Column::DeletedAt.is_null())
                .order_by_asc(members::Column::OrgId);
            if !org_id.is_empty() {
                belongs = belongs.filter(members::Column::OrgId.eq(org_id));
            }
            let belongs = belongs.one(db).await?;
            let belongs = belongs.and_then(|(member, organisation)| Some((organisation?, member)));
            if belongs.is_none() && !org_id.is_empty() {
                return Err(Error::Denied(
                    "there is no such organisation, or you do not belong to it",
                ));
            }
            Ok(Some(KnownSession { session, belongs }))
        };
        self.calls.run("known_session", found).await
    }

    /// Remembers that a session was used now, exact to a minute.
    pub(crate) async fn session_used(&self, id: &str) -> Result<(), Error> {
        let used = async {
            let minute = minute(self.now());
            let column = sessions::Column::LastUsedAt;
            sessions::Entity::update_many()
                .col_expr(column, Expr::value(minute))
                .filter(sessions::Column::Id.eq(id))
                .filter(column.lt(minute))
                .exec(self.read()?)
                .await?;
            Ok(())
        };
        self.calls.run("session_used", used).await
    }

    /// A person's that have not ended, newest first.
    pub(crate) async fn sessions(
        &self,
        user_id: &str,
        ages: Ages,
    ) -> Result<Vec<sessions::Model>, Error> {
        let found = async {
            let found = sessions::Entity::find()
                .filter(sessions::Column::UserId.eq(user_id))
                .filter(ages.live(self.now()))
                .order_by_desc(sessions::Column::CreatedAt)
                .order_by_asc(sessions::Column::Id);
            Ok(found.all(self.read()?).await?)
        };
        self.calls.run("sessions", found).await
    }

    /// Ends one of a person's.
    pub(crate) async fn revoke_session(&self, user_id: &str, id: &str) -> Result<(), Error> {
        let one = sessions::Column::Id.eq(id);
        let over = Condition::all().add(sessions::Column::UserId.eq(user_id));
        match self.end_sessions(over.add(one)).await? {
            0 => Err(Error::NotFound("session")),
            _ => Ok(()),
        }
    }

    /// Ends all of a person's but the one with this id; how many that were.
    pub(crate) async fn revoke_sessions(&self, user_id: &str, keep: &str) -> Result<usize, Error> {
        let others = sessions::Column::Id.ne(keep);
        let over = Condition::all().add(sessions::Column::UserId.eq(user_id));
        self.end_sessions(over.add(others)).await
    }

    /// Ends the session with this digest, if there is one.
    pub(crate) async fn end_session(&self, digest: &Digested) -> Result<(), Error> {
        let over = Condition::all().add(sessions::Column::Digest.eq(digest.as_str()));
        self.end_sessions(over).await.map(drop)
    }

    /// Ends sessions of one person.
    async fn end_sessions(&self, which: Condition) -> Result<usize, Error> {
        let ended = async {
            let transaction = self.write().await?;
            let over = sessions::Entity::find().filter(which).all(&transaction);
            let over = over.await?;
            let Some(first) = over.first() else {
                return Ok(0);
            };
            let mut revoked = Vec::new();
            end(&transaction, &over, &mut revoked).await?;
            self.commit_for_person(transaction, "session.end", first, &revoked)
                .await?;
            Ok(over.len())
        };
        self.calls.run("end_sessions", ended).await
    }

    /// Ends sessions that are too old, so that what was opened in them ends too, and forgets links that have expired.
    pub(crate) async fn end_old_sessions(&self, ages: Ages) -> Result<usize, Error> {
        let ended = async {
            let now = self.now();
            login_links::Entity::delete_many()
                .filter(login_links::Column::ExpiresAt.lte(now))
                .exec(self.read()?)
                .await?;
            let old = sessions::Entity::find().filter(ages.over(now)).limit(PAGE);
            let old = old.all(self.read()?).await?;
            if old.is_empty() {
                return Ok(0);
            }
            let transaction = self.write().await?;
            let mut revoked = Vec::new();
            end(&transaction, &old, &mut revoked).await?;
            self.commit_all(transaction, &[], &revoked).await?;
            Ok(old.len())
        };
        self.calls.run("end_old_sessions", ended).await
    }
}

/// Where what a person does is noted: the organisations, or none if there are none.
async fn organisations_of(
    transaction: &DatabaseTransaction,
    user_id: &str,
) -> Result<Vec<String>, Error> {
    let orgs = members::Entity::find()
        .filter(members::Column::UserId.eq(user_id))
        .order_by_asc(members::Column::OrgId)
        .limit(NOTED);
    let orgs = orgs.all(transaction).await?.into_iter();
    let mut orgs: Vec<_> = orgs.map(|member| member.org_id).collect();
    if orgs.is_empty() {
        orgs.push(String::new());
    }
    Ok(orgs)
}

async fn end(
    transaction: &DatabaseTransaction,
    over: &[sessions::Model],
    revoked: &mut Vec<Revocation>,
) -> Result<(), Error> {
    if over.is_empty() {
        return Ok(());
    }
    let ids = over.iter().map(|session| &session.id);
    sessions::Entity::delete_many()
        .filter(sessions::Column::Id.is_in(ids))
        .exec(transaction)
        .await?;
    revoked.extend(over.iter().map(|session| Revocation::token(&session.id)));
    Ok(())
}
