//! Waits until it can be told which version of HTTP a peer speaks.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::guarded::Guarded;

/// What a client sends first that speaks HTTP/2 (RFC 9113, 3.4).
const HTTP2: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads ahead until hyper need not wait for more to tell the version, for which it knows no deadline.
pub(super) async fn wait<S>(stream: &mut Guarded<S>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while is_open(stream.ahead()) {
        stream.read_ahead().await?;
    }
    Ok(())
}

/// Whether these may be the first bytes of either version.
fn is_open(first: &[u8]) -> bool {
    first.len() < HTTP2.len() && HTTP2.starts_with(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_told_as_soon_as_it_can_be() {
        for (first, open) in [
            (&b""[..], true),
            (b"P", true),
            (b"PO", false),
            (b"GET", false),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", true),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false),
            (b"PRI * HTTP/1.1\r\n", false),
        ] {
            assert_eq!(is_open(first), open, "{first:?}");
        }
    }
}
