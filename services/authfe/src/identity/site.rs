//! What the edge is called from outside, and what follows for cookies: which ones there are, and when one counts.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{COOKIE, HOST, ORIGIN, UPGRADE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// No cookie of ours is longer.
const COOKIE_BYTES: usize = 2048;

/// How browsers reach the edge.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// `https://weft.example`; none if the edge was not told, and people log in on loopback alone.
    origin: Option<String>,
    secure: bool,
}

/// What a cookie holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// A session. It goes nowhere but from our own pages to us.
    Session,
    /// A login at an OpenID Connect provider that has not ended. It comes along when the provider sends the browser back.
    Login,
    /// A login with a passkey that has not ended.
    Passkey,
}

impl Site {
    pub(crate) fn new(public_url: Option<&Url>) -> Self {
        Site {
            origin: public_url.map(|url| url.origin().ascii_serialization()),
            secure: public_url.is_some_and(|url| url.scheme() == "https"),
        }
    }

    /// Whether people can log in through this request: over https, or on this machine.
    pub(crate) fn can_log_in(&self, request: &Request) -> bool {
        self.secure || host(request).is_some_and(|host| is_loopback(&host))
    }

    /// Whether this is the origin of our own pages.
    pub(crate) fn is_own(&self, origin: &HeaderValue, request: &Request) -> bool {
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let host = origin.split_once("://").map(|(_, host)| host);
        self.origin.as_deref() == Some(origin) || (host.is_some() && host == authority(request))
    }

    /// The value of a cookie, if a page of ours sent it, or a person who typed an address in: no other page's request is
    /// made in a session, whatever the browser sends along.
    pub(super) fn session(&self, request: &Request) -> Option<String> {
        let counts = self.can_log_in(request) && self.is_from_own_page(request);
        counts
            .then(|| self.cookie(Cookie::Session, request.headers()))
            .flatten()
    }

    /// The value of a cookie, whoever sent it.
    pub(crate) fn cookie(&self, cookie: Cookie, headers: &HeaderMap) -> Option<String> {
        let name = self.name(cookie);
        let all = headers.get_all(COOKIE).into_iter();
        let mut pairs = all
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        (!value.is_empty() && value.len() <= COOKIE_BYTES).then(|| value.to_owned())
    }

    /// By what browsers say of where a request comes from; those that say nothing add an `Origin` to all but safe requests.
    pub(crate) fn is_from_own_page(&self, request: &Request) -> bool {
        let headers = request.headers();
        let safe = [Method::GET, Method::HEAD].contains(request.method())
            && !headers.contains_key(UPGRADE)
            && !crate::grpc::is_rpc(request);
        match (headers.get(SEC_FETCH_SITE), headers.get(ORIGIN)) {
            (Some(site), _) if site == "same-origin" => true,
            // Typed in, or a bookmark.
            (Some(site), _) if site == "none" => safe,
            (Some(_), _) => false,
            (None, Some(origin)) => self.is_own(origin, request),
            (None, None) => safe,
        }
    }

    /// A header that sets a cookie for so many seconds; 0 removes it.
    pub(crate) fn set(&self, cookie: Cookie, value: &str, seconds: u64) -> Option<HeaderValue> {
        let name = self.name(cookie);
        let secure = if self.secure { "; Secure" } else { "" };
        let same_site = match cookie {
            Cookie::Session | Cookie::Passkey => "Strict",
            Cookie::Login => "Lax",
        };
        let text = format!(
            "{name}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={seconds}{secure}"
        );
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// `__Host-` has browsers refuse one that was set without TLS or by another host of the domain.
    fn name(&self, cookie: Cookie) -> &'static str {
        match (cookie, self.secure) {
            (Cookie::Session, true) => "__Host-weft_session",
            (Cookie::Session, false) => "weft_session",
            (Cookie::Login, true) => "__Host-weft_login",
            (Cookie::Login, false) => "weft_login",
            (Cookie::Passkey, true) => "__Host-weft_passkey",
            (Cookie::Passkey, false) => "weft_passkey",
        }
    }
}

/// Host and port that a request asks for: a header in HTTP/1.1, part of the address in HTTP/2.
fn authority(request: &Request) -> Option<&str> {
    match request.headers().get(HOST) {
        Some(host) => host.to_str().ok(),
        None => Some(request.uri().authority()?.as_str()),
    }
}

/// The host name that a request asks for.
pub(super) fn host(request: &Request) -> Option<String> {
    let authority = authority(request)?.parse::<Authority>().ok()?;
    Some(authority.host().to_owned())
}

pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn site(url: Option<&str>) -> Site {
        let url = url.map(|url| Url::parse(url).expect("a URL"));
        Site::new(url.as_ref())
    }

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method(method).uri("/api/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).expect("a request")
    }

    const COOKIES: &str = "other=1; __Host-weft_session=safe;weft_session=plain";

    #[test]
    fn cookie_counts_from_own_pages_alone() {
        let site = site(Some("https://weft.example"));
        let check = |method: &str, headers: &[(&str, &str)], counts: bool| {
            let common = [("host", "weft.example"), ("cookie", COOKIES)];
            let all: Vec<_> = common.iter().chain(headers).copied().collect();
            let found = site.session(&request(method, &all));
            assert_eq!(
                found,
                counts.then(|| "safe".to_owned()),
                "{method} {headers:?}"
            );
        };
        check("GET", &[], true);
        check("POST", &[], false);
        check("POST", &[("origin", "https://weft.example")], true);
        check("POST", &[("origin", "https://evil.example")], false);
        check("POST", &[("origin", "null")], false);
        check("GET", &[("upgrade", "websocket")], false);
        let own = ("origin", "https://weft.example");
        check("GET", &[("upgrade", "websocket"), own], true);
        check(
            "GET",
            &[("content-type", "application/grpc-web+proto")],
            false,
        );
        for (site, get, post) in [
            ("same-origin", true, true),
            ("none", true, false),
            ("same-site", false, false),
            ("cross-site", false, false),
            ("anything", false, false),
        ] {
            check("GET", &[("sec-fetch-site", site)], get);
            check("POST", &[("sec-fetch-site", site)], post);
        }
    }

    #[test]
    fn without_tls_people_log_in_on_this_machine_alone() {
        let check = |url: Option<&str>, host: &str, expected: Option<&str>| {
            let request = request("GET", &[("host", host), ("cookie", COOKIES)]);
            let found = site(url).session(&request);
            assert_eq!(found.as_deref(), expected, "{url:?} {host}");
        };
        check(None, "127.0.0.1:4040", Some("plain"));
        check(None, "localhost:4040", Some("plain"));
        check(None, "weft.example", None);
        check(Some("http://127.0.0.1:4040"), "evil.example", None);
        check(Some("https://weft.example"), "10.0.0.1", Some("safe"));
    }

    #[test]
    fn http_2_names_the_host_in_the_address() {
        let request = Request::post("http://127.0.0.1:4040/x").body(Body::empty());
        let request = request.expect("a request");
        let own = |origin| site(None).is_own(&HeaderValue::from_static(origin), &request);
        assert!(own("http://127.0.0.1:4040"));
        assert!(!own("http://127.0.0.1:4041") && !own("http://evil.example") && !own("null"));
    }

    #[test]
    fn cookies_are_for_this_site_and_no_script() {
        let check = |url: Option<&str>, cookie, expected: &str| {
            let set = site(url).set(cookie, "x", 60).expect("a header");
            assert_eq!(set.to_str().expect("ASCII"), expected);
            assert!(set.is_sensitive());
        };
        check(
            Some("https://weft.example"),
            Cookie::Session,
            "__Host-weft_session=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure",
        );
        check(
            None,
            Cookie::Login,
            "weft_login=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=60",
        );
    }
}
