use std::net::IpAddr;

use proto::users::v1 as pb;

use super::secret;
use crate::secret::{Digested, Kind};
use crate::store::NewSession;
use crate::{names, throttle};

/// Where a login comes from, as far as it makes sense.
#[derive(Debug, Clone)]
pub(super) struct Browser {
    /// An IP address, or nothing.
    pub(super) address: String,
    user_agent: String,
    replaces: Option<Digested>,
}

impl From<Option<pb::Browser>> for Browser {
    fn from(browser: Option<pb::Browser>) -> Self {
        let browser = browser.unwrap_or_default();
        Browser {
            address: address(&browser.address),
            user_agent: names::user_agent(&browser.user_agent),
            replaces: secret(&[Kind::Session], &browser.session).map(|secret| secret.digest()),
        }
    }
}

impl Browser {
    /// No browser, but something that tries from this address.
    pub(super) fn at(address: &str) -> Self {
        Browser::from(Some(pb::Browser {
            address: address.to_owned(),
            ..pb::Browser::default()
        }))
    }

    /// What counts its tries.
    pub(super) fn place(&self) -> String {
        throttle::place(&self.address)
    }

    /// What its next session starts with.
    pub(super) fn session(self, method: &str) -> NewSession {
        NewSession {
            method: method.to_owned(),
            address: self.address,
            user_agent: self.user_agent,
            replaces: self.replaces,
        }
    }
}

/// An IP address, or nothing.
pub(super) fn address(text: &str) -> String {
    let address = text.parse::<IpAddr>();
    address.map_or_else(|_| String::new(), |address| address.to_string())
}
