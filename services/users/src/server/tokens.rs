//! Tokens of organisations, and personal ones.

use std::time::{Duration, SystemTime};

use client::Caller;
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use tonic::{Request, Response, Status};

use super::{any_caller, permissions, person};
use crate::permissions::Permissions;
use crate::store::entity::tokens;
use crate::store::{NewToken, Store, millis};
use crate::{Error, names};

/// How long a token goes on working after it was rotated, unless said otherwise.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);
const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) async fn create(
    store: &Store,
    request: Request<pb::CreateTokenRequest>,
) -> Result<Response<pb::CreateTokenResponse>, Status> {
    let caller = any_caller(&request)?;
    caller.require_recent_login()?;
    let message = request.into_inner();
    let user_id = owner(store, &caller, &message).await?;
    let wanted = Permissions::parse(&message.permissions)?;
    if wanted.is_empty() {
        return Err(Error::Invalid("a token needs permissions").into());
    }
    if !wanted.is_within(permissions(&caller)) {
        return Err(Error::Denied("nobody gives what they do not have").into());
    }
    let new = NewToken {
        name: names::name(&message.name)?,
        expires_at: expiry(message.expires_at, store.now())?,
        permissions: wanted,
        user_id,
        created_by: caller.subject.clone(),
        org_id: caller.org_id.clone(),
    };
    let (token, secret) = store.of(&caller).add_token(new).await?;
    Ok(Response::new(pb::CreateTokenResponse {
        token: Some(token.into()),
        secret: secret.reveal().to_owned(),
    }))
}

/// Whose token it shall be; none if it is the organisation's.
async fn owner(
    store: &Store,
    caller: &Caller,
    message: &pb::CreateTokenRequest,
) -> Result<Option<String>, Status> {
    if !message.for_email.is_empty() {
        caller.require(Permission::Operate)?;
        let user = store
            .user_by_email(&names::email(&message.for_email)?)
            .await?;
        let user = user.ok_or(Error::NotFound("member"))?;
        let member = store.member(&caller.org_id, &user.id).await?;
        member.ok_or(Error::NotFound("member"))?;
        return Ok(Some(user.id));
    }
    if message.personal {
        return Ok(Some(person(store, caller).await?.id));
    }
    caller.require(Permission::Admin)?;
    Ok(None)
}

fn expiry(at: Option<prost_types::Timestamp>, now: i64) -> Result<Option<i64>, Error> {
    const BAD: Error = Error::Invalid("a token must expire in the future");
    let Some(at) = at else { return Ok(None) };
    let at = SystemTime::try_from(at).map_err(|_| BAD)?;
    let at = millis(at);
    if at <= now { Err(BAD) } else { Ok(Some(at)) }
}

pub(super) async fn list(
    store: &Store,
    request: Request<pb::ListTokensRequest>,
) -> Result<Response<pb::ListTokensResponse>, Status> {
    let caller = any_caller(&request)?;
    let own = (!caller.may(Permission::Admin)).then_some(caller.subject.as_str());
    let found = store.tokens(&caller.org_id, own).await?;
    Ok(Response::new(pb::ListTokensResponse {
        tokens: found.into_iter().map(Into::into).collect(),
    }))
}

/// A token that the caller may change: its own personal one, or any of the organisation with PERMISSION_ADMIN.
async fn changeable(store: &Store, caller: &Caller, id: &str) -> Result<tokens::Model, Status> {
    let found = store.token(&caller.org_id, id).await;
    let own = |token: &tokens::Model| token.user_id.as_ref() == Some(&caller.subject);
    if !caller.may(Permission::Admin) && !found.as_ref().is_ok_and(own) {
        // The same whether it exists or not.
        caller.require(Permission::Admin)?;
    }
    Ok(found?)
}

pub(super) async fn rotate(
    store: &Store,
    request: Request<pb::RotateTokenRequest>,
) -> Result<Response<pb::RotateTokenResponse>, Status> {
    let caller = any_caller(&request)?;
    caller.require_recent_login()?;
    let message = request.into_inner();
    let overlap = match message.overlap {
        None => OVERLAP,
        Some(overlap) => Duration::try_from(overlap)
            .ok()
            .filter(|overlap| *overlap <= LONGEST_OVERLAP)
            .ok_or(Error::Invalid("the overlap is between 0 and 30 days"))?,
    };
    let old = changeable(store, &caller, &message.token_id).await?;
    // The secret goes to the caller: it must neither speak for somebody else nor do more than the caller.
    let own = old.user_id.is_none() || old.user_id.as_ref() == Some(&caller.subject);
    let within = Permissions::from_column(old.permissions).is_within(permissions(&caller));
    let allowed = caller.may(Permission::Operate) || (own && within);
    if !allowed {
        return Err(Error::Denied("nobody gets what they do not have; revoke it instead").into());
    }
    let overlap = i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX);
    let (token, secret) = store
        .of(&caller)
        .rotate_token(&old, overlap, &caller.subject)
        .await?;
    Ok(Response::new(pb::RotateTokenResponse {
        token: Some(token.into()),
        secret: secret.reveal().to_owned(),
    }))
}

pub(super) async fn revoke(
    store: &Store,
    request: Request<pb::RevokeTokenRequest>,
) -> Result<Response<pb::RevokeTokenResponse>, Status> {
    let caller = any_caller(&request)?;
    let token = changeable(store, &caller, &request.into_inner().token_id).await?;
    if token.user_id.as_ref() != Some(&caller.subject) {
        caller.require_recent_login()?;
    }
    store
        .of(&caller)
        .revoke_token(&token.org_id, &token.id)
        .await?;
    Ok(Response::new(pb::RevokeTokenResponse {}))
}
