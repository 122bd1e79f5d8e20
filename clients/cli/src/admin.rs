//! `weft admin`.

mod audit;
mod bootstrap;
mod member;
mod org;
mod show;
mod token;
mod user;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use client::{Channel, Key, authorise};
use http::Uri;
use proto::tenant::v1::Permission;
use serde_json::Value;
use tonic::{Request, Status};

use show::Shown;

/// What an operator may do in an organisation.
const PERMISSIONS: [Permission; 9] = [
    Permission::View,
    Permission::ViewSecrets,
    Permission::Report,
    Permission::Control,
    Permission::Exec,
    Permission::Logs,
    Permission::Admin,
    Permission::HostExec,
    Permission::Operate,
];

/// The command line.
#[derive(Debug, Args)]
pub struct Admin {
    #[command(subcommand)]
    command: Command,

    /// The private port of `weft up` or `weft users`
    #[arg(
        long,
        global = true,
        env = "WEFT_USERS",
        default_value = "http://127.0.0.1:4041"
    )]
    users: Uri,

    /// The secret that all services share
    #[arg(
        long,
        global = true,
        env = "WEFT_KEY_FILE",
        default_value = "weft-data/assertion.key"
    )]
    key_file: PathBuf,

    /// Answer in JSON, as the API spells it
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Organisations: who is kept apart from whom
    #[command(subcommand)]
    Org(org::Org),
    /// Members: people in an organisation
    #[command(subcommand)]
    Member(member::Member),
    /// Tokens: what probes, scripts and people identify themselves with
    #[command(subcommand)]
    Token(token::Token),
    /// Make a link with which an admin logs in once: the first one, or one who has no other way in any more
    Bootstrap(bootstrap::Bootstrap),
    /// Accounts: what is kept of a person
    #[command(subcommand)]
    User(user::User),
    /// The audit log: who did what, and from where
    #[command(subcommand)]
    Audit(audit::Audit),
}

/// Calls users as an operator.
struct Operator {
    channel: Channel,
    key: Key,
}

impl Operator {
    /// A request about this organisation; empty if it is about none.
    fn request<T>(&self, org_id: &str, message: T) -> Request<T> {
        let org_id = org_id.to_ascii_lowercase();
        authorise(
            Request::new(message),
            &self.key,
            &org_id,
            "operator",
            &PERMISSIONS,
        )
    }
}

/// Does what the command line says, and prints the answer.
///
/// # Errors
/// When users refuses or cannot be reached, or there is no key.
pub async fn run(args: Admin) -> anyhow::Result<()> {
    // Opening would make one, which nobody else would know.
    if !args.key_file.exists() {
        bail!(
            "there is no key {}; name the one that users was started with: --key-file, or with `weft up` assertion.key in \
             its --data-dir",
            args.key_file.display()
        );
    }
    let operator = Operator {
        key: Key::open(&args.key_file)?,
        channel: Channel::connect(args.users.clone()),
    };
    let shown = match args.command {
        Command::Org(command) => org::run(command, &operator).await,
        Command::Member(command) => member::run(command, &operator).await,
        Command::Token(command) => token::run(command, &operator).await,
        Command::Bootstrap(command) => bootstrap::run(command, &operator).await,
        Command::User(command) => user::run(command, &operator).await,
        Command::Audit(command) => audit::run(command, &operator).await,
    };
    let shown = shown.map_err(|error| explain(error, &args.users))?;
    print(&shown, args.json);
    Ok(())
}

fn explain(error: anyhow::Error, users: &Uri) -> anyhow::Error {
    match error.downcast::<Status>() {
        Ok(status) if status.code() == tonic::Code::Unavailable => {
            let reason = anyhow::anyhow!("{}", status.message());
            reason.context(format!("users does not answer at {users}"))
        }
        Ok(status) => anyhow::anyhow!("{}", status.message()),
        Err(error) => error,
    }
}

fn print(shown: &Shown, json: bool) {
    if json {
        println!("{}", shown.json);
    } else {
        print!("{}", shown.text);
    }
}

/// The permission of this name: `view`, `host-exec`.
pub(crate) fn permission(text: &str) -> Result<Permission, String> {
    let names = PERMISSIONS.map(name);
    let found = PERMISSIONS
        .into_iter()
        .find(|&permission| name(permission) == text);
    let found = found.filter(|&permission| permission != Permission::Operate);
    found.ok_or_else(|| format!("there is {}", names[..names.len() - 1].join(", ")))
}

pub(crate) fn name(permission: Permission) -> String {
    let name = permission.as_str_name().trim_start_matches("PERMISSION_");
    name.to_lowercase().replace('_', "-")
}

fn names(permissions: &[i32]) -> Vec<String> {
    let known = permissions
        .iter()
        .filter_map(|&number| Permission::try_from(number).ok());
    known.map(name).collect()
}

/// A part that every answer has.
fn present<T>(part: Option<T>) -> anyhow::Result<T> {
    part.context("the answer of users lacks a part")
}

/// An array of JSON.
fn array(values: impl IntoIterator<Item = Value>) -> Value {
    values.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_have_names_and_none_is_an_operators() {
        assert_eq!(permission("view"), Ok(Permission::View));
        assert_eq!(permission("host-exec"), Ok(Permission::HostExec));
        let refused = permission("operate").expect_err("not to give");
        assert!(!refused.contains("operate"), "{refused}");
        assert_eq!(names(&[1, 8]), ["view", "host-exec"]);
    }
}
