//! What a request presents.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::users::v1::Loopback;
use proto::users::v1::authenticate_request::Credential;

use super::site::{Site, host, is_loopback};

/// No credential is longer.
const CREDENTIAL_BYTES: usize = 512;

/// What a request presents; none if that is nothing, or makes no sense.
pub(super) fn credential(
    request: &Request,
    trust_loopback: bool,
    site: &Site,
) -> Option<Credential> {
    if let Some(token) = token(request.headers()) {
        return Some(Credential::Token(token));
    }
    // Before cookies, which all programs on a loopback address share.
    if trust_loopback && let Some(loopback) = loopback(request) {
        return Some(loopback);
    }
    let session = site.session(request)?;
    (session.len() <= CREDENTIAL_BYTES).then_some(Credential::Session(session))
}

fn loopback(request: &Request) -> Option<Credential> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    // A page that rebinds its name to 127.0.0.1, or a proxy on this machine, shows a host that is not this machine's.
    let host = host(request)?;
    let loopback = peer.ip().is_loopback() && is_loopback(&host);
    loopback.then_some(Credential::Loopback(Loopback {}))
}

/// The secret in an `Authorization` header: `Scope-Probe token=…`, `Bearer …`, or the password of `Basic …` with any name.
/// An empty one is none: probes without a token send it so.
fn token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    let secret = match scheme.to_ascii_lowercase().as_str() {
        "scope-probe" => rest.strip_prefix("token=")?.trim().to_owned(),
        "bearer" => rest.to_owned(),
        "basic" => {
            let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            pair.split_once(':')?.1.to_owned()
        }
        _ => return None,
    };
    (!secret.is_empty() && secret.len() <= CREDENTIAL_BYTES).then_some(secret)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::HeaderValue;

    use super::*;

    fn request(peer: &str, host: &'static str) -> Request {
        let request = Request::builder().uri("/api").header("host", host);
        let mut request = request.body(Body::empty()).expect("a request");
        let peer: SocketAddr = peer.parse().expect("an address");
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    }

    #[test]
    fn only_this_machine_asking_for_this_machine_needs_no_credential() {
        let check = |peer, host, trusted: bool| {
            let site = Site::new(None);
            let found = credential(&request(peer, host), true, &site);
            assert_eq!(found.is_some(), trusted, "{peer} {host}");
            assert_eq!(credential(&request(peer, host), false, &site), None);
        };
        check("127.0.0.1:9", "127.0.0.1:4040", true);
        check("127.0.0.1:9", "localhost:4040", true);
        check("[::1]:9", "[::1]:4040", true);
        check("127.0.0.1:9", "evil.example:4040", false);
        check("192.0.2.1:9", "127.0.0.1:4040", false);
    }

    #[test]
    fn tokens_come_in_three_forms() {
        let check = |value: &[u8], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(
                AUTHORIZATION,
                HeaderValue::from_bytes(value).expect("a value"),
            );
            assert_eq!(token(&headers).as_deref(), expected);
        };
        check(b"Scope-Probe token=", None);
        check(b"Scope-Probe token=abc", Some("abc"));
        check(b"scope-probe token=abc", Some("abc"));
        check(b"Scope-Probe abc", None);
        check(b"Bearer abc", Some("abc"));
        check(b"Bearer \xc3\xbc", None);
        check(b"Bearer", None);
        check(b"Digest abc", None);
        // "any:abc", ":a:b", "abc", and bytes that are no text.
        check(b"Basic YW55OmFiYw==", Some("abc"));
        check(b"Basic OmE6Yg==", Some("a:b"));
        check(b"Basic YWJj", None);
        check(b"Basic //8=", None);
        check(format!("Bearer {}", "a".repeat(513)).as_bytes(), None);
    }
}
