//! What the command line says of a provider.

use std::path::Path;
use std::str::FromStr;

use openidconnect::{ClientId, ClientSecret, IssuerUrl};
use url::{Host, Url, form_urlencoded};

use crate::names;
use crate::permissions::Role;

const ID_BYTES: usize = 32;

/// Why a provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// It is not written as it must be. The message does not quote it.
    #[error("{0}")]
    Malformed(&'static str),
    /// The file with the secret cannot be read.
    #[error("cannot open {0}: {1}")]
    Io(String, std::io::Error),
}

const FORM: OidcError = OidcError::Malformed(
    "a provider is ID=ISSUER?client_id=…&credentials=/file, its id of a-z, 0-9 and -, \
     its issuer https:// (http:// on a loopback address alone)",
);

/// A provider, and what it says that counts.
#[derive(Debug, Clone)]
pub struct OidcConfig {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) issuer: IssuerUrl,
    pub(super) client_id: ClientId,
    pub(super) secret: Option<ClientSecret>,
    /// Asked for besides `openid`, `email` and `profile`.
    pub(super) scopes: Vec<String>,
    /// The claim that lists groups.
    pub(super) groups: String,
    pub(super) grants: Vec<Grant>,
}

/// A role that a group has in an organisation.
#[derive(Debug, Clone)]
pub(in crate::login) struct Grant {
    pub(super) group: String,
    pub(in crate::login) org_id: String,
    pub(in crate::login) role: Role,
}

impl OidcConfig {
    pub(in crate::login) fn issuer(&self) -> &str {
        self.issuer.as_str()
    }
}

impl FromStr for OidcConfig {
    type Err = OidcError;

    /// `ID=ISSUER?client_id=…`, and further parameters: `credentials=/file` with the client's secret, `name` for display,
    /// `scope` (may be repeated), `groups`, the claim that lists groups, and `role=GROUP:ORG:ROLE` (may be repeated).
    fn from_str(text: &str) -> Result<Self, OidcError> {
        let (id, rest) = text.split_once('=').ok_or(FORM)?;
        let (issuer, query) = rest.split_once('?').ok_or(FORM)?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if id.is_empty() || id.len() > ID_BYTES || !id.bytes().all(plain) || id == "callback" {
            return Err(FORM);
        }
        let mut config = OidcConfig {
            id: id.to_owned(),
            name: id.to_owned(),
            issuer: issuer_url(issuer)?,
            client_id: ClientId::new(String::new()),
            secret: None,
            scopes: Vec::new(),
            groups: "groups".to_owned(),
            grants: Vec::new(),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "client_id" => config.client_id = ClientId::new(value),
                "credentials" => config.secret = Some(secret(&value)?),
                "name" => config.name = names::name(&value).map_err(|_| FORM)?,
                "scope" => config.scopes.push(value),
                "groups" => config.groups = value,
                "role" => config.grants.push(grant(&value)?),
                _ => {
                    return Err(OidcError::Malformed(
                        "a provider has the parameters client_id, credentials, name, scope, groups and role",
                    ));
                }
            }
        }
        if config.client_id.is_empty() {
            return Err(FORM);
        }
        Ok(config)
    }
}

/// As it is written: issuers are compared byte by byte.
fn issuer_url(text: &str) -> Result<IssuerUrl, OidcError> {
    let url = Url::parse(text).map_err(|_| FORM)?;
    if !is_safe(&url) || !url.username().is_empty() || url.password().is_some() {
        return Err(FORM);
    }
    IssuerUrl::new(text.to_owned()).map_err(|_| FORM)
}

/// Whether nobody on the way can read or change what is said.
pub(super) fn is_safe(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost",
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    }
}

fn secret(file: &str) -> Result<ClientSecret, OidcError> {
    let text = std::fs::read_to_string(Path::new(file));
    let text = text.map_err(|error| OidcError::Io(file.to_owned(), error))?;
    Ok(ClientSecret::new(
        text.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

fn grant(text: &str) -> Result<Grant, OidcError> {
    let wrong = || OidcError::Malformed("a role is GROUP:ORG:ROLE, with viewer, editor or admin");
    let (rest, role) = text.rsplit_once(':').ok_or_else(wrong)?;
    let (group, org) = rest.rsplit_once(':').ok_or_else(wrong)?;
    let role = match role {
        "viewer" => Role::Viewer,
        "editor" => Role::Editor,
        "admin" => Role::Admin,
        _ => return Err(wrong()),
    };
    if group.is_empty() {
        return Err(wrong());
    }
    Ok(Grant {
        group: group.to_owned(),
        org_id: names::org_id(org).map_err(|_| wrong())?,
        role,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_written_as_urls() {
        let text = "corp=https://id.example/realms/x?client_id=weft&name=Corp&scope=groups\
                    &groups=roles&role=the:devs:amber:editor";
        let config: OidcConfig = text.parse().expect("a provider");
        assert_eq!((&*config.id, &*config.name), ("corp", "Corp"));
        assert_eq!(config.issuer.as_str(), "https://id.example/realms/x");
        assert_eq!(config.groups, "roles");
        let grant = &config.grants[0];
        assert_eq!(
            (&*grant.group, &*grant.org_id, grant.role),
            ("the:devs", "amber", Role::Editor)
        );
        for good in [
            "a=http://127.0.0.1:9/?client_id=x",
            "a=http://localhost?client_id=x",
        ] {
            assert!(good.parse::<OidcConfig>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "corp",
            "corp=https://id.example",
            "corp=https://id.example?name=x",
            "Corp=https://id.example?client_id=x",
            "callback=https://id.example?client_id=x",
            "corp=http://id.example?client_id=x",
            "corp=https://me:hunter2@id.example?client_id=x",
            "corp=https://id.example?client_id=x&secret=hunter2",
            "corp=https://id.example?client_id=x&role=devs:amber",
            "corp=https://id.example?client_id=x&role=devs:amber:owner",
            "corp=https://id.example?client_id=x&credentials=/not/there",
        ] {
            let refused = bad.parse::<OidcConfig>().expect_err(bad);
            assert!(!format!("{refused} {refused:?}").contains("hunter2"));
        }
    }
}
