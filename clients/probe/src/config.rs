//! What a probe is told.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The configuration of a probe. `Config::new` has a default for all but the URL.
#[derive(Clone, Debug)]
pub struct Config {
    /// The app to report to, such as `http://127.0.0.1:4040`, with an optional path that precedes `/api`.
    /// Without a scheme it is `https` for port 443, else `http`; without either, the port is 4040.
    pub url: String,
    /// Proves to the app which organisation the probe belongs to. User information in the URL does the same.
    pub token: Option<Token>,
    /// How often a report is sent. Default: 3 s.
    pub publish_interval: Duration,
    /// How often the machine is looked at. Stretched by the probe itself where looking is expensive. Default: 1 s.
    pub spy_interval: Duration,
    /// One of so many reports is full, the others say what changed. 1 makes all full. Default: 3.
    pub full_report_every: u32,
    /// Where the procfs is. Default: `/proc`.
    pub proc_root: PathBuf,
    /// The name of this host, by which its nodes are told from those of others.
    /// Default: `SCOPE_HOSTNAME` in the environment, else what the kernel says.
    pub hostname: Option<String>,
    /// Whether and how containers are reported. Default: `Auto`.
    pub containers: Containers,
    /// Whether users may control this host through the app: open shells, stop containers. Default: true.
    pub controls: bool,
    /// The shell that `host_exec` opens, and its arguments. Default: the user's own.
    pub shell: Vec<String>,
    /// Whether connections over IPv6 are reported. Default: true.
    pub ipv6: bool,
    /// Whether environment variables of containers are reported; they often hold secrets. Default: false.
    pub environment: bool,
    /// Whether the arguments of commands are reported. Default: true.
    pub arguments: bool,
    /// The version that is reported. Default: this crate's.
    pub version: String,
}

/// How containers are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Containers {
    /// Through Docker's socket where there is one when the probe starts: that of `DOCKER_HOST` in the environment, or the
    /// usual one.
    #[default]
    Auto,
    /// Through this Docker socket, which may appear later.
    Docker(PathBuf),
    /// Not at all.
    Off,
}

/// A secret. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Config {
    /// The defaults for an app.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: None,
            publish_interval: Duration::from_secs(3),
            spy_interval: Duration::from_secs(1),
            full_report_every: 3,
            proc_root: PathBuf::from("/proc"),
            hostname: None,
            containers: Containers::Auto,
            controls: true,
            shell: Vec::new(),
            ipv6: true,
            environment: false,
            arguments: true,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The name of this host.
    pub(crate) fn host(&self) -> String {
        let configured = self
            .hostname
            .clone()
            .or_else(|| std::env::var("SCOPE_HOSTNAME").ok());
        configured
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| {
                let name = rustix::system::uname()
                    .nodename()
                    .to_string_lossy()
                    .into_owned();
                if name.is_empty() {
                    "(unknown)".to_owned()
                } else {
                    name
                }
            })
    }
}

impl Token {
    /// The secret itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Token {
    /// Surrounding blanks, such as the line break that ends a file, are not part of the token.
    fn from(text: T) -> Self {
        Self(text.into().trim().to_owned())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_not_shown() {
        let config = Config {
            token: Some("s3cret\n".into()),
            ..Config::new("http://app")
        };
        assert!(!format!("{config:?}").contains("s3cret"));
        assert_eq!(config.token.as_ref().map(Token::expose), Some("s3cret"));
    }
}
