//! How each server is started, and how one sees that it is ready.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::bail;

use crate::http;
use crate::port::Port;

mod consul;
pub(super) mod postgres;

const ACCESS_KEY: &str = "test";
const SECRET_KEY: &str = "testtest";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    S3sFs,
    Moto,
    Dynoxide,
    Nats,
    Postgres,
    Oidc,
    Smtp,
    Consul,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::S3sFs => "s3s-fs",
            Kind::Moto => "moto",
            Kind::Dynoxide => "dynoxide",
            Kind::Nats => "nats-server",
            Kind::Postgres => "postgres",
            Kind::Oidc => "oidc-provider",
            Kind::Smtp => "smtp-server",
            Kind::Consul => "consul",
        }
    }

    pub(super) fn scheme(self) -> &'static str {
        match self {
            Kind::Nats => "nats",
            Kind::Postgres => "postgres",
            Kind::Smtp => "smtp",
            Kind::Consul => "consul",
            _ => "http",
        }
    }

    pub(super) fn command(self, port: &Port, admin: &Port, data: &Path) -> anyhow::Result<Command> {
        let number = port.number().to_string();
        let host = "127.0.0.1";
        let mut command = match self {
            // Its own script names the folder that it was installed in, and would not survive a copy.
            Kind::Moto => Command::new(tool("moto/bin/python")?),
            Kind::Postgres => postgres::command("postgres")?,
            Kind::Oidc | Kind::Smtp => Command::new("node"),
            _ => Command::new(tool(&format!("bin/{}", self.name()))?),
        };
        match self {
            Kind::S3sFs => command
                .env("RUST_LOG", "info")
                .args(["--host", host, "--port", &number])
                .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
                .arg(data),
            Kind::Moto => command.args(["-m", "moto.server", "-H", host, "-p", &number]),
            Kind::Dynoxide => command
                .args(["serve", "--host", host, "--port", &number, "--db-path"])
                .arg(data.join("dynoxide.db")),
            Kind::Nats => command
                .args(["-a", host, "-p", &number])
                .args(["-m", &admin.number().to_string(), "-js", "-sd"])
                .arg(data),
            Kind::Consul => consul::arguments(&mut command, port, admin, data),
            Kind::Postgres => command
                .args(["-p", &number, "-c", "unix_socket_directories="])
                .args([
                    "-c",
                    &format!("listen_addresses={host}"),
                    "-c",
                    "fsync=off",
                    "-D",
                ])
                .arg(data),
            Kind::Oidc => command.arg(tool("login/oidc.mjs")?).arg(&number),
            Kind::Smtp => command
                .arg(tool("login/smtp.mjs")?)
                .args([&number, &admin.number().to_string()]),
        };
        Ok(command)
    }

    /// Makes in its empty folder what it needs before its first start.
    pub(super) fn prepare(self, data: &Path) -> anyhow::Result<()> {
        match self {
            Kind::Postgres => postgres::prepare(data),
            _ => Ok(()),
        }
    }

    /// Whether it does what it is for: HTTP servers answer with 200, or s3s-fs with a refusal.
    pub(super) async fn is_ready(self, port: &Port, admin: &Port) -> bool {
        let (address, path, status) = match self {
            Kind::S3sFs => (port.address(), "/", 403),
            Kind::Dynoxide => (port.address(), "/", 200),
            Kind::Moto => (port.address(), "/moto-api/", 200),
            Kind::Nats => (admin.address(), "/healthz", 200),
            Kind::Postgres => return postgres::is_ready(port).await,
            Kind::Oidc => (port.address(), "/.well-known/openid-configuration", 200),
            Kind::Smtp => (admin.address(), "/", 200),
            Kind::Consul => return consul::is_ready(port).await,
        };
        let answer = http::get(&address, path).await;
        answer.is_ok_and(|answer| answer.status.as_u16() == status)
    }

    /// Ends it without giving it time for anything.
    pub(super) fn kill(self, child: &mut Child) {
        match self {
            Kind::Postgres => postgres::kill(child),
            // It does not fail for a child that is not waited for yet.
            _ => drop(child.kill()),
        }
    }

    pub(super) fn env(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Kind::Nats | Kind::Postgres | Kind::Oidc | Kind::Smtp | Kind::Consul => &[],
            _ => &[
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                ("AWS_REGION", "us-east-1"),
                // Else a client without a credential waits for a metadata service that is not there.
                ("AWS_EC2_METADATA_DISABLED", "true"),
            ],
        }
    }
}

/// Something that `.ci/install` installed: in `target/tools`, or where `WEFT_TOOLS` says.
///
/// # Errors
/// When it is not there.
pub fn tool(path: &str) -> anyhow::Result<PathBuf> {
    let folder = match std::env::var_os("WEFT_TOOLS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools"),
    };
    tool_in(&folder, path)
}

fn tool_in(folder: &Path, path: &str) -> anyhow::Result<PathBuf> {
    let tool = folder.join(path);
    if !tool.exists() {
        bail!("{} is missing: run `.ci/install` first", tool.display());
    }
    Ok(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_server_is_an_error_that_says_what_to_do() -> anyhow::Result<()> {
        let empty = tempfile::TempDir::new()?;
        let missing = tool_in(empty.path(), "bin/nats-server");
        let error = missing.expect_err("an empty folder has no server");
        assert!(
            error.to_string().ends_with("run `.ci/install` first"),
            "{error}"
        );
        Ok(())
    }
}
