//! The PROXY protocol, versions 1 and 2: what a proxy says before it passes on a connection.
//!
//! The format is that of <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite};

use super::guarded::Guarded;

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1.
const V1_BYTES: usize = 107;
/// Before the addresses of version 2: the signature, version and command, family, and a length.
const V2_HEAD: usize = 16;
/// The longest addresses and extensions of version 2 that are taken.
const V2_BYTES: usize = 2048;

/// Reads the header; the client's address, or none if the proxy speaks for itself.
///
/// # Errors
/// When there is none, or it makes no sense.
pub(super) async fn read<S>(stream: &mut Guarded<S>) -> io::Result<Option<SocketAddr>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match parse(stream.ahead()) {
            Header::Whole(bytes, client) => {
                stream.ahead().advance(bytes);
                return Ok(client);
            }
            Header::Part => stream.read_ahead().await?,
            Header::Broken => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Header {
    /// More bytes are needed.
    Part,
    /// It has so many bytes.
    Whole(usize, Option<SocketAddr>),
    Broken,
}

fn parse(bytes: &[u8]) -> Header {
    let begins = |start: &[u8]| start.starts_with(bytes) || bytes.starts_with(start);
    if begins(V2) {
        v2(bytes).unwrap_or(Header::Broken)
    } else if begins(V1) {
        v1(bytes).unwrap_or(Header::Broken)
    } else {
        Header::Broken
    }
}

fn v1(bytes: &[u8]) -> Option<Header> {
    let line = &bytes[..bytes.len().min(V1_BYTES)];
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        return (bytes.len() < V1_BYTES).then_some(Header::Part);
    };
    let text = std::str::from_utf8(&line[V1.len()..end]).ok()?;
    let fields: Vec<&str> = text.split(' ').collect();
    let client = match fields[..] {
        ["UNKNOWN", ..] => None,
        [family @ ("TCP4" | "TCP6"), source, _, port, _] => {
            let address: IpAddr = source.parse().ok()?;
            if address.is_ipv4() != (family == "TCP4") {
                return None;
            }
            Some(SocketAddr::new(address, port.parse().ok()?))
        }
        _ => return None,
    };
    Some(Header::Whole(end + 2, client))
}

fn v2(bytes: &[u8]) -> Option<Header> {
    let Some((mut head, rest)) = bytes.split_at_checked(V2_HEAD) else {
        return Some(Header::Part);
    };
    head.advance(V2.len());
    let (command, family, length) = (head.get_u8(), head.get_u8(), usize::from(head.get_u16()));
    if length > V2_BYTES {
        return None;
    }
    let Some(mut rest) = rest.get(..length) else {
        return Some(Header::Part);
    };
    let client = match (command, family) {
        // A connection of the proxy's own.
        (0x20, _) => None,
        // Of no family that it knows: the specification says to use the peer's address.
        (0x21, 0x00) => None,
        (0x21, 0x11) if length >= 12 => {
            let address = Ipv4Addr::from_bits(rest.get_u32());
            rest.advance(4);
            Some(SocketAddr::from((address, rest.get_u16())))
        }
        (0x21, 0x21) if length >= 36 => {
            let address = Ipv6Addr::from_bits(rest.get_u128());
            rest.advance(16);
            Some(SocketAddr::from((address, rest.get_u16())))
        }
        _ => return None,
    };
    Some(Header::Whole(V2_HEAD + length, client))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2_header(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).expect("short");
        let mut header = V2.to_vec();
        header.extend([command, family]);
        header.extend(length.to_be_bytes());
        header.extend(addresses);
        header
    }

    /// Whole it is this, followed by anything, and cut off anywhere it is a part of something.
    fn check_whole(header: &[u8], client: Option<&str>) {
        let client = client.map(|client| client.parse().expect("an address"));
        let mut more = header.to_vec();
        more.extend(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(
            parse(&more),
            Header::Whole(header.len(), client),
            "{header:?}"
        );
        for length in 0..header.len() {
            assert_eq!(
                parse(&header[..length]),
                Header::Part,
                "{length} of {header:?}"
            );
        }
    }

    #[test]
    fn both_versions_are_read() {
        check_whole(
            b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n",
            Some("192.0.2.1:56324"),
        );
        check_whole(
            b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n",
            Some("[2001:db8::1]:1"),
        );
        check_whole(b"PROXY UNKNOWN\r\n", None);
        check_whole(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None);
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 1, 187];
        check_whole(&v2_header(0x21, 0x11, &v4), Some("192.0.2.1:56324"));
        let mut extended = v4.to_vec();
        extended.extend([0x04, 0, 3, 1, 2, 3]);
        check_whole(&v2_header(0x21, 0x11, &extended), Some("192.0.2.1:56324"));
        let mut v6 = vec![0; 36];
        v6[15] = 1;
        v6[33] = 9;
        check_whole(&v2_header(0x21, 0x21, &v6), Some("[::1]:9"));
        check_whole(&v2_header(0x20, 0, b""), None);
        check_whole(&v2_header(0x21, 0, b""), None);
    }

    #[test]
    fn everything_else_is_refused() {
        for header in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n",
            b"PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 1\r\n",
            b"PROXY TCP5 192.0.2.1 192.0.2.2 1 1\r\n",
            b"PROXY TCP4 \xff 192.0.2.2 1 1\r\n",
            &v2_header(0x11, 0x11, &[0; 12]),
            &v2_header(0x22, 0x11, &[0; 12]),
            &v2_header(0x21, 0x11, &[0; 11]),
            &v2_header(0x21, 0x12, &[0; 12]),
            &v2_header(0x21, 0x21, &[0; 35]),
            &v2_header(0x21, 0x11, &[0; V2_BYTES + 1])[..V2_HEAD],
            &[&b"PROXY TCP4 "[..], &[b'1'; 200]].concat(),
        ] {
            assert_eq!(parse(header), Header::Broken, "{header:?}");
        }
    }
}
