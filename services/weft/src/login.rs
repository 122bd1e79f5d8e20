//! How people log in, from the command line.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args as ClapArgs, ValueEnum};
use url::{Host, Url};

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Logging in")]
pub(crate) struct LoginArgs {
    /// When a session ends that is not used
    #[arg(long, env = "WEFT_SESSION_IDLE", value_name = "TIME", default_value = "24h",
          value_parser = humantime::parse_duration)]
    session_idle: Duration,

    /// When a session ends, used or not
    #[arg(long, env = "WEFT_SESSION_LIFETIME", value_name = "TIME", default_value = "30d",
          value_parser = humantime::parse_duration)]
    session_lifetime: Duration,

    /// Who gets an account by logging in
    #[arg(long, env = "WEFT_SIGN_UP", default_value = "invited")]
    sign_up: SignUp,

    /// A server that takes mail with links to log in: smtps://host:465, or smtp://host:587 with STARTTLS. Parameters:
    /// credentials=/file that holds name:password, rootcert=/file, tls=none on loopback
    #[arg(long, env = "WEFT_SMTP", value_name = "URL", requires = "mail_from")]
    smtp: Option<Url>,

    /// Who sends that mail: "Weft <weft@example.com>"
    #[arg(long, env = "WEFT_MAIL_FROM", value_name = "ADDRESS")]
    mail_from: Option<String>,

    /// An OpenID Connect provider to log in with, ID=ISSUER?client_id=… (may be repeated). Further parameters:
    /// credentials=/file that holds the client's secret, name for display, scope, groups: the claim that lists groups,
    /// role=GROUP:ORG:ROLE: what a group of it may (may be repeated)
    #[arg(long, env = "WEFT_OIDC", value_name = "PROVIDER")]
    oidc: Vec<users::OidcConfig>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SignUp {
    /// People who were invited
    Invited,
    /// Anybody who proves to own an e-mail address
    Anybody,
}

impl LoginArgs {
    /// What users is told. Links lead to this URL.
    pub(crate) fn config(&self, public_url: Option<Url>) -> anyhow::Result<users::LoginConfig> {
        let mail = match (&self.smtp, &self.mail_from) {
            (Some(url), Some(from)) => Some(users::Mail::open(url, from).context("--smtp")?),
            _ => None,
        };
        if public_url.is_none() && (mail.is_some() || !self.oidc.is_empty()) {
            bail!("--smtp and --oidc need --public-url, which links and providers lead back to");
        }
        Ok(users::LoginConfig {
            public_url,
            session_idle: self.session_idle,
            session_lifetime: self.session_lifetime,
            sign_up: match self.sign_up {
                SignUp::Invited => users::SignUp::Invited,
                SignUp::Anybody => users::SignUp::Anybody,
            },
            mail,
            oidc: self.oidc.clone(),
        })
    }
}

/// An origin whose cookies nobody reads on their way.
pub(crate) fn public_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    let safe = match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(host)) => is_loopback(&host),
        _ => false,
    };
    if plain && anonymous && safe {
        return Ok(url);
    }
    Err("expected https://host, without a path; http:// for a loopback address alone".to_owned())
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => IpAddr::from(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(*address).is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_log_in_over_tls_or_on_this_machine() {
        for good in [
            "https://weft.example",
            "https://weft.example:8443/",
            "http://127.0.0.1:4040",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert!(public_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://weft.example",
            "https://weft.example/path",
            "https://me@weft.example",
            "weft.example",
            "ftp://x",
            "https://x?a",
        ] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }
}
