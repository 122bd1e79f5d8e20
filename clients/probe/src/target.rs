//! Where the app is: the base that every path of its API is appended to.

use http::Uri;
use http::uri::Authority;

use crate::config::Token;
use crate::error::Error;

/// The port of an app that is named without scheme and port.
const DEFAULT_PORT: u16 = 4040;

/// The address of an app.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    tls: bool,
    /// Host and port, without user information.
    authority: Authority,
    /// Without a final slash.
    prefix: String,
}

impl Target {
    /// Reads the URL of an app, and the token in it if there is one.
    pub(crate) fn parse(url: &str) -> Result<(Self, Option<Token>), Error> {
        Self::try_parse(url.trim()).ok_or_else(|| {
            let rest = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
            Error::InvalidUrl {
                url: rest.to_owned(),
            }
        })
    }

    fn try_parse(url: &str) -> Option<(Self, Option<Token>)> {
        let has_scheme = url.contains("://");
        let bare = url.split('/').next().unwrap_or(url);
        let scheme = if bare.ends_with(":443") {
            "https"
        } else {
            "http"
        };
        let uri: Uri = if has_scheme {
            url.parse()
        } else {
            format!("{scheme}://{url}").parse()
        }
        .ok()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        if uri.query().is_some() {
            return None;
        }
        let full = uri.authority()?.as_str();
        let (user, host) = match full.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, full),
        };
        let mut authority: Authority = host.parse().ok()?;
        if authority.host().is_empty() {
            return None;
        }
        if authority.port().is_none() && !has_scheme {
            authority = format!("{host}:{DEFAULT_PORT}").parse().ok()?;
        }
        // `user:password` and `user` are both taken as the token is: the part that is not blank.
        let token = user
            .map(|user| user.trim_matches(':'))
            .filter(|user| !user.is_empty())
            .map(Token::from);
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Some((
            Self {
                tls,
                authority,
                prefix,
            },
            token,
        ))
    }

    /// The address of `path`, which starts with a slash.
    pub(crate) fn http(&self, path: &str) -> Result<Uri, http::Error> {
        self.uri(if self.tls { "https" } else { "http" }, path)
    }

    /// The address of a WebSocket at `path`, which starts with a slash.
    pub(crate) fn websocket(&self, path: &str) -> Result<Uri, http::Error> {
        self.uri(if self.tls { "wss" } else { "ws" }, path)
    }

    fn uri(&self, scheme: &str, path: &str) -> Result<Uri, http::Error> {
        let path = format!("{}{path}", self.prefix);
        Uri::builder()
            .scheme(scheme)
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &str, token: Option<&str>) {
        let (target, found) = Target::parse(url).expect("a target");
        assert_eq!(target.to_string(), expected);
        assert_eq!(found.as_ref().map(Token::expose), token);
        assert_eq!(
            target.http("/api").expect("a URI").to_string(),
            format!("{expected}/api")
        );
        let websocket = target.websocket("/api").expect("a URI").to_string();
        assert_eq!(
            websocket,
            format!("{expected}/api").replacen("http", "ws", 1)
        );
    }

    #[test]
    fn missing_parts_are_those_of_scope() {
        check("127.0.0.1", "http://127.0.0.1:4040", None);
        check("app.example.com:443", "https://app.example.com:443", None);
        check("http://app.example.com", "http://app.example.com", None);
        check(
            "https://t0ken@app.example.com/tenant/",
            "https://app.example.com/tenant",
            Some("t0ken"),
        );
        check("http://[::1]:4040/", "http://[::1]:4040", None);
    }

    #[test]
    fn other_urls_are_refused_without_showing_their_secret() {
        for url in ["", "ftp://app", "http://", "http://a b", "http://app?x=1"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        let error = Target::parse("ftp://s3cret@app").expect_err("a wrong scheme");
        assert!(!error.to_string().contains("s3cret"));
    }
}
