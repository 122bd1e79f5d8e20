//! Ports of containers, as the rest of the world sees them.

use std::net::IpAddr;

use bollard::models::PortBinding;

use super::is_public;
use crate::host::Networks;

/// A port of a container, by each address of the host that leads to it.
pub(super) fn published(port: &str, bindings: &[PortBinding], networks: &Networks) -> Vec<String> {
    if bindings.is_empty() {
        return vec![port.to_owned()];
    }
    let each = bindings.iter().flat_map(|binding| {
        let host_port = binding.host_port.as_deref().unwrap_or_default();
        let ip: Option<IpAddr> = binding.host_ip.as_deref().unwrap_or_default().parse().ok();
        let ips: Vec<IpAddr> = match ip {
            Some(ip) if !ip.is_unspecified() => vec![ip],
            any => {
                let is_v6 = any.is_some_and(|ip| ip.is_ipv6());
                networks
                    .addresses()
                    .filter(|ip| is_public(*ip, networks) && ip.is_ipv6() == is_v6)
                    .collect()
            }
        };
        ips.into_iter()
            .map(move |ip| format!("{ip}:{host_port}->{port}"))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_name_the_addresses_that_lead_to_them() {
        let networks = Networks::default();
        let binding = |ip: &str| PortBinding {
            host_ip: Some(ip.into()),
            host_port: Some("80".into()),
        };
        assert_eq!(published("80/tcp", &[], &networks), ["80/tcp"]);
        assert_eq!(
            published("80/tcp", &[binding("10.0.1.10")], &networks),
            ["10.0.1.10:80->80/tcp"]
        );
        assert!(published("80/tcp", &[binding("0.0.0.0")], &networks).is_empty());
    }
}
