//! How people log in.

mod browser;
mod config;
mod devices;
mod failures;
mod mail;
mod oidc;
mod outbox;
mod passkeys;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use proto::users::v1 as pb;
use proto::users::v1::login_service_server::LoginService;
use runtime::Runtime;
use tonic::{Request, Response, Status};

use crate::passkeys::Passkeys;
use crate::secret::{Kind, Secret};
use crate::store::entity::{sessions, users};
use crate::store::{Ages, Identity, Opening, Store};
use crate::throttle::Throttle;
use crate::{Error, convert, names};
use browser::Browser;
pub use config::{LoginConfig, SignUp};
pub(crate) use devices::code_digest;
use failures::Failures;
pub use mail::{Mail, MailError};
use oidc::{Binding, Provider, Returned};
pub use oidc::{OidcConfig, OidcError};
pub(crate) use outbox::{Invitation, Outbox, Wanted};
pub(crate) use passkeys::lifetime;

/// Secrets that are longer are not even looked at.
const SECRET_BYTES: usize = 512;
/// The longest that is handed out has fewer.
const BINDING_BYTES: usize = 1024;
/// How often sessions are looked for that have become too old.
const SWEEP: Duration = Duration::from_secs(30);
/// How often somebody may try from one place: 30 at once, and one more every 2 s.
const TRIES: (u32, Duration) = (30, Duration::from_secs(2));

/// How often mail may be asked for to one address: 5 at once, and one more every 3 minutes.
const MAILS: (u32, Duration) = (5, Duration::from_secs(180));

const TOO_OFTEN: Error = Error::Exhausted("too many tries; wait a minute, and try again");
const NO_LINK: Error = Error::Unproven("this link was used, has expired, or never was one");

/// The service.
#[derive(Debug)]
pub struct Logins {
    config: LoginConfig,
    store: Store,
    ages: Ages,
    outbox: Option<Outbox>,
    providers: Vec<Provider>,
    passkeys: Option<Passkeys>,
    tries: Throttle,
    mails: Throttle,
    failures: Failures,
}

impl Logins {
    pub(crate) fn new(config: LoginConfig, store: Store, rt: &Runtime) -> Self {
        let ages = config.ages();
        let swept = store.clone();
        rt.spawn("end of old sessions", async move {
            loop {
                if let Err(error) = swept.end_old_sessions(ages).await {
                    tracing::debug!(%error, "old sessions are not ended yet");
                }
                if let Err(error) = swept.forget_ceremonies().await {
                    tracing::debug!(%error, "old ceremonies are not forgotten yet");
                }
                if let Err(error) = swept.forget_device_logins().await {
                    tracing::debug!(%error, "old logins of programs are not forgotten yet");
                }
                tokio::time::sleep(SWEEP).await;
            }
        });
        let mail = config.mail.clone();
        let outbox = mail.map(|mail| Outbox::new(mail, config.clone(), store.clone(), rt));
        let providers = config.providers();
        Logins {
            failures: Failures::start(store.clone(), rt),
            passkeys: Passkeys::new(config.public_url.as_ref()),
            config,
            outbox,
            providers,
            store,
            ages,
            tries: Throttle::new(TRIES.0, TRIES.1),
            mails: Throttle::new(MAILS.0, MAILS.1),
        }
    }

    /// Where mails go, if this deployment sends any.
    pub(crate) fn outbox(&self) -> Option<Outbox> {
        self.outbox.clone()
    }

    fn provider(&self, id: &str) -> Result<&Provider, Error> {
        let mut providers = self.providers.iter();
        let found = providers.find(|provider| provider.id() == id);
        found.ok_or(Error::NotFound("provider"))
    }

    /// What came of a login, once its failure is written down; of whoever has this address.
    async fn noting<T>(
        &self,
        method: &str,
        store: &Store,
        email: Option<&str>,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        if let Err(error) = &result {
            self.failures.note(store, method, email, error).await;
        }
        result
    }

    /// Counts a try from this place.
    fn try_once(&self, browser: &Browser) -> Result<(), Error> {
        let allowed = self.tries.allows(&browser.place());
        allowed.then_some(()).ok_or(TOO_OFTEN)
    }

    fn logged_in(
        &self,
        user: users::Model,
        session: sessions::Model,
        secret: &Secret,
    ) -> pb::Login {
        let id = session.id.clone();
        pb::Login {
            secret: secret.reveal().to_owned(),
            session: Some(convert::session(session, self.ages, &id)),
            user: Some(user.into()),
        }
    }
}

#[tonic::async_trait]
impl LoginService for Logins {
    async fn get_login_options(
        &self,
        _: Request<pb::GetLoginOptionsRequest>,
    ) -> Result<Response<pb::GetLoginOptionsResponse>, Status> {
        Ok(Response::new(pb::GetLoginOptionsResponse {
            mail: self.outbox.is_some(),
            providers: self.providers.iter().map(Into::into).collect(),
            sign_up: self.config.signs_up(),
            passkeys: self.passkeys.is_some(),
        }))
    }

    async fn send_login_link(
        &self,
        request: Request<pb::SendLoginLinkRequest>,
    ) -> Result<Response<pb::SendLoginLinkResponse>, Status> {
        let outbox = self.outbox.as_ref();
        let outbox = outbox.ok_or(Error::Precondition("this deployment sends no mail"))?;
        let message = request.into_inner();
        let browser = Browser::from(message.browser);
        self.try_once(&browser)?;
        let email = names::email(&message.email)?;
        // Whether there is such an account is found out later, and told to the owner of the address alone.
        let room = self.mails.allows(&email);
        let address = browser.address;
        if !room || !outbox.put(Wanted::Link { email, address }) {
            return Err(TOO_OFTEN.into());
        }
        Ok(Response::new(pb::SendLoginLinkResponse {}))
    }

    async fn open_login_link(
        &self,
        request: Request<pb::OpenLoginLinkRequest>,
    ) -> Result<Response<pb::OpenLoginLinkResponse>, Status> {
        let message = request.into_inner();
        let browser = Browser::from(message.browser);
        self.try_once(&browser)?;
        let store = self.store.from(&browser.address);
        let secret = secret(&[Kind::Link, Kind::Bootstrap], &message.secret).ok_or(NO_LINK);
        let secret = self.noting("a link", &store, None, secret).await?;
        let given = match message.email.as_str() {
            "" => None,
            email => Some(names::email(email)?),
        };
        let opening = Opening {
            digest: &secret.digest(),
            email: given.as_deref(),
            sign_up: self.config.signs_up(),
        };
        // The store knows what the link was for.
        let opened = store.open_link(&opening, browser.session(""));
        let opened = self.noting("a link", &store, None, opened.await);
        let (user, session, secret) = opened.await?;
        Ok(Response::new(pb::OpenLoginLinkResponse {
            login: Some(self.logged_in(user, session, &secret)),
        }))
    }

    async fn start_oidc_login(
        &self,
        request: Request<pb::StartOidcLoginRequest>,
    ) -> Result<Response<pb::StartOidcLoginResponse>, Status> {
        let message = request.into_inner();
        self.try_once(&Browser::from(message.browser))?;
        let provider = self.provider(&message.provider)?;
        let binding = Binding::new(provider.id(), &message.return_to, SystemTime::now());
        Ok(Response::new(pb::StartOidcLoginResponse {
            url: provider.url(&binding).await?,
            binding: binding.text().to_owned(),
            lifetime: prost_types::Duration::try_from(oidc::LIFETIME).ok(),
        }))
    }

    async fn finish_oidc_login(
        &self,
        request: Request<pb::FinishOidcLoginRequest>,
    ) -> Result<Response<pb::FinishOidcLoginResponse>, Status> {
        let message = request.into_inner();
        let browser = Browser::from(message.browser);
        self.try_once(&browser)?;
        let short = message.binding.len() <= BINDING_BYTES;
        let text = if short { message.binding.as_str() } else { "" };
        let binding = Binding::open(text, &message.state, SystemTime::now())?;
        let provider = self.provider(&binding.provider)?;
        let store = self.store.from(&browser.address);
        let method = format!("oidc:{}", provider.id());
        let returned = provider.returned(message.code, &message.issuer, &binding);
        let returned = self.noting(&method, &store, None, returned.await);
        let identity = identity(returned.await?);
        let session = browser.session(&method);
        let sign_up = self.config.signs_up();
        let logged_in = store.log_in_identity(&identity, sign_up, session).await;
        let logged_in = self.noting(&method, &store, Some(&identity.email), logged_in);
        let (user, session, secret) = logged_in.await?;
        Ok(Response::new(pb::FinishOidcLoginResponse {
            login: Some(self.logged_in(user, session, &secret)),
            return_to: binding.return_to,
        }))
    }

    async fn start_passkey_login(
        &self,
        request: Request<pb::StartPasskeyLoginRequest>,
    ) -> Result<Response<pb::StartPasskeyLoginResponse>, Status> {
        Ok(Response::new(
            self.start_passkey(request.into_inner()).await?,
        ))
    }

    async fn finish_passkey_login(
        &self,
        request: Request<pb::FinishPasskeyLoginRequest>,
    ) -> Result<Response<pb::FinishPasskeyLoginResponse>, Status> {
        let login = self.finish_passkey(request.into_inner()).await?;
        Ok(Response::new(pb::FinishPasskeyLoginResponse {
            login: Some(login),
        }))
    }

    async fn start_device_login(
        &self,
        request: Request<pb::StartDeviceLoginRequest>,
    ) -> Result<Response<pb::StartDeviceLoginResponse>, Status> {
        Ok(Response::new(
            self.start_device(request.into_inner()).await?,
        ))
    }

    async fn poll_device_login(
        &self,
        request: Request<pb::PollDeviceLoginRequest>,
    ) -> Result<Response<pb::PollDeviceLoginResponse>, Status> {
        Ok(Response::new(self.poll_device(request.into_inner()).await?))
    }

    async fn end_session(
        &self,
        request: Request<pb::EndSessionRequest>,
    ) -> Result<Response<pb::EndSessionResponse>, Status> {
        let pb::EndSessionRequest {
            secret: text,
            address,
        } = request.into_inner();
        if let Some(secret) = secret(&[Kind::Session], &text) {
            let address = browser::address(&address);
            self.store
                .from(&address)
                .end_session(&secret.digest())
                .await?;
        }
        Ok(Response::new(pb::EndSessionResponse {}))
    }
}

impl From<&Provider> for pb::OidcProvider {
    fn from(provider: &Provider) -> Self {
        pb::OidcProvider {
            id: provider.id().to_owned(),
            name: provider.name().to_owned(),
        }
    }
}

/// Of several roles in an organisation the one counts that may the most.
fn identity(returned: Returned) -> Identity {
    let mut roles = BTreeMap::new();
    for grant in returned.grants {
        let role = roles.entry(grant.org_id).or_insert(grant.role);
        if role.permissions().is_within(grant.role.permissions()) {
            *role = grant.role;
        }
    }
    Identity {
        issuer: returned.issuer,
        subject: returned.subject,
        email: returned.email,
        name: returned.name,
        roles,
    }
}

fn secret(kinds: &[Kind], text: &str) -> Option<Secret> {
    let short = text.len() <= SECRET_BYTES;
    short.then(|| Secret::parse_as(kinds, text)).flatten()
}
