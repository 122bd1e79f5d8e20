//! Programs that ask the caller for a token.

use std::time::Duration;

use client::Caller;
use proto::users::v1 as pb;
use tonic::{Request, Response, Status};

use super::{Users, any_caller, permissions, person};
use crate::Error;
use crate::convert::timestamp;
use crate::login::code_digest;
use crate::permissions::Permissions;
use crate::secret::Digested;
use crate::store::entity::device_logins;

/// A person in a session, and the code that was typed, which counts.
async fn asked<T>(
    users: &Users,
    request: &Request<T>,
    code: &str,
) -> Result<(Caller, Digested), Status> {
    let caller = any_caller(request)?;
    let user = person(&users.store, &caller).await?;
    if caller.session().is_none() {
        let refused = "programs are approved by who is logged in, not by tokens";
        return Err(Error::Denied(refused).into());
    }
    if !users.codes.allows(&user.id) {
        let refused = "too many codes were tried; wait a minute, and try again";
        return Err(Error::Exhausted(refused).into());
    }
    Ok((caller, code_digest(code)))
}

pub(super) async fn get(
    users: &Users,
    request: Request<pb::GetDeviceLoginRequest>,
) -> Result<Response<pb::GetDeviceLoginResponse>, Status> {
    let (_, code) = asked(users, &request, &request.get_ref().user_code).await?;
    let login = users.store.device_login(&code).await?;
    Ok(Response::new(pb::GetDeviceLoginResponse {
        login: Some(shown(login)),
    }))
}

pub(super) async fn answer(
    users: &Users,
    request: Request<pb::AnswerDeviceLoginRequest>,
) -> Result<Response<pb::AnswerDeviceLoginResponse>, Status> {
    let (caller, code) = asked(users, &request, &request.get_ref().user_code).await?;
    let approve = request.get_ref().approve;
    if approve {
        caller.require_recent_login()?;
        let login = users.store.device_login(&code).await?;
        let wanted = Permissions::from_column(login.permissions);
        if !wanted.is_within(permissions(&caller)) {
            return Err(Error::Denied("nobody gives what they do not have").into());
        }
    }
    let by = (caller.subject.as_str(), caller.org_id.as_str());
    let store = users.store.of(&caller);
    store.answer_device_login(&code, by, approve).await?;
    Ok(Response::new(pb::AnswerDeviceLoginResponse {}))
}

fn shown(login: device_logins::Model) -> pb::DeviceLogin {
    let lifetime = Duration::from_millis(login.lifetime.unsigned_abs());
    pb::DeviceLogin {
        client: login.client,
        address: login.address,
        permissions: Permissions::from_column(login.permissions).to_wire(),
        token_lifetime: prost_types::Duration::try_from(lifetime).ok(),
        created_at: Some(timestamp(login.created_at)),
        expires_at: Some(timestamp(login.expires_at)),
    }
}
