//! How the public port is protected.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args as ClapArgs;
use ipnet::IpNet;
use runtime::{Listening, Proxies, Runtime, Tls};

#[derive(Debug, ClapArgs)]
pub(crate) struct PortArgs {
    /// Speak TLS on the public port, with this chain of certificates (PEM). It is read again when it changes
    #[arg(long, env = "WEFT_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert (PEM)
    #[arg(long, env = "WEFT_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Proxies that are believed when they say for whom they speak, in X-Forwarded-For: an address or a range as in
    /// 10.0.0.0/8 (may be repeated)
    #[arg(long, env = "WEFT_TRUSTED_PROXIES", value_name = "RANGE", value_delimiter = ',', value_parser = range)]
    pub(crate) trusted_proxies: Vec<IpNet>,

    /// The trusted proxies say it in a PROXY header, version 1 or 2, before anything else; X-Forwarded-For counts for nothing
    #[arg(long, env = "WEFT_PROXY_PROTOCOL", requires = "trusted_proxies")]
    pub(crate) proxy_protocol: bool,

    /// Open connections; more are closed at once
    #[arg(long, env = "WEFT_MAX_CONNECTIONS", value_name = "N", default_value = "16384",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: u32,

    /// Open connections of one client: an IPv4 address or an IPv6 /64
    #[arg(long, env = "WEFT_MAX_CONNECTIONS_PER_CLIENT", value_name = "N", default_value = "1024",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections_per_client: u32,

    /// Requests per second of one client, and ten times as many at once; more get 429. 0 is no bound, here and below
    #[arg(
        long,
        env = "WEFT_MAX_REQUESTS_PER_CLIENT",
        value_name = "N",
        default_value = "500"
    )]
    pub(crate) max_requests_per_client: u32,

    /// Different wrong credentials per minute of one client; then it may try no more
    #[arg(
        long,
        env = "WEFT_MAX_FAILURES_PER_CLIENT",
        value_name = "N",
        default_value = "30"
    )]
    pub(crate) max_failures_per_client: u32,

    /// Requests per second with one credential
    #[arg(
        long,
        env = "WEFT_MAX_REQUESTS_PER_CREDENTIAL",
        value_name = "N",
        default_value = "500"
    )]
    pub(crate) max_requests_per_credential: u32,

    /// Requests per second of one organisation
    #[arg(
        long,
        env = "WEFT_MAX_REQUESTS_PER_ORG",
        value_name = "N",
        default_value = "1000"
    )]
    pub(crate) max_requests_per_org: u32,

    /// Reports per second of one probe
    #[arg(
        long,
        env = "WEFT_MAX_REPORTS_PER_PROBE",
        value_name = "N",
        default_value = "5"
    )]
    pub(crate) max_reports_per_probe: u32,
}

impl PortArgs {
    /// How to listen. Certificates are followed from now on.
    pub(crate) fn listening(
        &self,
        spare_loopback: bool,
        rt: &Runtime,
    ) -> anyhow::Result<Listening> {
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificates), Some(key)) => {
                let tls = Tls::open(certificates, key).context("--tls-cert, --tls-key")?;
                tls.follow(rt);
                Some(tls)
            }
            _ => None,
        };
        Ok(Listening {
            public: true,
            connections: self.max_connections as usize,
            connections_per_client: self.max_connections_per_client as usize,
            spare_loopback,
            proxies: Proxies::new(self.trusted_proxies.clone(), self.proxy_protocol),
            tls,
            ..Listening::new("public")
        })
    }

    pub(crate) fn limits(&self) -> authfe::Limits {
        authfe::Limits {
            client: self.max_requests_per_client,
            failures: self.max_failures_per_client,
            credential: self.max_requests_per_credential,
            organisation: self.max_requests_per_org,
            probe: self.max_reports_per_probe,
        }
    }

    pub(crate) fn scheme(&self) -> &'static str {
        match self.tls_cert {
            Some(_) => "https",
            None => "http",
        }
    }
}

fn range(text: &str) -> Result<IpNet, String> {
    let alone = |_| text.parse::<IpAddr>().map(IpNet::from);
    let range = text.parse::<IpNet>().or_else(alone);
    range.map_err(|_| "expected an address, or a range as in 10.0.0.0/8".to_owned())
}

/// Connections need file descriptors, of which shells allow 1,024 unless they are asked for more.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // It stays as it is then, and connections beyond it wait.
    let _ = setrlimit(Resource::Nofile, limit);
}
