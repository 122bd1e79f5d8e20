//! Logins at OpenID Connect providers: the authorisation code flow with PKCE.
//!
//! What a login needs until it ends is in a cookie of its browser, and everything that travels is derived from that: the
//! state, the nonce and the verifier are SHA-256s of it. So nothing is kept here, and nobody else can end the login.

mod config;
mod http;
mod provider;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::Error;
pub use config::{OidcConfig, OidcError};
pub(super) use provider::{Provider, Returned};

/// How long a person may take at the provider.
pub(super) const LIFETIME: Duration = Duration::from_secs(600);
/// Clocks of replicas differ by less.
const LEEWAY: Duration = Duration::from_secs(60);
const RETURN_BYTES: usize = 512;

/// The same for a login that was begun elsewhere, is over, or was made up.
const NOT_BEGUN: Error =
    Error::Unproven("this login was not begun in this browser, or too long ago; begin again");

/// What a browser keeps until it comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    /// 256 random bits, the time, the provider and the way on, in base64 and digits.
    text: String,
    pub(super) provider: String,
    pub(super) return_to: String,
}

impl Binding {
    pub(super) fn new(provider: &str, return_to: &str, now: SystemTime) -> Self {
        let random = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let return_to = path(return_to);
        let way = URL_SAFE_NO_PAD.encode(return_to);
        let text = format!("{random}.{}.{provider}.{way}", seconds(now));
        Binding {
            text,
            provider: provider.to_owned(),
            return_to: return_to.to_owned(),
        }
    }

    /// The login that a browser has begun, if it comes back with its state and in time.
    pub(super) fn open(text: &str, state: &str, now: SystemTime) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split('.').collect();
        let [random, begun, provider, way] = parts[..] else {
            return Err(NOT_BEGUN);
        };
        let begun: u64 = begun.parse().map_err(|_| NOT_BEGUN)?;
        let now = seconds(now);
        let fresh = begun <= now.saturating_add(LEEWAY.as_secs())
            && now.saturating_sub(begun) <= LIFETIME.as_secs();
        let way = URL_SAFE_NO_PAD.decode(way).ok();
        let way = way.and_then(|way| String::from_utf8(way).ok());
        let binding = Binding {
            text: text.to_owned(),
            provider: provider.to_owned(),
            return_to: path(&way.ok_or(NOT_BEGUN)?).to_owned(),
        };
        let sound = fresh && random.len() >= 43 && state == binding.state();
        sound.then_some(binding).ok_or(NOT_BEGUN)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn state(&self) -> String {
        self.derive("state")
    }

    pub(super) fn nonce(&self) -> String {
        self.derive("nonce")
    }

    pub(super) fn verifier(&self) -> String {
        self.derive("verifier")
    }

    fn derive(&self, what: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(what);
        hash.update([0]);
        hash.update(&self.text);
        URL_SAFE_NO_PAD.encode(hash.finalize())
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// A path of this site, or `/`: never another site, however browsers read slashes.
fn path(text: &str) -> &str {
    let elsewhere = text.starts_with("//") || text.contains('\\');
    let plain = text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    match text.starts_with('/') && !elsewhere && plain && text.len() <= RETURN_BYTES {
        true => text,
        false => "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_ends_in_the_browser_that_began_it_and_in_time() {
        let now = SystemTime::now();
        let begun = Binding::new("corp", "/#t=hosts", now);
        let state = begun.state();
        assert_eq!(
            Binding::open(begun.text(), &state, now).ok(),
            Some(begun.clone())
        );
        let check = |text: &str, state: &str, now: SystemTime| {
            let refused = Binding::open(text, state, now);
            assert!(matches!(refused, Err(Error::Unproven(_))), "{refused:?}");
        };
        check(
            begun.text(),
            &state,
            now + LIFETIME + Duration::from_secs(2),
        );
        check(begun.text(), &state, now - 2 * LEEWAY);
        check(begun.text(), "", now);
        check(Binding::new("corp", "/", now).text(), &state, now);
        check(&begun.text().replace("corp", "other"), &state, now);
        check("", &state, now);
        check("a.b.c.d", &state, now);
        let derived = [begun.state(), begun.nonce(), begun.verifier()];
        assert!(
            derived
                .iter()
                .all(|text| text.len() == 43 && !begun.text().contains(text))
        );
        assert!(derived[0] != derived[1] && derived[1] != derived[2]);
    }

    #[test]
    fn the_way_on_stays_on_this_site() {
        for good in ["/", "/a/b?c=d#e", "/login"] {
            assert_eq!(path(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "evil",
            "/a\nb",
            "/ü",
        ] {
            assert_eq!(path(bad), "/", "{bad}");
        }
        assert_eq!(path(&format!("/{}", "a".repeat(RETURN_BYTES))), "/");
    }
}
