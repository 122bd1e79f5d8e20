//! A server under measurement.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use tests::http;

/// Clock ticks per second of `/proc/PID/stat`, on every Linux that matters.
const TICKS: f64 = 100.0;

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// Where its metrics and services are; empty for Scope's app.
    pub(crate) admin_address: String,
    dir: tempfile::TempDir,
}

impl Server {
    /// This workspace's release build.
    pub(crate) fn weft(port: u16) -> anyhow::Result<Server> {
        let bin = std::env::current_exe()?.with_file_name("weft");
        let dir = tempfile::TempDir::new()?;
        let data = dir.path().to_string_lossy().into_owned();
        let address = format!("127.0.0.1:{port}");
        let admin_address = format!("127.0.0.1:{}", crate::free_port()?);
        let flags = ["up", "--no-probe", "--admin-listen", &admin_address];
        let flags = flags
            .into_iter()
            .chain(["--listen", &address, "--data-dir", &data]);
        let mut server = Server::start(Command::new(bin).args(flags), address, dir)?;
        server.admin_address = admin_address;
        Ok(server)
    }

    /// Scope's own app with its default collector.
    pub(crate) fn scope(app: &Path, port: u16) -> anyhow::Result<Server> {
        let address = format!("127.0.0.1:{port}");
        let flags = ["--mode", "app", "--weave=false", "--app.log.level", "error"];
        let flags = flags.into_iter().chain(["--app.http.address", &address]);
        let dir = tempfile::TempDir::new()?;
        Server::start(Command::new(app).args(flags), address, dir)
    }

    fn start(
        command: &mut Command,
        address: String,
        dir: tempfile::TempDir,
    ) -> anyhow::Result<Server> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Server {
            child: child.with_context(|| format!("cannot start {command:?}"))?,
            address,
            admin_address: String::new(),
            dir,
        })
    }

    /// Where it keeps its data.
    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        for _ in 0..200 {
            if http::get(&self.address, "/api/probes").await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("{} did not answer", self.address)
    }

    /// User and system time so far, in seconds.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit(')').next().context("a stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok());
        Ok((ticks(11).context("utime")? + ticks(12).context("stime")?) / TICKS)
    }

    /// The most memory that was resident, in bytes.
    pub(crate) fn peak(&self) -> anyhow::Result<u64> {
        self.memory("VmHWM:")
    }

    /// The memory that is resident, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        self.memory("VmRSS:")
    }

    fn memory(&self, what: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|l| l.starts_with(what));
        let kib = line.and_then(|l| l.split_whitespace().nth(1));
        Ok(kib.context("a figure")?.parse::<u64>()? << 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
