//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use http::uri::Authority;
use http::{HeaderValue, Uri};
use runtime::telemetry;
use url::Url;

use crate::login::{self, LoginArgs};
use crate::port::PortArgs;
use crate::stores::{ControlsArgs, KeepArgs, PipesArgs, StoreArgs, UsersStoreArgs};

/// See what runs on your hosts and what talks to what.
///
/// `weft up` runs everything in one process and shows this machine. Each service can also run by itself, and finds the
/// others by address.
#[derive(Debug, Parser)]
#[command(name = "weft", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) log: Log,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every service in this process, and a probe of this machine
    Up(Box<Up>),
    /// Run the probe: report this machine's processes, connections and containers
    Probe(Probe),
    /// Run the edge: the public port
    Authfe(Box<Authfe>),
    /// Run users: who callers are
    Users(Box<Users>),
    /// Run collection: where reports go
    Collection(Box<Collection>),
    /// Run query: where views come from
    Query(Box<Query>),
    /// Run controls: the way to probes
    Controls(Box<Controls>),
    /// Run pipes: byte streams between users and hosts
    Pipes(Box<Pipes>),
    /// Manage organisations, members and tokens
    Admin(Box<cli::admin::Admin>),
    /// Log in at a Weft: prints a link and a code, which somebody approves in a browser
    Login(cli::login::Login),
    /// Say who is logged in with `weft login`, and where
    Whoami,
    /// Revoke the token of `weft login`, and delete it
    Logout(cli::login::Logout),
    /// Bring the schema of the users' store up to date, which `weft up` and `weft users` also do when they start
    Migrate(Migrate),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Log {
    /// What to log: error, warn, info, debug, or per module as in `info,query=debug`
    #[arg(long = "log", global = true, env = "WEFT_LOG", default_value = "warn")]
    pub(crate) filter: String,

    /// How log lines look
    #[arg(
        long = "log-format",
        global = true,
        env = "WEFT_LOG_FORMAT",
        default_value = "text"
    )]
    pub(crate) format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

impl From<LogFormat> for telemetry::LogFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => telemetry::LogFormat::Text,
            LogFormat::Json => telemetry::LogFormat::Json,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) edge: Edge,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,

    #[command(flatten)]
    pub(crate) users: UsersStoreArgs,

    #[command(flatten)]
    pub(crate) controls: ControlsArgs,

    #[command(flatten)]
    pub(crate) login: LoginArgs,

    #[command(flatten)]
    pub(crate) keep: KeepArgs,

    #[command(flatten)]
    pub(crate) pipes: PipesArgs,

    /// Do not report this machine
    #[arg(long, env = "WEFT_NO_PROBE")]
    pub(crate) no_probe: bool,

    /// How the services reach each other
    #[arg(long, env = "WEFT_WIRING", default_value = "direct", hide = true)]
    pub(crate) wiring: Wiring,
}

/// What the edge needs wherever it runs.
#[derive(Debug, ClapArgs)]
pub(crate) struct Edge {
    /// The public port: UI, API, gRPC, gRPC-web, probes
    #[arg(long, env = "WEFT_LISTEN", default_value = "127.0.0.1:4040")]
    pub(crate) listen: SocketAddr,

    /// The private port, for services and operators alone: gRPC, /metrics, /livez, /readyz, /auth
    #[arg(long, env = "WEFT_ADMIN_LISTEN", default_value = "127.0.0.1:4041")]
    pub(crate) admin_listen: SocketAddr,

    /// Where everything that must survive a restart is kept
    #[arg(long, env = "WEFT_DATA_DIR", default_value = "weft-data")]
    pub(crate) data_dir: PathBuf,

    /// A web origin, besides the edge's own, whose pages may use gRPC-web (may be repeated)
    #[arg(long = "cors-origin", env = "WEFT_CORS_ORIGIN", value_delimiter = ',')]
    pub(crate) cors_origins: Vec<HeaderValue>,

    #[command(flatten)]
    pub(crate) site: Site,

    /// Demand credentials of callers on this machine too: needed behind a proxy on the same machine. Always so when
    /// --listen is not a loopback address, and with --trusted-proxies
    #[arg(long, env = "WEFT_DEMAND_CREDENTIALS")]
    pub(crate) demand_credentials: bool,

    /// How long callers that are known go on reading and reporting while users is away
    #[arg(long, env = "WEFT_USERS_OUTAGE", value_name = "TIME", default_value = "5m",
          value_parser = humantime::parse_duration)]
    pub(crate) users_outage: std::time::Duration,

    /// How long to go on accepting after the signal to end, while /readyz says no, so that load balancers notice first
    #[arg(long, env = "WEFT_DRAIN_DELAY", value_name = "TIME", default_value = "0s",
          value_parser = humantime::parse_duration)]
    pub(crate) drain_delay: std::time::Duration,

    /// A sidecar that takes an event of every request, over Fluentd's forward protocol
    #[arg(long, env = "WEFT_EVENTS", value_name = "tcp://HOST:PORT", value_parser = sidecar)]
    pub(crate) events: Option<String>,

    #[command(flatten)]
    pub(crate) port: PortArgs,
}

/// What the edge and users must both know.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Site {
    /// What this site is called from outside: https://weft.example. People log in there; without it, on a loopback address
    /// alone
    #[arg(long, env = "WEFT_PUBLIC_URL", value_name = "URL", value_parser = login::public_url)]
    pub(crate) public_url: Option<Url>,
}

impl Edge {
    /// Whether callers on this machine need no credential.
    pub(crate) fn trusts_loopback(&self) -> bool {
        // Behind a proxy, whoever connects from this machine may speak for anybody.
        let direct = self.port.trusted_proxies.is_empty();
        self.listen.ip().is_loopback() && !self.demand_credentials && direct
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Wiring {
    /// By calling each other
    Direct,
    /// Over HTTP/2 in memory
    Http2,
}

impl From<Wiring> for runtime::Wiring {
    fn from(wiring: Wiring) -> Self {
        match wiring {
            Wiring::Direct => runtime::Wiring::Direct,
            Wiring::Http2 => runtime::Wiring::Http2,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Service {
    /// The private port: gRPC for the other services, /metrics, /livez, /readyz
    #[arg(long, env = "WEFT_LISTEN", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,

    /// The secret that all services share, 32 bytes in base64; made if it does not exist
    #[arg(long, env = "WEFT_KEY_FILE", default_value = "weft-data/assertion.key")]
    pub(crate) key_file: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Controls {
    #[command(flatten)]
    pub(crate) service: Service,

    #[command(flatten)]
    pub(crate) controls: ControlsArgs,

    /// A replica of users, as http://host:port (may be repeated): it keeps the audit log, without which nothing is done
    #[arg(long, env = "WEFT_USERS", value_delimiter = ',', required = true)]
    pub(crate) users: Vec<Uri>,

    /// A replica of pipes, as http://host:port (may be repeated): it is told of the terminals that controls open, without
    /// which nobody can attach to them
    #[arg(long, env = "WEFT_PIPES", value_delimiter = ',')]
    pub(crate) pipes: Vec<Uri>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Users {
    #[command(flatten)]
    pub(crate) service: Service,

    /// Where the store is if it is not given
    #[arg(long, env = "WEFT_DATA_DIR", default_value = "weft-data")]
    pub(crate) data_dir: PathBuf,

    #[command(flatten)]
    pub(crate) store: UsersStoreArgs,

    #[command(flatten)]
    pub(crate) site: Site,

    #[command(flatten)]
    pub(crate) login: LoginArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Migrate {
    /// Where the store is if it is not given
    #[arg(long, env = "WEFT_DATA_DIR", default_value = "weft-data")]
    pub(crate) data_dir: PathBuf,

    #[command(flatten)]
    pub(crate) store: UsersStoreArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Collection {
    #[command(flatten)]
    pub(crate) service: Service,

    /// Where the log is, and stores that are not given
    #[arg(long, env = "WEFT_DATA_DIR", default_value = "weft-data")]
    pub(crate) data_dir: PathBuf,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,

    #[command(flatten)]
    pub(crate) keep: KeepArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Query {
    #[command(flatten)]
    pub(crate) service: Service,

    /// Where stores are that are not given
    #[arg(long, env = "WEFT_DATA_DIR", default_value = "weft-data")]
    pub(crate) data_dir: PathBuf,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,

    /// A replica of collection, as http://host:port (may be repeated)
    #[arg(long, env = "WEFT_COLLECTION", value_delimiter = ',', required = true)]
    pub(crate) collection: Vec<Uri>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Pipes {
    #[command(flatten)]
    pub(crate) service: Service,

    #[command(flatten)]
    pub(crate) pipes: PipesArgs,

    /// A replica of users, as http://host:port (may be repeated): it keeps the audit log, without which nothing is done
    #[arg(long, env = "WEFT_USERS", value_delimiter = ',', required = true)]
    pub(crate) users: Vec<Uri>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Authfe {
    #[command(flatten)]
    pub(crate) edge: Edge,

    /// The secret that all services share, 32 bytes in base64; made if it does not exist
    #[arg(long, env = "WEFT_KEY_FILE", default_value = "weft-data/assertion.key")]
    pub(crate) key_file: PathBuf,

    /// The users service, as http://host:port
    #[arg(long, env = "WEFT_USERS")]
    pub(crate) users: Uri,

    /// A replica of the collection service, as http://host:port (may be repeated)
    #[arg(long, env = "WEFT_COLLECTION", value_delimiter = ',', required = true)]
    pub(crate) collection: Vec<Uri>,

    /// A replica of the query service, as http://host:port (may be repeated)
    #[arg(long, env = "WEFT_QUERY", value_delimiter = ',', required = true)]
    pub(crate) query: Vec<Uri>,

    /// A replica of the controls service, as http://host:port (may be repeated)
    #[arg(long, env = "WEFT_CONTROLS", value_delimiter = ',', required = true)]
    pub(crate) controls: Vec<Uri>,

    /// A replica of the pipes service, as http://host:port (may be repeated)
    #[arg(long, env = "WEFT_PIPES", value_delimiter = ',', required = true)]
    pub(crate) pipes: Vec<Uri>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Probe {
    /// Whom to report to: Weft, or Scope's own app
    #[arg(env = "WEFT_URL", default_value = "http://127.0.0.1:4040")]
    pub(crate) url: String,

    /// A file that holds the token to report with
    #[arg(long, env = "WEFT_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Refuse controls: no shells, no stopping of containers
    #[arg(long, env = "WEFT_NO_CONTROLS")]
    pub(crate) no_controls: bool,
}

fn sidecar(text: &str) -> Result<String, String> {
    let address = text.strip_prefix("tcp://").map(str::parse::<Authority>);
    match address {
        Some(Ok(address)) if address.port().is_some() && !text.contains('@') => {
            Ok(address.to_string())
        }
        _ => Err("expected tcp://host:port".to_owned()),
    }
}
