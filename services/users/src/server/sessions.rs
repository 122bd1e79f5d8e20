//! The browsers in which the caller is logged in.

use proto::users::v1 as pb;
use tonic::{Request, Response, Status};

use super::{any_caller, person};
use crate::convert;
use crate::store::{Ages, Store};

pub(super) async fn list(
    store: &Store,
    ages: Ages,
    request: Request<pb::ListSessionsRequest>,
) -> Result<Response<pb::ListSessionsResponse>, Status> {
    let caller = any_caller(&request)?;
    let user = person(store, &caller).await?;
    let current = caller.session().map_or("", |session| session.id.as_str());
    let found = store.sessions(&user.id, ages).await?.into_iter();
    Ok(Response::new(pb::ListSessionsResponse {
        sessions: found
            .map(|session| convert::session(session, ages, current))
            .collect(),
    }))
}

pub(super) async fn revoke(
    store: &Store,
    request: Request<pb::RevokeSessionRequest>,
) -> Result<Response<pb::RevokeSessionResponse>, Status> {
    let caller = any_caller(&request)?;
    let user = person(store, &caller).await?;
    store
        .of(&caller)
        .revoke_session(&user.id, &request.into_inner().session_id)
        .await?;
    Ok(Response::new(pb::RevokeSessionResponse {}))
}

pub(super) async fn revoke_all(
    store: &Store,
    request: Request<pb::RevokeAllSessionsRequest>,
) -> Result<Response<pb::RevokeAllSessionsResponse>, Status> {
    let caller = any_caller(&request)?;
    let user = person(store, &caller).await?;
    let keep = request.into_inner().keep_current;
    let current = caller.session().filter(|_| keep);
    let current = current.map_or("", |session| session.id.as_str());
    let revoked = store.of(&caller).revoke_sessions(&user.id, current).await?;
    Ok(Response::new(pb::RevokeAllSessionsResponse {
        revoked: u32::try_from(revoked).unwrap_or(u32::MAX),
    }))
}
