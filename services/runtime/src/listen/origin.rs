//! Where a request comes from: the client's own address, whatever stands in between.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Other headers that say the same. Nothing reads them here, and what is behind shall not believe them.
const OTHERS: [HeaderName; 2] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-real-ip"),
];
/// Proxies between a client and this server that are looked at.
const HOPS: usize = 16;

/// Proxies that are believed when they say for whom they speak. Nobody else is.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    ranges: Arc<[IpNet]>,
    introduce: bool,
}

impl Proxies {
    /// Proxies with addresses in these ranges. They say it in a PROXY header (version 1 or 2) before anything else on a
    /// connection if `proxy_protocol`, and else in `X-Forwarded-For`.
    #[must_use]
    pub fn new(ranges: Vec<IpNet>, proxy_protocol: bool) -> Self {
        Proxies {
            ranges: ranges.into(),
            introduce: proxy_protocol,
        }
    }

    pub(super) fn include(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.ranges.iter().any(|range| range.contains(&address))
    }

    /// Whether they say it before anything else.
    #[must_use]
    pub fn introduce(&self) -> bool {
        self.introduce
    }
}

/// What is counted as one client: an IPv4 address, or the IPv6 /64 that one customer of a network has at least.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    peer: SocketAddr,
    client: SocketAddr,
    proxies: Proxies,
    secure: bool,
    /// Whether it is a service of ours, which is believed.
    ours: bool,
}

impl Origin {
    /// A service of ours.
    pub(super) fn ours(peer: SocketAddr) -> Self {
        Origin {
            ours: true,
            ..Origin::new(peer, peer, Proxies::default())
        }
    }

    /// `client` is the peer, or for whom it said that it speaks when it connected.
    pub(super) fn new(peer: SocketAddr, client: SocketAddr, proxies: Proxies) -> Self {
        Origin {
            peer,
            client,
            proxies,
            secure: false,
            ours: false,
        }
    }

    /// Over TLS.
    pub(super) fn secure(self) -> Self {
        Origin {
            secure: true,
            ..self
        }
    }

    pub(super) fn client(&self) -> SocketAddr {
        self.client
    }

    /// Whether it is a service of ours.
    pub(super) fn is_ours(&self) -> bool {
        self.ours
    }

    /// Whether its connection carries the requests of one client alone.
    pub(super) fn is_one_client(&self) -> bool {
        let proxied = self.proxies.include(self.peer.ip()) && !self.proxies.introduce;
        !self.ours && !proxied
    }

    /// Notes the client's address and scheme in a request, in place of what the request itself says of them.
    pub(super) fn mark<B>(&self, request: &mut Request<B>) {
        if self.ours {
            request.extensions_mut().insert(ConnectInfo(self.client));
            return;
        }
        let believed = !self.is_one_client();
        let headers = request.headers_mut();
        let client = match believed {
            true => self.forwarded(headers),
            false => self.client,
        };
        if !believed {
            headers.remove(FORWARDED_PROTO);
        }
        if self.secure {
            headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        }
        for name in OTHERS {
            headers.remove(name);
        }
        if let Ok(value) = HeaderValue::try_from(client.ip().to_canonical().to_string()) {
            headers.insert(FORWARDED_FOR, value);
        }
        request.extensions_mut().insert(ConnectInfo(client));
    }

    /// The last address that a trusted proxy added and that is no trusted proxy's itself. What stands before it, anybody
    /// may have made up.
    fn forwarded(&self, headers: &HeaderMap) -> SocketAddr {
        let values = headers.get_all(FORWARDED_FOR);
        let texts = values
            .iter()
            .rev()
            .map(|value| value.to_str().unwrap_or(""));
        let hops = texts.flat_map(|text| text.rsplit(',')).map(str::trim);
        let mut client = self.peer;
        for hop in hops.take(HOPS) {
            let Some(address) = address(hop) else { break };
            client = address;
            if !self.proxies.include(client.ip()) {
                break;
            }
        }
        client
    }
}

/// An address with or without a port; without, the port is 0.
fn address(text: &str) -> Option<SocketAddr> {
    if let Ok(ip) = text
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
    {
        return Some(SocketAddr::new(ip, 0));
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(ranges: &[&str], introduce: bool) -> Proxies {
        let ranges = ranges.iter().map(|range| range.parse().expect("a range"));
        Proxies::new(ranges.collect(), introduce)
    }

    /// The client as noted, and the headers as they go on.
    fn marked(origin: &Origin, headers: &[(&str, &str)]) -> (String, HeaderMap) {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).expect("a request");
        origin.mark(&mut request);
        let ConnectInfo(client) = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .expect("noted");
        (client.ip().to_string(), request.headers().clone())
    }

    #[test]
    fn only_trusted_proxies_say_for_whom_they_speak() {
        let check = |peer: &str, forwarded: &[&str], client: &str| {
            let peer = SocketAddr::new(peer.parse().expect("an address"), 9);
            let origin = Origin::new(peer, peer, proxies(&["10.0.0.0/8", "2001:db8::/32"], false));
            let headers: Vec<_> = forwarded.iter().map(|v| ("X-Forwarded-For", *v)).collect();
            let (found, headers) = marked(&origin, &headers);
            assert_eq!(found, client, "{peer} {forwarded:?}");
            let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
            assert_eq!(values, [client], "what goes on is the truth alone");
        };
        check("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
        check("192.0.2.1", &[], "192.0.2.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("10.0.0.1", &["127.0.0.1, 198.51.100.7"], "198.51.100.7");
        check(
            "10.0.0.1",
            &["127.0.0.1", "198.51.100.7, 10.1.1.1"],
            "198.51.100.7",
        );
        check("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7");
        check("10.0.0.1", &["[2001:db9::1]:4711"], "2001:db9::1");
        check("2001:db8::1", &["made up, 10.0.0.2"], "10.0.0.2");
        check("10.0.0.1", &["made up"], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.7,"], "10.0.0.1");
    }

    #[test]
    fn behind_the_proxy_protocol_headers_count_for_nothing() {
        let peer: SocketAddr = "10.0.0.1:9".parse().expect("an address");
        let client: SocketAddr = "198.51.100.7:9".parse().expect("an address");
        let origin = Origin::new(peer, client, proxies(&["10.0.0.0/8"], true)).secure();
        let said = [
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
        ];
        let (found, headers) = marked(&origin, &said);
        assert_eq!(found, "198.51.100.7");
        assert_eq!(headers.len(), 2, "{headers:?}");
        assert_eq!(headers[FORWARDED_PROTO], "https");
    }

    #[test]
    fn clients_are_counted_by_network() {
        for (address, counted) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(network(address).to_string(), counted);
        }
    }
}
