//! Logins of programs without a browser (RFC 8628), as the programs see them.

use std::time::Duration;

use proto::users::v1 as pb;
use rand::Rng;

use super::Logins;
use super::browser::Browser;
use crate::permissions::Permissions;
use crate::secret::{Digested, Kind, Secret};
use crate::store::{DEVICE_INTERVAL, DEVICE_LIFETIME, NewDeviceLogin, Polled};
use crate::{Error, names};

/// Without vowels, which make words, and without what looks alike (section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// 20^8 is 2^34, and a guess costs a try of a logged-in person.
const CODE_LETTERS: usize = 8;

/// A token lasts so long, in seconds.
const TOKEN_LIFETIME: std::ops::RangeInclusive<i64> = 60..=366 * 24 * 3600;

const EXPIRED: Error = Error::Unproven("this login has expired or was ended; begin again");

impl Logins {
    pub(super) async fn start_device(
        &self,
        message: pb::StartDeviceLoginRequest,
    ) -> Result<pb::StartDeviceLoginResponse, Error> {
        let from = Browser::at(&message.address);
        self.try_once(&from)?;
        let site = self.config.page("device");
        let verification_uri = site.ok_or(Error::Precondition(
            "people cannot log in here; give --public-url",
        ))?;
        let permissions = Permissions::parse(&message.permissions)?;
        if permissions.is_empty() {
            return Err(Error::Invalid("a token needs permissions"));
        }
        let lifetime = message.token_lifetime.map_or(0, |time| time.seconds);
        if !TOKEN_LIFETIME.contains(&lifetime) {
            return Err(Error::Invalid("a token lasts between a minute and a year"));
        }
        let (secret, code) = (Secret::of(Kind::Device), new_code());
        let new = NewDeviceLogin {
            digest: secret.digest(),
            code_digest: code_digest(&code),
            client: names::name(&message.client)?,
            address: from.address,
            permissions,
            lifetime: lifetime.saturating_mul(1000),
        };
        self.store.begin_device_login(new).await?;
        Ok(pb::StartDeviceLoginResponse {
            device_code: secret.reveal().to_owned(),
            user_code: code,
            verification_uri,
            lifetime: millis(DEVICE_LIFETIME),
            interval: millis(DEVICE_INTERVAL),
        })
    }

    pub(super) async fn poll_device(
        &self,
        message: pb::PollDeviceLoginRequest,
    ) -> Result<pb::PollDeviceLoginResponse, Error> {
        let from = Browser::at(&message.address);
        let secret = super::secret(&[Kind::Device], &message.device_code);
        let Some(secret) = secret else {
            // Polling is no guessing, but this is.
            self.try_once(&from)?;
            return Err(EXPIRED);
        };
        let store = self.store.from(&from.address);
        let polled = store.poll_device_login(&secret.digest()).await?;
        let (state, granted) = match polled.ok_or(EXPIRED)? {
            Polled::Pending => (pb::DeviceLoginState::Pending, None),
            Polled::SlowDown => (pb::DeviceLoginState::SlowDown, None),
            Polled::Denied => (pb::DeviceLoginState::Denied, None),
            Polled::Granted(token, secret) => (
                pb::DeviceLoginState::Granted,
                Some((*token, secret.reveal().to_owned())),
            ),
        };
        let (token, secret) = granted.unzip();
        Ok(pb::PollDeviceLoginResponse {
            state: state.into(),
            secret: secret.unwrap_or_default(),
            token: token.map(Into::into),
        })
    }
}

fn millis(millis: i64) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(Duration::from_millis(millis.unsigned_abs())).ok()
}

/// `BCDF-GHJK`.
fn new_code() -> String {
    let mut random = rand::rng();
    let mut letters =
        (0..CODE_LETTERS).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]));
    let first: String = letters.by_ref().take(CODE_LETTERS / 2).collect();
    let second: String = letters.collect();
    format!("{first}-{second}")
}

/// What is kept of a code, however a person writes it.
pub(crate) fn code_digest(code: &str) -> Digested {
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = letters.map(|letter| letter.to_ascii_uppercase()).collect();
    Digested::of(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_easy_to_type() {
        let code = new_code();
        let (first, second) = code.split_once('-').expect("a dash");
        assert_eq!((first.len(), second.len()), (4, 4));
        assert!(
            first
                .bytes()
                .chain(second.bytes())
                .all(|letter| LETTERS.contains(&letter))
        );
        let typed = format!(" {} {} ", first.to_lowercase(), second);
        assert_eq!(code_digest(&typed), code_digest(&code));
        assert_ne!(code_digest(&new_code()), code_digest(&code));
    }
}
