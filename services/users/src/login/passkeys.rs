//! Logins with passkeys.

use std::time::Duration;

use proto::users::v1 as pb;

use super::{Logins, secret};
use crate::Error;
use crate::login::browser::Browser;
use crate::passkeys::{Begun, Binding, NOT_BEGUN, NOT_HERE, Passkeys, Presented, Refused};
use crate::secret::Kind;
use crate::store::{CEREMONY_LIFETIME, NewCeremony, Purpose, Store};

const UNKNOWN: Error = Error::Unproven("this passkey is not known here; log in another way");
const COPIED: Error = Error::Unproven(
    "this passkey may have been copied: its counter went back; log in another way, and remove it",
);

impl Logins {
    pub(super) async fn start_passkey(
        &self,
        message: pb::StartPasskeyLoginRequest,
    ) -> Result<pb::StartPasskeyLoginResponse, Error> {
        let held = message.browser.as_ref();
        let held = held.map_or_else(String::new, |browser| browser.session.clone());
        self.try_once(&Browser::from(message.browser))?;
        let passkeys = self.passkeys()?;
        let (user_id, begun) = if message.again {
            let user_id = self.person(&held).await?;
            let own = self.store.passkeys(&user_id).await?;
            if own.is_empty() {
                return Err(Error::Precondition("you have no passkey; log in as before"));
            }
            let begun = passkeys.start_login(Some(&own))?;
            (user_id, begun)
        } else {
            (String::new(), passkeys.start_login(None)?)
        };
        let Begun {
            options,
            binding,
            state,
        } = begun;
        let ceremony = NewCeremony {
            purpose: Purpose::LogIn,
            digest: binding.digest(),
            user_id: &user_id,
            session_id: "",
            state,
        };
        self.store.begin_ceremony(ceremony).await?;
        Ok(pb::StartPasskeyLoginResponse {
            options_json: options,
            binding: binding.reveal().to_owned(),
            lifetime: lifetime(),
        })
    }

    pub(super) async fn finish_passkey(
        &self,
        message: pb::FinishPasskeyLoginRequest,
    ) -> Result<pb::Login, Error> {
        let browser = Browser::from(message.browser.clone());
        self.try_once(&browser)?;
        let store = self.store.from(&browser.address);
        let finished = self.finish_passkey_of(&store, browser, &message).await;
        self.noting("passkey", &store, None, finished).await
    }

    async fn finish_passkey_of(
        &self,
        store: &Store,
        browser: Browser,
        message: &pb::FinishPasskeyLoginRequest,
    ) -> Result<pb::Login, Error> {
        let passkeys = self.passkeys()?;
        let binding = Binding::parse(&message.binding).ok_or(NOT_BEGUN)?;
        let ceremony = self
            .store
            .take_ceremony(&binding.digest(), Purpose::LogIn)
            .await?;
        let ceremony = ceremony.ok_or(NOT_BEGUN)?;
        let presented = Presented::parse(&message.credential_json)?;
        let known = self.store.passkey(&presented.credential_id).await?;
        let known = known.ok_or(UNKNOWN)?;
        let credential = match passkeys.finish_login(&ceremony, &binding, &presented, &known) {
            Ok(credential) => credential,
            Err(Refused::Otherwise(error)) => return Err(error),
            Err(Refused::Copied) => {
                let (id, person) = (&known.id, &known.user_id);
                tracing::warn!(
                    id,
                    person,
                    "the counter of a passkey went back; it is refused"
                );
                let detail = format!("{}: its counter went back", known.name);
                store
                    .by("")
                    .note_for(person, "passkey.copied", (person, &detail))
                    .await?;
                return Err(COPIED);
            }
        };
        let logged_in = store.log_in_passkey(&known, &credential, browser.session("passkey"));
        let (user, session, secret) = logged_in.await?;
        Ok(self.logged_in(user, session, &secret))
    }

    fn passkeys(&self) -> Result<&Passkeys, Error> {
        self.passkeys.as_ref().ok_or(NOT_HERE)
    }

    /// Whose session this is.
    async fn person(&self, session: &str) -> Result<String, Error> {
        const NOBODY: Error = Error::Unproven("nobody is logged in here; log in as before");
        let secret = secret(&[Kind::Session], session).ok_or(NOBODY)?;
        let digest = secret.digest();
        let known = self.store.known_session(&digest, "", self.ages).await?;
        Ok(known.ok_or(NOBODY)?.session.user_id)
    }
}

/// How long a ceremony may take.
pub(crate) fn lifetime() -> Option<prost_types::Duration> {
    let lifetime = Duration::from_millis(CEREMONY_LIFETIME.unsigned_abs());
    prost_types::Duration::try_from(lifetime).ok()
}
