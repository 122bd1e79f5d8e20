//! From a credential to who presents it and what it may do.

use proto::tenant::v1::{Assertion, Permission};
use proto::users::v1 as pb;
use proto::users::v1::authenticate_request::Credential;
use runtime::Runtime;
use tokio::sync::mpsc;
use tonic::Status;

use crate::permissions::Permissions;
use crate::secret::{Digested, Kind, Secret};
use crate::store::entity::organisations;
use crate::store::{Ages, Known, KnownSession, Store};
use crate::{Config, Error, LOCAL, convert};

/// Uses that wait to be written down. More are dropped: the next use within the minute says the same.
const USES: usize = 1024;

#[derive(Debug)]
pub(crate) struct Authenticator {
    trust_loopback: bool,
    probe: Option<Digested>,
    store: Store,
    ages: Ages,
    uses: mpsc::Sender<Use>,
}

/// What was used just now, by its id.
#[derive(Debug)]
enum Use {
    Token(String),
    Session(String),
}

impl Authenticator {
    pub(crate) fn new(config: Config, store: Store, rt: &Runtime) -> Self {
        let (uses, mut waiting) = mpsc::channel::<Use>(USES);
        let writing = store.clone();
        rt.spawn("last uses of credentials", async move {
            while let Some(used) = waiting.recv().await {
                let written = match &used {
                    Use::Token(id) => writing.used(id).await,
                    Use::Session(id) => writing.session_used(id).await,
                };
                if let Err(error) = written {
                    tracing::debug!(%error, "the use of a credential is not written down");
                }
            }
        });
        Authenticator {
            trust_loopback: config.trust_loopback,
            probe: config.probe_token.map(|token| token.digest()),
            store,
            ages: config.login.ages(),
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
            Some(Credential::Session(secret)) => self.session(&secret, &org_id).await,
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
            let _ = self.uses.try_send(Use::Token(known.token.id.clone()));
        }
        Ok(answer(known))
    }

    async fn session(
        &self,
        secret: &str,
        org_id: &str,
    ) -> Result<pb::AuthenticateResponse, Status> {
        let secret = Secret::parse_as(&[Kind::Session], secret).ok_or_else(unknown)?;
        let known = self
            .store
            .known_session(&secret.digest(), org_id, self.ages)
            .await?;
        let known = known.ok_or_else(unknown)?;
        if known.session.last_used_at < crate::store::minute(self.store.now()) {
            let _ = self.uses.try_send(Use::Session(known.session.id.clone()));
        }
        Ok(answer_for_session(known, self.ages))
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
            ..Assertion::default()
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
            ..Assertion::default()
        }),
        refusal: convert::refusal(&organisation).filter(|_| left != permissions),
        token_id: token.id,
        user_id: token.user_id.unwrap_or_default(),
    }
}

fn answer_for_session(known: KnownSession, ages: Ages) -> pb::AuthenticateResponse {
    let KnownSession { session, belongs } = known;
    let end = convert::timestamp(ages.end(&session));
    let (org_id, permissions, left, refusal) = match belongs {
        None => (String::new(), Permissions::NONE, Permissions::NONE, None),
        Some((organisation, member)) => {
            let permissions = member.role().permissions();
            let left = permissions.without(refused(&organisation));
            let refusal = convert::refusal(&organisation);
            (organisation.id, permissions, left, refusal)
        }
    };
    pb::AuthenticateResponse {
        assertion: Some(Assertion {
            org_id,
            subject: session.user_id.clone(),
            permissions: left.to_wire(),
            expires_at: Some(end),
            authenticated_at: Some(convert::timestamp(session.created_at)),
            session_id: session.id.clone(),
            ..Assertion::default()
        }),
        refusal: refusal.filter(|_| left != permissions),
        token_id: session.id,
        user_id: session.user_id,
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
