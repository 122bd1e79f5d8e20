use std::time::Duration;

use openidconnect::RedirectUrl;
use url::Url;

use super::oidc::Provider;
use super::{Mail, OidcConfig};
use crate::store::{Ages, OtherWays};

/// Who gets an account by logging in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignUp {
    /// People who were invited.
    #[default]
    Invited,
    /// Anybody who proves to own an e-mail address.
    Anybody,
}

/// How people log in.
#[derive(Debug, Clone)]
pub struct LoginConfig {
    /// What this site is called from outside, for links: `https://weft.example`.
    pub public_url: Option<Url>,
    /// A session ends when it was not used for so long. 24 hours by default.
    pub session_idle: Duration,
    /// A session ends at this age. 30 days by default.
    pub session_lifetime: Duration,
    /// Who gets an account.
    pub sign_up: SignUp,
    /// How links are sent; none for not at all. Needs `public_url`.
    pub mail: Option<Mail>,
    /// Providers to log in with. They need `public_url`.
    pub oidc: Vec<OidcConfig>,
}

impl Default for LoginConfig {
    fn default() -> Self {
        LoginConfig {
            public_url: None,
            session_idle: Duration::from_secs(24 * 3600),
            session_lifetime: Duration::from_secs(30 * 24 * 3600),
            sign_up: SignUp::default(),
            mail: None,
            oidc: Vec::new(),
        }
    }
}

impl LoginConfig {
    /// Whether anybody may sign up.
    pub(crate) fn signs_up(&self) -> bool {
        self.sign_up == SignUp::Anybody
    }

    pub(crate) fn ages(&self) -> Ages {
        Ages::new(self.session_idle, self.session_lifetime)
    }

    /// How people log in without passkeys.
    pub(crate) fn other_ways(&self) -> OtherWays {
        let providers = self.oidc.iter().filter(|_| self.public_url.is_some());
        OtherWays {
            mail: self.mail.is_some() && self.public_url.is_some(),
            issuers: providers.map(|one| one.issuer().to_owned()).collect(),
        }
    }

    /// Where providers send browsers back to.
    pub(super) fn providers(&self) -> Vec<Provider> {
        let Some(site) = &self.public_url else {
            return Vec::new();
        };
        let mut url = site.clone();
        url.set_path("/api/users/login/oidc/callback");
        let all = self.oidc.iter().cloned();
        all.map(|config| Provider::new(config, RedirectUrl::from_url(url.clone())))
            .collect()
    }

    /// A page of this site.
    pub(super) fn page(&self, path: &str) -> Option<String> {
        let mut url = self.public_url.clone()?;
        url.set_path(path);
        Some(url.into())
    }

    /// The page that opens a link. Its secret stands behind `#`, which no browser sends to a server or tells another page.
    pub(crate) fn link(&self, secret: &str) -> Option<String> {
        let mut url = self.public_url.clone()?;
        url.set_path("/login");
        url.set_fragment(Some(secret));
        Some(url.into())
    }
}
