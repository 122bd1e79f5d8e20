//! What operators do.

use std::pin::Pin;

use client::Caller;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use proto::tenant::v1::Permission;
use proto::users::v1 as pb;
use proto::users::v1::export_user_response::Part;
use proto::users::v1::operator_service_server::OperatorService;
use tonic::{Request, Response, Status};

use crate::login::LoginConfig;
use crate::store::{NewLink, NewOrganisation, Store};
use crate::{LOCAL, convert, names};

/// How long a bootstrap link works, in milliseconds: 24 hours.
const BOOTSTRAP: i64 = 24 * 3600 * 1000;
const PAGE: u64 = 100;
const MOST: u64 = 1000;

/// The service.
#[derive(Debug)]
pub struct Operator {
    store: Store,
    login: LoginConfig,
}

impl Operator {
    pub(crate) fn new(store: Store, login: LoginConfig) -> Self {
        Operator { store, login }
    }
}

#[tonic::async_trait]
impl OperatorService for Operator {
    async fn add_organisation(
        &self,
        request: Request<pb::AddOrganisationRequest>,
    ) -> Result<Response<pb::AddOrganisationResponse>, Status> {
        let caller = Caller::of(&request, Permission::Operate)?;
        let pb::AddOrganisationRequest { org_id, name } = request.into_inner();
        let given = |text: &String| !text.is_empty();
        let new = NewOrganisation {
            id: Some(org_id)
                .filter(given)
                .map(|id| names::org_id(&id))
                .transpose()?,
            name: Some(name)
                .filter(given)
                .map(|name| names::name(&name))
                .transpose()?,
            created_by: caller.subject.clone(),
            admin: None,
        };
        let added = self.store.of(&caller).add_organisation(&new).await?;
        Ok(Response::new(pb::AddOrganisationResponse {
            organisation: Some(added.into()),
        }))
    }

    async fn find_organisations(
        &self,
        request: Request<pb::FindOrganisationsRequest>,
    ) -> Result<Response<pb::FindOrganisationsResponse>, Status> {
        Caller::of(&request, Permission::Operate)?;
        let request = request.into_inner();
        let size = match u64::from(request.page_size) {
            0 => PAGE,
            size if size <= MOST => size,
            _ => {
                return Err(Status::invalid_argument(
                    "a page has at most 1,000 organisations",
                ));
            }
        };
        let found = self
            .store
            .find_organisations(&request.after, size, request.deleted)
            .await?;
        Ok(Response::new(pb::FindOrganisationsResponse {
            organisations: found.into_iter().map(Into::into).collect(),
        }))
    }

    async fn refuse_organisation(
        &self,
        request: Request<pb::RefuseOrganisationRequest>,
    ) -> Result<Response<pb::RefuseOrganisationResponse>, Status> {
        let caller = Caller::of(&request, Permission::Operate)?;
        let request = request.into_inner();
        let pb::Refusal {
            access,
            upload,
            reason,
        } = request.refusal.unwrap_or_default();
        let (id, reason) = (names::org_id(&request.org_id)?, names::reason(&reason)?);
        let changed = self
            .store
            .of(&caller)
            .refuse_organisation(&id, access, upload, &reason)
            .await?;
        Ok(Response::new(pb::RefuseOrganisationResponse {
            organisation: Some(changed.into()),
        }))
    }

    async fn remove_organisation(
        &self,
        request: Request<pb::RemoveOrganisationRequest>,
    ) -> Result<Response<pb::RemoveOrganisationResponse>, Status> {
        let caller = Caller::of(&request, Permission::Operate)?;
        let id = names::org_id(&request.into_inner().org_id)?;
        self.store.of(&caller).remove_organisation(&id).await?;
        Ok(Response::new(pb::RemoveOrganisationResponse {}))
    }

    async fn restore_organisation(
        &self,
        request: Request<pb::RestoreOrganisationRequest>,
    ) -> Result<Response<pb::RestoreOrganisationResponse>, Status> {
        let caller = Caller::of(&request, Permission::Operate)?;
        let id = names::org_id(&request.into_inner().org_id)?;
        let restored = self.store.of(&caller).restore_organisation(&id).await?;
        Ok(Response::new(pb::RestoreOrganisationResponse {
            organisation: Some(restored.into()),
        }))
    }

    async fn create_bootstrap_link(
        &self,
        request: Request<pb::CreateBootstrapLinkRequest>,
    ) -> Result<Response<pb::CreateBootstrapLinkResponse>, Status> {
        let caller = Caller::of(&request, Permission::Operate)?;
        let pb::CreateBootstrapLinkRequest { org_id, email } = request.into_inner();
        let org_id = names::org_id(&org_id)?;
        let email = match email.as_str() {
            "" => String::new(),
            email => names::email(email)?,
        };
        if org_id == LOCAL {
            // It is made when the process starts, which may be this moment.
            self.store
                .ensure_organisation(LOCAL, "This machine")
                .await?;
        }
        let link = NewLink::Bootstrap {
            org_id: &org_id,
            email: &email,
        };
        let store = self.store.of(&caller);
        let made = store.add_link(&link, BOOTSTRAP, 1).await?;
        let (secret, end) = made.ok_or_else(|| Status::internal("internal error"))?;
        Ok(Response::new(pb::CreateBootstrapLinkResponse {
            url: self.login.link(secret.reveal()).unwrap_or_default(),
            secret: secret.reveal().to_owned(),
            expires_at: Some(convert::timestamp(end)),
        }))
    }

    async fn check_audit(
        &self,
        request: Request<pb::CheckAuditRequest>,
    ) -> Result<Response<pb::CheckAuditResponse>, Status> {
        Caller::of(&request, Permission::Operate)?;
        let checked = self.store.check_audit().await?;
        Ok(Response::new(pb::CheckAuditResponse {
            sound: checked.sound,
            broken: checked.broken.map(i64::unsigned_abs),
        }))
    }

    type ExportUserStream =
        Pin<Box<dyn Stream<Item = Result<pb::ExportUserResponse, Status>> + Send>>;

    async fn export_user(
        &self,
        request: Request<pb::ExportUserRequest>,
    ) -> Result<Response<Self::ExportUserStream>, Status> {
        Caller::of(&request, Permission::Operate)?;
        let email = names::email(&request.into_inner().email)?;
        let account = self.store.account(&email).await?;
        let user = account.user.clone();
        let first = Part::User(convert::account(account, self.login.ages()));
        // Pages, so that a long log is not in memory at once.
        let state = (self.store.clone(), user, Some(0));
        let events = stream::try_unfold(state, async |(store, user, after)| {
            let Some(after) = after else { return Ok(None) };
            let page = store.audit_of(&user, after, MOST).await?;
            let next = page.last().map(|event| event.position);
            let page = page.into_iter().map(|event| Part::Event(event.into()));
            Ok::<_, Status>(Some((stream::iter(page.map(Ok)), (store, user, next))))
        });
        let parts = stream::iter([Ok(first)]).chain(events.try_flatten());
        let answers = parts.map_ok(|part| pb::ExportUserResponse { part: Some(part) });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn erase_user(
        &self,
        request: Request<pb::EraseUserRequest>,
    ) -> Result<Response<pb::EraseUserResponse>, Status> {
        let caller = Caller::of(&request, Permission::Operate)?;
        let email = names::email(&request.into_inner().email)?;
        let (user_id, redacted_events) = self.store.of(&caller).erase_user(&email).await?;
        Ok(Response::new(pb::EraseUserResponse {
            user_id,
            redacted_events,
        }))
    }
}
