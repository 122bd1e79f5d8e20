//! `weft`: every service in one process, or one of them, or the native probe. Composition only.

mod app_id;
mod args;
mod login;
mod port;
mod probe;
mod ready;
mod service;
mod signals;
mod stores;
mod up;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::{Args, Command};

/// Reports are built by one thread and let go by another, for weeks: the C library's allocator keeps ever more of that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The exit code for a command line that makes no sense (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let asked_for = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            // Nothing can be done about a terminal that is gone.
            let _ = error.print();
            return ExitCode::from(if asked_for { 0 } else { USAGE });
        }
    };
    // What is written here holds secrets: keys, and whatever command lines and environments reports show.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    port::raise_open_files();
    runtime::telemetry::init(&args.log.filter, args.log.format.into());
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weft: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = tokio.block_on(async {
        match args.command {
            Command::Up(up) => up::run(*up).await,
            Command::Users(users) => service::users(*users).await,
            Command::Collection(service) => service::collection(*service).await,
            Command::Query(query) => service::query(*query).await,
            Command::Controls(controls) => service::controls(*controls).await,
            Command::Pipes(pipes) => service::pipes(*pipes).await,
            Command::Authfe(edge) => service::authfe(*edge).await,
            Command::Probe(probe) => probe::run(probe).await,
            Command::Admin(admin) => cli::admin::run(*admin).await,
            Command::Login(login) => cli::login::log_in(login).await,
            Command::Whoami => cli::login::whoami().await,
            Command::Logout(logout) => cli::login::log_out(&logout).await,
            Command::Migrate(migrate) => service::migrate(migrate).await,
        }
    });
    // Blocking work that is still under way, such as a rendering nobody waits for, must not hold the process.
    tokio.shutdown_background();
    result
}
