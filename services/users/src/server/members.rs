//! Members and invitations.

use client::Caller;
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use tonic::{Request, Response, Status};

use super::{admin, any_caller, decides, permissions, person};
use crate::login::{Invitation, Outbox, Wanted};
use crate::permissions::Role;
use crate::store::entity::invitations;
use crate::store::{Membership, Store};
use crate::{Error, convert, names};

pub(super) async fn list(
    store: &Store,
    request: Request<pb::ListMembersRequest>,
) -> Result<Response<pb::ListMembersResponse>, Status> {
    let caller = Caller::of(&request, Permission::View)
        .or_else(|_| Caller::of(&request, Permission::Admin))?;
    let members = store.members(&caller.org_id).await?.into_iter();
    Ok(Response::new(pb::ListMembersResponse {
        members: members
            .map(|(member, user)| convert::member(member, user))
            .collect(),
    }))
}

pub(super) async fn set(
    store: &Store,
    outbox: Option<&Outbox>,
    request: Request<pb::SetMemberRequest>,
) -> Result<Response<pb::SetMemberResponse>, Status> {
    let caller = admin(&request)?;
    let message = request.into_inner();
    let role = Role::parse(message.role(), &message.permissions)?;
    if !role.permissions().is_within(permissions(&caller)) {
        return Err(Error::Denied("nobody gives what they do not have").into());
    }
    let email = names::email(&message.email)?;
    // An operator vouches for the address; others' word is not enough to make somebody a member.
    let invite = (!caller.may(Permission::Operate)).then_some(caller.subject.as_str());
    let set = store
        .of(&caller)
        .set_member(&caller.org_id, &email, role, invite)
        .await?;
    Ok(Response::new(match set {
        Membership::Member(member, user) => pb::SetMemberResponse {
            member: Some(convert::member(member, user)),
            invitation: None,
        },
        Membership::Invited(invitation) => {
            if let Some(outbox) = outbox {
                tell(store, outbox, &caller, &invitation).await?;
            }
            pb::SetMemberResponse {
                member: None,
                invitation: Some(invitation.into()),
            }
        }
    }))
}

/// Has whoever was invited told by mail. The invitation stands without it, and is seen by who logs in.
async fn tell(
    store: &Store,
    outbox: &Outbox,
    caller: &Caller,
    invitation: &invitations::Model,
) -> Result<(), Status> {
    let by = match names::is_user(&caller.subject) {
        true => store.user(&caller.subject).await?.email,
        false => "An admin".to_owned(),
    };
    let mail = Invitation {
        email: invitation.email.clone(),
        organisation: store.organisation(&invitation.org_id).await?.name,
        by,
        role: invitation.role().to_string(),
    };
    if !outbox.put(Wanted::Invitation(mail)) {
        tracing::warn!("somebody who was invited is not told by mail: too much waits");
    }
    Ok(())
}

pub(super) async fn remove(
    store: &Store,
    request: Request<pb::RemoveMemberRequest>,
) -> Result<Response<pb::RemoveMemberResponse>, Status> {
    let caller = any_caller(&request)?;
    let user_id = request.into_inner().user_id;
    if caller.subject != user_id {
        caller.require(Permission::Admin)?;
        caller.require_recent_login()?;
    }
    store
        .of(&caller)
        .remove_member(&caller.org_id, &user_id)
        .await?;
    Ok(Response::new(pb::RemoveMemberResponse {}))
}

pub(super) async fn invitations(
    store: &Store,
    request: Request<pb::ListInvitationsRequest>,
) -> Result<Response<pb::ListInvitationsResponse>, Status> {
    let caller = Caller::of(&request, Permission::Admin)?;
    let found = store.invitations(&caller.org_id).await?;
    Ok(Response::new(pb::ListInvitationsResponse {
        invitations: found.into_iter().map(Into::into).collect(),
    }))
}

pub(super) async fn revoke_invitation(
    store: &Store,
    request: Request<pb::RevokeInvitationRequest>,
) -> Result<Response<pb::RevokeInvitationResponse>, Status> {
    let caller = admin(&request)?;
    let id = request.into_inner().invitation_id;
    store
        .of(&caller)
        .revoke_invitation(&caller.org_id, &id)
        .await?;
    Ok(Response::new(pb::RevokeInvitationResponse {}))
}

pub(super) async fn received(
    store: &Store,
    request: Request<pb::ListReceivedInvitationsRequest>,
) -> Result<Response<pb::ListReceivedInvitationsResponse>, Status> {
    let user = person(store, &any_caller(&request)?).await?;
    let found = store.received(&user.email).await?;
    Ok(Response::new(pb::ListReceivedInvitationsResponse {
        invitations: found.into_iter().map(Into::into).collect(),
    }))
}

pub(super) async fn answer(
    store: &Store,
    request: Request<pb::AnswerInvitationRequest>,
) -> Result<Response<pb::AnswerInvitationResponse>, Status> {
    // Joining is a decision about the account, which a token that may only look must not take.
    let caller = decides(&request)?;
    let user = person(store, &caller).await?;
    let pb::AnswerInvitationRequest {
        invitation_id,
        accept,
    } = request.into_inner();
    let member = store
        .of(&caller)
        .answer_invitation(&user, &invitation_id, accept)
        .await?;
    Ok(Response::new(pb::AnswerInvitationResponse {
        member: member.map(|member| convert::member(member, user)),
    }))
}
