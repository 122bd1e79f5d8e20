mod devices;
mod members;
mod passkeys;
mod sessions;
mod tokens;

use std::time::Duration;

use client::Caller;
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use proto::users::v1::users_service_server::UsersService;
use runtime::{Clock, Runtime};
use tonic::{Request, Response, Status};

use crate::authenticate::{Authenticator, ensure_local};
use crate::login::Outbox;
use crate::passkeys::Passkeys;
use crate::permissions::Permissions;
use crate::revocations::{self, Watch};
use crate::store::entity::users;
use crate::store::{Ages, NewOrganisation, OtherWays, Store};
use crate::throttle::Throttle;
use crate::{Config, LOCAL, names};

/// How often a person may try codes of programs: 10 at once, and one more every 10 s.
const CODES: (u32, Duration) = (10, Duration::from_secs(10));

/// The service.
#[derive(Debug)]
pub struct Users {
    authenticator: Authenticator,
    store: Store,
    /// None where no mail is sent.
    outbox: Option<Outbox>,
    ages: Ages,
    clock: Clock,
    passkeys: Option<Passkeys>,
    ways: OtherWays,
    codes: Throttle,
}

impl Users {
    pub(crate) fn new(config: Config, store: Store, outbox: Option<Outbox>, rt: &Runtime) -> Self {
        if config.trust_loopback || config.probe_token.is_some() {
            rt.spawn("organisation of this machine", ensure_local(store.clone()));
        }
        Users {
            outbox,
            ages: config.login.ages(),
            passkeys: Passkeys::new(config.login.public_url.as_ref()),
            ways: config.login.other_ways(),
            codes: Throttle::new(CODES.0, CODES.1),
            authenticator: Authenticator::new(config, store.clone(), rt),
            store,
            clock: rt.clock,
        }
    }

    /// Known without the store, so that one machine can be looked at whatever happens to it.
    fn local_organisation(&self) -> pb::Organisation {
        pb::Organisation {
            id: LOCAL.to_owned(),
            name: "This machine".to_owned(),
            created_at: Some((self.clock.now() - self.clock.uptime()).into()),
            ..pb::Organisation::default()
        }
    }

    async fn organisation_of(&self, caller: &Caller) -> Result<pb::Organisation, Status> {
        if caller.subject == LOCAL && caller.org_id == LOCAL {
            return Ok(self.local_organisation());
        }
        Ok(self.store.organisation(&caller.org_id).await?.into())
    }
}

/// The caller, whatever it may do.
fn any_caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let caller = request.extensions().get::<Caller>();
    caller
        .cloned()
        .ok_or_else(|| Status::unauthenticated("the call carries no valid assertion"))
}

/// What a caller may hand on.
fn permissions(caller: &Caller) -> Permissions {
    let all = Permissions::ALL.to_wire().into_iter();
    let held: Vec<i32> = all
        .filter(|&number| Permission::try_from(number).is_ok_and(|p| caller.may(p)))
        .collect();
    Permissions::parse(&held).unwrap_or(Permissions::NONE)
}

/// A caller who may decide about its account: a person who is logged in, or a token that may do everything.
fn decides<T>(request: &Request<T>) -> Result<Caller, Status> {
    let caller = any_caller(request)?;
    if caller.session().is_none() {
        caller.require(Permission::Admin)?;
    }
    Ok(caller)
}

/// An admin, who logged in lately if that was with a session.
fn admin<T>(request: &Request<T>) -> Result<Caller, Status> {
    let caller = Caller::of(request, Permission::Admin)?;
    caller.require_recent_login()?;
    Ok(caller)
}

/// The account of the caller, who must be a person.
async fn person(store: &Store, caller: &Caller) -> Result<users::Model, Status> {
    if !names::is_user(&caller.subject) {
        return Err(Status::permission_denied(
            "this is for people with an account, not for tokens of organisations",
        ));
    }
    Ok(store.user(&caller.subject).await?)
}

#[tonic::async_trait]
impl UsersService for Users {
    async fn authenticate(
        &self,
        request: Request<pb::AuthenticateRequest>,
    ) -> Result<Response<pb::AuthenticateResponse>, Status> {
        let answer = self
            .authenticator
            .authenticate(request.into_inner())
            .await?;
        Ok(Response::new(answer))
    }

    type WatchRevocationsStream = Watch;

    async fn watch_revocations(
        &self,
        request: Request<pb::WatchRevocationsRequest>,
    ) -> Result<Response<Watch>, Status> {
        let after = request.into_inner().after;
        Ok(Response::new(revocations::watch(self.store.clone(), after)))
    }

    async fn list_organisations(
        &self,
        request: Request<pb::ListOrganisationsRequest>,
    ) -> Result<Response<pb::ListOrganisationsResponse>, Status> {
        let caller = any_caller(&request)?;
        let organisations = if names::is_user(&caller.subject) {
            let found = self.store.organisations_of(&caller.subject).await?;
            found.into_iter().map(Into::into).collect()
        } else {
            vec![self.organisation_of(&caller).await?]
        };
        Ok(Response::new(pb::ListOrganisationsResponse {
            organisations,
        }))
    }

    async fn get_current_user(
        &self,
        request: Request<pb::GetCurrentUserRequest>,
    ) -> Result<Response<pb::GetCurrentUserResponse>, Status> {
        let caller = any_caller(&request)?;
        let organisation = match caller.org_id.as_str() {
            "" => None,
            _ => Some(self.organisation_of(&caller).await?),
        };
        let authenticated_at = caller.session().map(|session| session.since.into());
        let permissions = permissions(&caller).to_wire();
        let user = if names::is_user(&caller.subject) {
            self.store.user(&caller.subject).await?.into()
        } else {
            pb::User {
                id: caller.subject.clone(),
                email: String::new(),
                name: self.name_of(&caller).await?,
            }
        };
        Ok(Response::new(pb::GetCurrentUserResponse {
            user: Some(user),
            organisation,
            permissions,
            authenticated_at,
        }))
    }

    async fn create_organisation(
        &self,
        request: Request<pb::CreateOrganisationRequest>,
    ) -> Result<Response<pb::CreateOrganisationResponse>, Status> {
        // A token that may not manage one organisation must not make another either.
        let caller = decides(&request)?;
        let user = person(&self.store, &caller).await?;
        let new = NewOrganisation {
            id: None,
            name: Some(names::name(&request.into_inner().name)?),
            created_by: user.id.clone(),
            admin: Some(user.id),
        };
        let added = self.store.of(&caller).add_organisation(&new).await?;
        Ok(Response::new(pb::CreateOrganisationResponse {
            organisation: Some(added.into()),
        }))
    }

    async fn delete_organisation(
        &self,
        request: Request<pb::DeleteOrganisationRequest>,
    ) -> Result<Response<pb::DeleteOrganisationResponse>, Status> {
        let caller = admin(&request)?;
        if request.into_inner().org_id != caller.org_id {
            return Err(Status::invalid_argument(
                "org_id is not the caller's organisation",
            ));
        }
        if caller.org_id == LOCAL {
            return Err(Status::failed_precondition(
                "this machine's organisation stays",
            ));
        }
        self.store
            .of(&caller)
            .remove_organisation(&caller.org_id)
            .await?;
        Ok(Response::new(pb::DeleteOrganisationResponse {}))
    }

    async fn list_audit_events(
        &self,
        request: Request<pb::ListAuditEventsRequest>,
    ) -> Result<Response<pb::ListAuditEventsResponse>, Status> {
        let caller = Caller::of(&request, Permission::Admin)?;
        let pb::ListAuditEventsRequest { before, page_size } = request.into_inner();
        let most = match page_size {
            0 => 100,
            size if size <= 1000 => size,
            _ => return Err(Status::invalid_argument("a page has at most 1,000 events")),
        };
        let before = before.map(|before| i64::try_from(before).unwrap_or(i64::MAX));
        let found = self
            .store
            .audit(&caller.org_id, before, most.into())
            .await?;
        Ok(Response::new(pb::ListAuditEventsResponse {
            events: found.into_iter().map(Into::into).collect(),
        }))
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        members::list(&self.store, request).await
    }

    async fn set_member(
        &self,
        request: Request<pb::SetMemberRequest>,
    ) -> Result<Response<pb::SetMemberResponse>, Status> {
        members::set(&self.store, self.outbox.as_ref(), request).await
    }

    async fn remove_member(
        &self,
        request: Request<pb::RemoveMemberRequest>,
    ) -> Result<Response<pb::RemoveMemberResponse>, Status> {
        members::remove(&self.store, request).await
    }

    async fn list_invitations(
        &self,
        request: Request<pb::ListInvitationsRequest>,
    ) -> Result<Response<pb::ListInvitationsResponse>, Status> {
        members::invitations(&self.store, request).await
    }

    async fn revoke_invitation(
        &self,
        request: Request<pb::RevokeInvitationRequest>,
    ) -> Result<Response<pb::RevokeInvitationResponse>, Status> {
        members::revoke_invitation(&self.store, request).await
    }

    async fn list_received_invitations(
        &self,
        request: Request<pb::ListReceivedInvitationsRequest>,
    ) -> Result<Response<pb::ListReceivedInvitationsResponse>, Status> {
        members::received(&self.store, request).await
    }

    async fn answer_invitation(
        &self,
        request: Request<pb::AnswerInvitationRequest>,
    ) -> Result<Response<pb::AnswerInvitationResponse>, Status> {
        members::answer(&self.store, request).await
    }

    async fn create_token(
        &self,
        request: Request<pb::CreateTokenRequest>,
    ) -> Result<Response<pb::CreateTokenResponse>, Status> {
        tokens::create(&self.store, request).await
    }

    async fn list_tokens(
        &self,
        request: Request<pb::ListTokensRequest>,
    ) -> Result<Response<pb::ListTokensResponse>, Status> {
        tokens::list(&self.store, request).await
    }

    async fn rotate_token(
        &self,
        request: Request<pb::RotateTokenRequest>,
    ) -> Result<Response<pb::RotateTokenResponse>, Status> {
        tokens::rotate(&self.store, request).await
    }

    async fn revoke_token(
        &self,
        request: Request<pb::RevokeTokenRequest>,
    ) -> Result<Response<pb::RevokeTokenResponse>, Status> {
        tokens::revoke(&self.store, request).await
    }

    async fn list_sessions(
        &self,
        request: Request<pb::ListSessionsRequest>,
    ) -> Result<Response<pb::ListSessionsResponse>, Status> {
        sessions::list(&self.store, self.ages, request).await
    }

    async fn revoke_session(
        &self,
        request: Request<pb::RevokeSessionRequest>,
    ) -> Result<Response<pb::RevokeSessionResponse>, Status> {
        sessions::revoke(&self.store, request).await
    }

    async fn revoke_all_sessions(
        &self,
        request: Request<pb::RevokeAllSessionsRequest>,
    ) -> Result<Response<pb::RevokeAllSessionsResponse>, Status> {
        sessions::revoke_all(&self.store, request).await
    }

    async fn list_passkeys(
        &self,
        request: Request<pb::ListPasskeysRequest>,
    ) -> Result<Response<pb::ListPasskeysResponse>, Status> {
        passkeys::list(self, request).await
    }

    async fn start_passkey_registration(
        &self,
        request: Request<pb::StartPasskeyRegistrationRequest>,
    ) -> Result<Response<pb::StartPasskeyRegistrationResponse>, Status> {
        passkeys::start(self, request).await
    }

    async fn finish_passkey_registration(
        &self,
        request: Request<pb::FinishPasskeyRegistrationRequest>,
    ) -> Result<Response<pb::FinishPasskeyRegistrationResponse>, Status> {
        passkeys::finish(self, request).await
    }

    async fn rename_passkey(
        &self,
        request: Request<pb::RenamePasskeyRequest>,
    ) -> Result<Response<pb::RenamePasskeyResponse>, Status> {
        passkeys::rename(self, request).await
    }

    async fn remove_passkey(
        &self,
        request: Request<pb::RemovePasskeyRequest>,
    ) -> Result<Response<pb::RemovePasskeyResponse>, Status> {
        passkeys::remove(self, request).await
    }

    async fn get_device_login(
        &self,
        request: Request<pb::GetDeviceLoginRequest>,
    ) -> Result<Response<pb::GetDeviceLoginResponse>, Status> {
        devices::get(self, request).await
    }

    async fn answer_device_login(
        &self,
        request: Request<pb::AnswerDeviceLoginRequest>,
    ) -> Result<Response<pb::AnswerDeviceLoginResponse>, Status> {
        devices::answer(self, request).await
    }
}

impl Users {
    /// What a caller that is no person is called.
    async fn name_of(&self, caller: &Caller) -> Result<String, Status> {
        if !caller.subject.starts_with(names::TOKEN) {
            return Ok(caller.subject.clone());
        }
        Ok(self
            .store
            .token(&caller.org_id, &caller.subject)
            .await?
            .name)
    }
}
