//! The caller's passkeys.

use client::Caller;
use proto::users::v1 as pb;
use tonic::{Request, Response, Status};

use super::{Users, any_caller, person};
use crate::login::lifetime;
use crate::passkeys::{Binding, NOT_BEGUN, NOT_HERE};
use crate::store::{MOST_PASSKEYS, NewCeremony, NewPasskey, Purpose};
use crate::{Error, names};

pub(super) async fn list(
    users: &Users,
    request: Request<pb::ListPasskeysRequest>,
) -> Result<Response<pb::ListPasskeysResponse>, Status> {
    let user = person(&users.store, &any_caller(&request)?).await?;
    let found = users.store.passkeys(&user.id).await?.into_iter();
    Ok(Response::new(pb::ListPasskeysResponse {
        passkeys: found.map(Into::into).collect(),
        possible: users.passkeys.is_some(),
    }))
}

/// A caller in a session: no token may change how a person gets in.
fn in_session<T>(request: &Request<T>) -> Result<(Caller, String), Status> {
    let caller = any_caller(request)?;
    let session = caller.session().map(|session| session.id.clone());
    let session = session.ok_or(Error::Denied(
        "passkeys are changed by who is logged in, not by tokens",
    ))?;
    Ok((caller, session))
}

/// One that began lately.
fn in_recent_session<T>(request: &Request<T>) -> Result<(Caller, String), Status> {
    let (caller, session) = in_session(request)?;
    caller.require_recent_login()?;
    Ok((caller, session))
}

pub(super) async fn start(
    users: &Users,
    request: Request<pb::StartPasskeyRegistrationRequest>,
) -> Result<Response<pb::StartPasskeyRegistrationResponse>, Status> {
    let (caller, session) = in_recent_session(&request)?;
    let user = person(&users.store, &caller).await?;
    let passkeys = users.passkeys.as_ref().ok_or(NOT_HERE)?;
    let others = users.store.passkeys(&user.id).await?;
    if others.len() >= MOST_PASSKEYS {
        return Err(Error::Precondition("a person has at most 20 passkeys; remove one").into());
    }
    let begun = passkeys.start_registration(&user, &others)?;
    let ceremony = NewCeremony {
        purpose: Purpose::Register,
        digest: begun.binding.digest(),
        user_id: &user.id,
        session_id: &session,
        state: begun.state,
    };
    users.store.begin_ceremony(ceremony).await?;
    Ok(Response::new(pb::StartPasskeyRegistrationResponse {
        options_json: begun.options,
        binding: begun.binding.reveal().to_owned(),
        lifetime: lifetime(),
    }))
}

pub(super) async fn finish(
    users: &Users,
    request: Request<pb::FinishPasskeyRegistrationRequest>,
) -> Result<Response<pb::FinishPasskeyRegistrationResponse>, Status> {
    let (caller, session) = in_recent_session(&request)?;
    let user = person(&users.store, &caller).await?;
    let passkeys = users.passkeys.as_ref().ok_or(NOT_HERE)?;
    let message = request.into_inner();
    let name = names::name(&message.name)?;
    let binding = Binding::parse(&message.binding).ok_or(NOT_BEGUN)?;
    let store = users.store.of(&caller);
    let digest = binding.digest();
    let taken = store.take_ceremony(&digest, Purpose::Register).await?;
    let own =
        taken.filter(|ceremony| ceremony.user_id == user.id && ceremony.session_id == session);
    let ceremony = own.ok_or(NOT_BEGUN)?;
    let made = passkeys.finish_registration(&ceremony, &binding, &message.credential_json);
    let (credential_id, credential) = made?;
    let new = NewPasskey {
        user_id: user.id,
        name,
        credential_id,
        credential,
    };
    let added = store.add_passkey(new).await?;
    Ok(Response::new(pb::FinishPasskeyRegistrationResponse {
        passkey: Some(added.into()),
    }))
}

pub(super) async fn rename(
    users: &Users,
    request: Request<pb::RenamePasskeyRequest>,
) -> Result<Response<pb::RenamePasskeyResponse>, Status> {
    let (caller, _) = in_session(&request)?;
    let user = person(&users.store, &caller).await?;
    let message = request.into_inner();
    let name = names::name(&message.name)?;
    let store = users.store.of(&caller);
    let renamed = store
        .rename_passkey(&user.id, &message.passkey_id, &name)
        .await?;
    Ok(Response::new(pb::RenamePasskeyResponse {
        passkey: Some(renamed.into()),
    }))
}

pub(super) async fn remove(
    users: &Users,
    request: Request<pb::RemovePasskeyRequest>,
) -> Result<Response<pb::RemovePasskeyResponse>, Status> {
    let (caller, _) = in_recent_session(&request)?;
    let user = person(&users.store, &caller).await?;
    let id = request.into_inner().passkey_id;
    let store = users.store.of(&caller);
    store.remove_passkey(&user.id, &id, &users.ways).await?;
    Ok(Response::new(pb::RemovePasskeyResponse {}))
}
