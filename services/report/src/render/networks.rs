//! Sets of IP networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that are "ours".
#[derive(Debug, Default)]
pub(crate) struct Networks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Networks {
    /// Adds a network in the form `192.0.2.2/24`; host bits are ignored, and so is anything else.
    pub(crate) fn add_cidr(&mut self, cidr: &[u8]) {
        let Some((address, bits)) = parse_cidr(cidr) else {
            return;
        };
        match address {
            IpAddr::V4(a) => self.add_v4(a, bits),
            IpAddr::V6(a) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                let first = u128::from(a) & mask;
                self.v6.push((first, first | !mask));
            }
        }
    }

    /// Adds the smallest network that holds all of these addresses.
    pub(crate) fn add_containing(&mut self, addresses: &[Ipv4Addr]) {
        let Some(&first) = addresses.first() else {
            return;
        };
        let differing = addresses
            .iter()
            .fold(0, |bits, &a| bits | (u32::from(a) ^ u32::from(first)));
        self.add_v4(first, differing.leading_zeros());
    }

    fn add_v4(&mut self, address: Ipv4Addr, bits: u32) {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        let first = u32::from(address) & mask;
        self.v4.push((first, first | !mask));
    }

    /// Sorts and joins the networks. To be called before [`Networks::contains`].
    pub(crate) fn finish(&mut self) {
        join(&mut self.v4);
        join(&mut self.v6);
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(a) => within(&self.v4, u32::from(a)),
            IpAddr::V6(a) => within(&self.v6, u128::from(a)),
        }
    }
}

fn join<T: Ord + Copy>(ranges: &mut Vec<(T, T)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let overlaps = next.0 <= kept.1;
        if overlaps {
            kept.1 = kept.1.max(next.1);
        }
        overlaps
    });
}

fn within<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|r| r.0 <= address);
    after > 0 && address <= ranges[after - 1].1
}

fn parse_cidr(cidr: &[u8]) -> Option<(IpAddr, u32)> {
    let text = std::str::from_utf8(cidr).ok()?;
    let (address, bits) = text.split_once('/')?;
    let address = parse_ip(address.as_bytes())?;
    if bits.is_empty() || !bits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let bits: u32 = bits.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some((address, bits))
}

/// Like Go's parser of the probes' time: leading zeros are decimal, IPv4 in IPv6 form is IPv4.
pub(crate) fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    match text.iter().find(|b| matches!(b, b'.' | b':'))? {
        b'.' => parse_v4(text).map(IpAddr::V4),
        _ => {
            let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
            Some(address.to_canonical())
        }
    }
}

pub(crate) fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split(|&b| b == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || part.len() > 8 {
            return None;
        }
        let mut number = 0u32;
        for &b in part {
            if !b.is_ascii_digit() {
                return None;
            }
            number = number * 10 + u32::from(b - b'0');
        }
        *octet = u8::try_from(number).ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(cidrs: &[&str]) -> Networks {
        let mut networks = Networks::default();
        for cidr in cidrs {
            networks.add_cidr(cidr.as_bytes());
        }
        networks.finish();
        networks
    }

    #[test]
    fn host_bits_and_nonsense_are_ignored() {
        let n = networks(&[
            "192.0.2.2/24",
            "10.0.0.0/8",
            "10.1.0.0/16",
            "nonsense",
            "1.2.3.4",
            "1.2.3.4/33",
            "fd00::1/8",
        ]);
        let check = |address: &str, want: bool| {
            let address = parse_ip(address.as_bytes()).expect("an address");
            assert_eq!(n.contains(address), want, "{address}");
        };
        check("192.0.2.255", true);
        check("192.0.3.0", false);
        check("10.255.255.255", true);
        check("11.0.0.0", false);
        check("9.255.255.255", false);
        check("1.2.3.4", false);
        check("fdff::1", true);
        check("fe00::1", false);
        check("::ffff:10.0.0.1", true);
    }

    #[test]
    fn everything_can_be_local() {
        let n = networks(&["0.0.0.0/0"]);
        assert!(n.contains(IpAddr::V4(Ipv4Addr::new(255, 255, 255, 255))));
        assert!(!networks(&[]).contains(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }

    #[test]
    fn containing_network_is_the_smallest() {
        let mut n = Networks::default();
        n.add_containing(&[]);
        n.add_containing(&[Ipv4Addr::new(10, 96, 0, 1), Ipv4Addr::new(10, 96, 3, 200)]);
        n.finish();
        assert!(n.contains(IpAddr::V4(Ipv4Addr::new(10, 96, 2, 7))));
        assert!(!n.contains(IpAddr::V4(Ipv4Addr::new(10, 96, 4, 0))));
    }

    #[test]
    fn addresses_are_strict() {
        for bad in [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.x",
            "1..2.3",
            "x",
            "1:2",
        ] {
            assert_eq!(parse_ip(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_v4(b"010.0.0.1"), Some(Ipv4Addr::new(10, 0, 0, 1)));
    }
}
