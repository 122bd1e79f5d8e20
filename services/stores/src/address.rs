//! What the URL of a store says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use url::Url;

use crate::OpenError;

/// A store's URL with its parameters, all of them known and none of them secret.
#[derive(Debug)]
pub(crate) struct Address<'a> {
    url: &'a Url,
    parameters: BTreeMap<String, String>,
}

/// Parameters and users of URLs end up in process lists and shell histories.
const NO_SECRETS: &str = "no secrets in the URL of a store: it is seen by others; \
    put them into the environment or into a file, and name that";

impl<'a> Address<'a> {
    /// Messages never quote the URL, which may hold a secret that does not belong there.
    pub(crate) fn parse(url: &'a Url, known: &[&str]) -> Result<Self, OpenError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OpenError::Url(NO_SECRETS.to_owned()));
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in url.query_pairs() {
            if !known.contains(&&*name) {
                return Err(unknown(url, &name, known));
            }
            if value.is_empty() || parameters.insert(name.to_string(), value.into()).is_some() {
                return Err(OpenError::Url(format!(
                    "{name} stands empty or twice in the URL"
                )));
            }
        }
        if url.fragment().is_some() {
            return Err(OpenError::Url("the URL has a # part".to_owned()));
        }
        Ok(Address { url, parameters })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Whether it is `true`; absent is `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, OpenError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(OpenError::Url(format!("{name} is true or false"))),
        }
    }

    /// A URL of HTTP without a secret.
    pub(crate) fn endpoint(&self) -> Result<Option<&str>, OpenError> {
        let Some(endpoint) = self.get("endpoint") else {
            return Ok(None);
        };
        match Url::parse(endpoint) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err(OpenError::Url(NO_SECRETS.to_owned()))
            }
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(Some(endpoint))
            }
            _ => Err(OpenError::Url(
                "endpoint is no URL such as http://host:9000".to_owned(),
            )),
        }
    }

    /// A file that holds the credential.
    pub(crate) fn credentials(&self) -> Option<&Path> {
        self.get("credentials").map(Path::new)
    }

    pub(crate) fn host(&self) -> Option<&str> {
        self.url.host_str().filter(|host| !host.is_empty())
    }

    /// `host:port`, if the URL says nothing else.
    pub(crate) fn server(&self, default_port: u16) -> Option<String> {
        matches!(self.path(), "" | "/").then(|| self.host_and_port(default_port))?
    }

    /// `host:port`, whatever else the URL says.
    pub(crate) fn host_and_port(&self, default_port: u16) -> Option<String> {
        let port = self.url.port().unwrap_or(default_port);
        Some(format!("{}:{port}", self.host()?))
    }

    pub(crate) fn path(&self) -> &str {
        self.url.path()
    }

    /// The path of `scheme:///dir/file`.
    pub(crate) fn file_path(&self) -> Result<PathBuf, OpenError> {
        let path = self.url.path();
        let file = (self.host().is_none() && path.len() > 1 && path.starts_with('/'))
            .then(|| Url::parse(&format!("file://{path}")).ok())
            .flatten();
        file.and_then(|file| file.to_file_path().ok())
            .ok_or_else(|| {
                let scheme = self.url.scheme();
                OpenError::Url(format!(
                    "{scheme}: needs an absolute path, as in {scheme}:///var/lib/weft"
                ))
            })
    }
}

fn unknown(url: &Url, name: &str, known: &[&str]) -> OpenError {
    let secret = ["secret", "password", "token", "access_key", "accesskey"];
    let lower = name.to_lowercase();
    if secret.iter().any(|word| lower.contains(word)) {
        return OpenError::Url(NO_SECRETS.to_owned());
    }
    let scheme = url.scheme();
    OpenError::Url(if known.is_empty() {
        format!("{scheme}: has no parameters, not {name:?} either")
    } else {
        format!(
            "{scheme}: has no parameter {name:?}; there is {}",
            known.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(url: &str, reason: &str) {
        let url = Url::parse(url).expect("a URL");
        let refused = Address::parse(&url, &["endpoint", "create"])
            .and_then(|address| address.endpoint().map(drop).and(address.flag("create")))
            .expect_err("refused");
        let text = format!("{refused} {refused:?}");
        assert!(text.contains(reason), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn secrets_and_unknown_parameters_are_refused() {
        check_refused("s3://me:hunter2@bucket", "no secrets");
        check_refused("nats://hunter2@host:4222", "no secrets");
        check_refused("s3://bucket?secret_access_key=hunter2", "no secrets");
        check_refused("s3://bucket?endpoint=http://me:hunter2@host", "no secrets");
        check_refused("s3://bucket?endpoint=hunter2", "endpoint is no URL");
        check_refused("s3://bucket?speed=hunter2", "no parameter \"speed\"");
        check_refused("s3://bucket?create=yes", "true or false");
        check_refused("s3://bucket?create=true&create=true", "twice");
    }

    #[test]
    fn paths_are_absolute_and_decoded() {
        let path = |url: &str| {
            let url = Url::parse(url).expect("a URL");
            let address = Address::parse(&url, &[]).expect("no parameters");
            address.file_path().ok()
        };
        assert_eq!(
            path("sqlite:///var/a%20b.db"),
            Some(PathBuf::from("/var/a b.db"))
        );
        assert_eq!(path("sqlite:a.db"), None);
        assert_eq!(path("sqlite://host/a.db"), None);
        assert_eq!(path("file:///"), None);
    }
}
