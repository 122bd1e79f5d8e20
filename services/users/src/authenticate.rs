//! From a credential to who presents it and what it may do.

use proto::tenant::v1::{Assertion, Permission};
use proto::users::v1 as pb;
use proto::users::v1::authenticate_request::Credential;
use runtime::Runtime;
use tokio::sync::mpsc;
use tonic::Status;

use crate::permissions::Permissions;
use crate::secret::{Digested, Secret};
use crate::store::entity::organisations;
use crate::store::{Known, Store};
use crate::{Config, Error, LOCAL, convert};

/// Uses of tokens that wait to be written down. More are dropped: the next use within the minute says the same.
const USES: usize = 1024;

#[derive(Debug)]
pub(crate) struct Authenticator {
    trust_loopback: bool,
    probe: Option<Digested>,
    store: Store,
    uses: mpsc::Sender<String>,
}

impl Authenticator {
    pub(crate) fn new(config: Config, store: Store, rt: &Runtime) -> Self {
        let (uses, mut waiting) = mpsc::channel::<String>(USES);
        let writing = store.clone();
        rt.spawn("last uses of tokens", async move {
            while let Some(token) = waiting.recv().await {
                if let Err(error) = writing.used(&token).await {
                    tracing::debug!(%error, "the use of a token is not written down");
                }
            }
        });
        Authenticator {
            trust_loopback: config.trust_loopback,
            probe: config.probe_token.map(|token| token.digest()),
            store,
            uses,
        }
    }

    pub(crate) async fn authenticate(
        &self,
        request: pb::AuthenticateRequest,
    ) -> Result<pb::AuthenticateResponse, Status> {
        let org_id = request.org_id.to_ascii_lowercase();
        match request.credential {
            Some(Credential::Loopback(_)) if self.trust_loopback => {
                local(&org_id, LOCAL, Permissions::ALL)
            }
            Some(Credential::Token(token)) => self.token(&token, &org_id).await,
            Some(Credential::Session(_)) => Err(unknown()),
            Some(Credential::Loopback(_)) | None => {
                Err(Status::unauthenticated("a credential is needed"))
            }
        }
    }

    async fn token(&self, token: &str, org_id: &str) -> Result<pb::AuthenticateResponse, Status> {
        let digest = Secret::parse(token).ok_or_else(unknown)?.digest();
        if self.probe.as_ref() == Some(&digest) {
            return local(org_id, "weft up", Permissions::of(&[Permission::Report]));
        }
        let known = self.store.known(&digest, org_id).await?;
        let known = known.ok_or_else(unknown)?;
        let used = crate::store::minute(self.store.now());
        if known.token.last_used_at.is_none_or(|last| last < used) {
            // Full: the next use says the same.
            let _ = self.uses.try_send(known.token.id.clone());
        }
        Ok(answer(known))
    }
}

fn unknown() -> Status {
    // One answer for all, so that nobody learns what exists.
    Status::unauthenticated(
        "the credential is unknown, revoked or expired, or not of this organisation",
    )
}

fn local(
    org_id: &str,
    subject: &str,
    permissions: Permissions,
) -> Result<pb::AuthenticateResponse, Status> {
    if !org_id.is_empty() && org_id != LOCAL {
        return Err(Status::unauthenticated(
            "there is no such organisation, or it is not yours",
        ));
    }
    Ok(pb::AuthenticateResponse {
        assertion: Some(Assertion {
            org_id: LOCAL.to_owned(),
            subject: subject.to_owned(),
            permissions: permissions.to_wire(),
            expires_at: None,
        }),
        ..pb::AuthenticateResponse::default()
    })
}

fn answer(known: Known) -> pb::AuthenticateResponse {
    let Known {
        token,
        organisation,
        member,
    } = known;
    let listed = Permissions::from_column(token.permissions);
    let permissions = match &member {
        None => listed,
        Some(member) => listed & member.role().permissions(),
    };
    let left = permissions.without(refused(&organisation));
    pb::AuthenticateResponse {
        assertion: Some(Assertion {
            subject: token.user_id.clone().unwrap_or_else(|| token.id.clone()),
            permissions: left.to_wire(),
            expires_at: token.expires_at.map(convert::timestamp),
            org_id: organisation.id.clone(),
        }),
        refusal: convert::refusal(&organisation).filter(|_| left != permissions),
        token_id: token.id,
        user_id: token.user_id.unwrap_or_default(),
    }
}

/// What nobody may do in this organisation at present.
fn refused(organisation: &organisations::Model) -> Permissions {
    let upload = Permissions::of(&[Permission::Report]);
    let rest = Permissions::of(&[Permission::Report, Permission::Admin]);
    match (organisation.refuse_access, organisation.refuse_upload) {
        (false, false) => Permissions::NONE,
        (false, true) => upload,
        (true, false) => Permissions::ALL.without(rest),
        (true, true) => Permissions::ALL.without(Permissions::of(&[Permission::Admin])),
    }
}

/// Makes the row of [`LOCAL`], which tokens need, as soon as the store is there.
pub(crate) async fn ensure_local(store: Store) {
    while let Err(error) = store.ensure_organisation(LOCAL, "This machine").await {
        if !matches!(error, Error::NotReady) {
            tracing::warn!(%error, "the organisation of this machine cannot be made yet");
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}
