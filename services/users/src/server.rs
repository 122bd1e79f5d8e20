use client::Caller;
use proto::tenant::v1::{Assertion, Permission};
use proto::users::v1 as pb;
use proto::users::v1::authenticate_request::Credential;
use proto::users::v1::users_service_server::UsersService;
use runtime::Clock;
use tonic::{Request, Response, Status};

use crate::{Config, LOCAL};

/// A caller on this machine may do everything.
const ALL: [Permission; 7] = [
    Permission::View,
    Permission::ViewSecrets,
    Permission::Report,
    Permission::Control,
    Permission::Exec,
    Permission::Logs,
    Permission::Admin,
];

/// The service.
#[derive(Debug)]
pub struct Users {
    config: Config,
    clock: Clock,
}

impl Users {
    pub(crate) fn new(config: Config, clock: Clock) -> Self {
        Users { config, clock }
    }

    fn local_organisation(&self) -> pb::Organisation {
        pb::Organisation {
            id: LOCAL.to_owned(),
            name: "This machine".to_owned(),
            created_at: Some((self.clock.now() - self.clock.uptime()).into()),
        }
    }
}

fn later(what: &str) -> Status {
    Status::unimplemented(format!(
        "{what} needs accounts, which this version does not have: it serves one organisation on loopback"
    ))
}

#[tonic::async_trait]
impl UsersService for Users {
    async fn authenticate(
        &self,
        request: Request<pb::AuthenticateRequest>,
    ) -> Result<Response<pb::AuthenticateResponse>, Status> {
        let request = request.into_inner();
        if !request.org_id.is_empty() && request.org_id != LOCAL {
            return Err(Status::unauthenticated(
                "there is no such organisation, or it is not yours",
            ));
        }
        match request.credential {
            Some(Credential::Loopback(_)) if self.config.trust_loopback => {}
            Some(Credential::Loopback(_)) | None => {
                return Err(Status::unauthenticated("a credential is needed"));
            }
            Some(Credential::Token(_) | Credential::Session(_)) => {
                return Err(Status::unauthenticated(
                    "the credential is unknown, revoked or expired",
                ));
            }
        }
        Ok(Response::new(pb::AuthenticateResponse {
            assertion: Some(Assertion {
                org_id: LOCAL.to_owned(),
                subject: LOCAL.to_owned(),
                permissions: ALL.map(i32::from).to_vec(),
                expires_at: None,
            }),
        }))
    }

    async fn list_organisations(
        &self,
        request: Request<pb::ListOrganisationsRequest>,
    ) -> Result<Response<pb::ListOrganisationsResponse>, Status> {
        Caller::of(&request, Permission::View)?;
        Ok(Response::new(pb::ListOrganisationsResponse {
            organisations: vec![self.local_organisation()],
        }))
    }

    async fn get_current_user(
        &self,
        request: Request<pb::GetCurrentUserRequest>,
    ) -> Result<Response<pb::GetCurrentUserResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let permissions = ALL.into_iter().filter(|&p| caller.may(p));
        Ok(Response::new(pb::GetCurrentUserResponse {
            user: Some(pb::User {
                id: caller.subject.clone(),
                email: String::new(),
                name: caller.subject.clone(),
            }),
            organisation: Some(self.local_organisation()),
            permissions: permissions.map(i32::from).collect(),
        }))
    }

    async fn create_organisation(
        &self,
        _: Request<pb::CreateOrganisationRequest>,
    ) -> Result<Response<pb::CreateOrganisationResponse>, Status> {
        Err(later("making organisations"))
    }

    async fn delete_organisation(
        &self,
        _: Request<pb::DeleteOrganisationRequest>,
    ) -> Result<Response<pb::DeleteOrganisationResponse>, Status> {
        Err(later("deleting organisations"))
    }

    async fn list_members(
        &self,
        _: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        Err(later("membership"))
    }

    async fn set_member(
        &self,
        _: Request<pb::SetMemberRequest>,
    ) -> Result<Response<pb::SetMemberResponse>, Status> {
        Err(later("membership"))
    }

    async fn remove_member(
        &self,
        _: Request<pb::RemoveMemberRequest>,
    ) -> Result<Response<pb::RemoveMemberResponse>, Status> {
        Err(later("membership"))
    }

    async fn create_token(
        &self,
        _: Request<pb::CreateTokenRequest>,
    ) -> Result<Response<pb::CreateTokenResponse>, Status> {
        Err(later("tokens"))
    }

    async fn list_tokens(
        &self,
        _: Request<pb::ListTokensRequest>,
    ) -> Result<Response<pb::ListTokensResponse>, Status> {
        Err(later("tokens"))
    }

    async fn revoke_token(
        &self,
        _: Request<pb::RevokeTokenRequest>,
    ) -> Result<Response<pb::RevokeTokenResponse>, Status> {
        Err(later("tokens"))
    }
}
