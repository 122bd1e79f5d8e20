//! PostgreSQL, which refuses to run as root, and has a process for each connection.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

use crate::port::Port;

/// Who may do everything in it.
pub(crate) const USER: &str = "weft";
const PASSWORD: &str = "testtest";
/// Debian's `nobody`.
const NOBODY: u32 = 65534;

/// A program of PostgreSQL, run by somebody who is not root.
pub(super) fn command(program: &str) -> anyhow::Result<Command> {
    let path = programs()?.join(program);
    if !rustix::process::geteuid().is_root() {
        return Ok(Command::new(path));
    }
    let mut command = Command::new("setpriv");
    let id = NOBODY.to_string();
    command
        .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
        .arg(path);
    Ok(command)
}

/// Where Debian puts them, of the newest version that is installed.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let versions =
        versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions
        .max()
        .context("PostgreSQL is missing: run `.ci/install` first")?;
    Ok(format!("/usr/lib/postgresql/{newest}/bin").into())
}

pub(crate) fn password_file(data: &Path) -> PathBuf {
    data.with_file_name("password")
}

/// Makes a cluster with one user who has a password.
pub(super) fn prepare(data: &Path) -> anyhow::Result<()> {
    let password = password_file(data);
    std::fs::write(&password, format!("{PASSWORD}\n"))?;
    if rustix::process::geteuid().is_root() {
        let folder = data.parent().context("a folder")?;
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o711))?;
        std::fs::set_permissions(&password, PermissionsExt::from_mode(0o644))?;
        chown(data, Some(NOBODY), Some(NOBODY))?;
    }
    let mut initdb = command("initdb")?;
    initdb.args([
        "--username",
        USER,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]);
    initdb.arg("--pwfile").arg(&password).arg("-D").arg(data);
    let output = initdb.output().context("initdb cannot be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "initdb failed: {said}");
    Ok(())
}

pub(super) async fn is_ready(port: &Port) -> bool {
    let Ok(mut asks) = command("pg_isready") else {
        return false;
    };
    asks.args(["-q", "-h", "127.0.0.1", "-p", &port.number().to_string()]);
    asks.stdout(Stdio::null()).stderr(Stdio::null());
    let status = tokio::process::Command::from(asks).status().await;
    status.is_ok_and(|status| status.success())
}

/// Ends it and all its processes without a checkpoint: it recovers at the next start as after a crash. Killed itself, it
/// would leave processes behind that keep it from starting again.
pub(super) fn kill(child: &mut Child) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It does not fail for a child that is not waited for yet.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
    }
}
