//! A process of Weft's binary.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long a process may take to say that it is ready, on a machine that is busy building.
const READY: Duration = Duration::from_secs(60);

/// Tests ask more often, and guess worse, than one client may. Those of the bounds set their own, by flags.
const UNBOUNDED: [(&str, &str); 6] = [
    ("WEFT_MAX_CONNECTIONS_PER_CLIENT", "16384"),
    ("WEFT_MAX_REQUESTS_PER_CLIENT", "0"),
    ("WEFT_MAX_FAILURES_PER_CLIENT", "0"),
    ("WEFT_MAX_REQUESTS_PER_CREDENTIAL", "0"),
    ("WEFT_MAX_REQUESTS_PER_ORG", "0"),
    ("WEFT_MAX_REPORTS_PER_PROBE", "0"),
];

/// What it writes beyond the limit is an error, not its death.
const LIMITED: &str = "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"";

/// A running `weft`, killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts it with these flags, able to write files of so many blocks of 512 or 1024 bytes; what it logs
    /// goes to the end of this file, or where the test's own errors go.
    ///
    /// # Errors
    /// When the binary is missing.
    pub fn spawn(
        flags: &[impl AsRef<str>],
        blocks: Option<u32>,
        log: Option<&Path>,
    ) -> anyhow::Result<Process> {
        let flags: Vec<&str> = flags.iter().map(AsRef::as_ref).collect();
        let mut command = match blocks {
            None => Command::new(binary()?),
            Some(blocks) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", LIMITED, &blocks.to_string()]);
                shell.arg(binary()?);
                shell
            }
        };
        if let Some(log) = log {
            command.stderr(File::options().create(true).append(true).open(log)?);
        }
        command.args(&flags).envs(UNBOUNDED);
        command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().context("standard output")?;
        Ok(Process {
            name: format!("weft {}", flags.first().unwrap_or(&"")),
            child,
            lines: BufReader::new(stdout).lines(),
        })
    }

    /// Waits for the line that says where it listens: `host:port`.
    ///
    /// # Errors
    /// When it ends, or takes too long.
    pub async fn ready(&mut self) -> anyhow::Result<String> {
        let name = &self.name;
        let line = timeout(READY, self.lines.next_line()).await;
        let line = line.with_context(|| format!("{name} did not get ready"))??;
        let line = line.with_context(|| format!("{name} ended at once"))?;
        let (_, rest) = line.split_once("://").context("an address")?;
        Ok(rest.split([' ', '/']).next().unwrap_or(rest).to_owned())
    }

    /// Its id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it as nothing can prevent (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Interrupts it, as Ctrl-C does; its exit code.
    ///
    /// # Errors
    /// When it cannot be signalled or does not end within `patience`.
    pub async fn interrupt(mut self, patience: Duration) -> anyhow::Result<Option<i32>> {
        let pid = self.pid().context("a running process")?.to_string();
        Command::new("kill").args(["-INT", &pid]).status().await?;
        let status = timeout(patience, self.child.wait()).await;
        Ok(status.context("it did not end in time")??.code())
    }
}

/// Where the binary is: beside the test binary's folder, or where `WEFT_BIN` says.
///
/// # Errors
/// When there is none.
pub fn binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("WEFT_BIN") {
        return Ok(path.into());
    }
    let deps = std::env::current_exe()?;
    let target = deps.parent().and_then(Path::parent);
    let path = target.context("a target folder")?.join("weft");
    if !path.exists() {
        bail!(
            "{} is missing: run `cargo build -p weft` first",
            path.display()
        );
    }
    Ok(path)
}
