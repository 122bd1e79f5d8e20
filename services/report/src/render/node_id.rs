//! The parts of node ids.

/// Before and after the first `;`.
pub(crate) fn split(id: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = id.iter().position(|&b| b == b';')?;
    Some((&id[..at], &id[at + 1..]))
}

/// The name in `<name>;<tag>`, if the tag is this one.
pub(crate) fn tagged<'a>(id: &'a [u8], tag: &str) -> Option<&'a [u8]> {
    let (name, rest) = split(id)?;
    let inner = rest.strip_prefix(b"<")?.strip_suffix(b">")?;
    (inner == tag.as_bytes()).then_some(name)
}

/// The parts of an endpoint's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndpointId<'a> {
    /// A host, or empty where addresses are unique.
    pub(crate) scope: &'a [u8],
    pub(crate) address: &'a [u8],
    pub(crate) port: &'a [u8],
}

impl<'a> EndpointId<'a> {
    pub(crate) fn parse(id: &'a [u8]) -> Option<Self> {
        let (scope, rest) = split(id)?;
        let (address, port) = split(rest)?;
        Some(EndpointId {
            scope,
            address,
            port,
        })
    }
}

/// `<name>;<tag>`
pub(crate) fn make(name: &[u8], tag: &str) -> Vec<u8> {
    [name, b";<", tag.as_bytes(), b">"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_split_at_the_first_semicolons() {
        assert_eq!(split(b"a;b;c"), Some((&b"a"[..], &b"b;c"[..])));
        assert_eq!(split(b"abc"), None);
        assert_eq!(tagged(b"h;<host>", "host"), Some(&b"h"[..]));
        assert_eq!(tagged(b"h;host", "host"), None);
        assert_eq!(tagged(b"h;<pod>", "host"), None);
        let id = EndpointId::parse(b";10.0.0.1;80;x").expect("an endpoint");
        assert_eq!(
            (id.scope, id.address, id.port),
            (&b""[..], &b"10.0.0.1"[..], &b"80;x"[..])
        );
        assert_eq!(EndpointId::parse(b";10.0.0.1"), None);
        assert_eq!(make(b"h", "host"), b"h;<host>");
    }
}
