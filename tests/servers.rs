//! Real servers that Weft stores things in, each a process of its own with nothing in it.

mod kind;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::Full;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::http;
use crate::port::Port;
use kind::Kind;

pub use kind::tool;

/// How long a server may take to answer, on a machine that is busy building.
const READY: Duration = Duration::from_secs(60);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(10);
/// How much of a log is shown.
const LOG_LINES: usize = 20;

/// A running server. It is killed and its data removed when this is dropped; so never keep one in a static.
///
/// What it wrote to its log last is printed then, which cargo shows for tests that fail. Its folder is kept if the test
/// panicked.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    port: Port,
    admin: Port,
    child: Option<Child>,
    dir: TempDir,
}

impl Server {
    /// s3s-fs: S3, with objects in files. It checks signatures.
    ///
    /// # Errors
    /// When it is not installed or does not get ready.
    pub async fn s3s_fs() -> anyhow::Result<Server> {
        Server::start(Kind::S3sFs).await
    }

    /// moto: S3, DynamoDB and SQS in memory. It takes any signature, and forgets everything when it is killed.
    ///
    /// # Errors
    /// When it is not installed or does not get ready.
    pub async fn moto() -> anyhow::Result<Server> {
        Server::start(Kind::Moto).await
    }

    /// dynoxide: DynamoDB, in a file.
    ///
    /// # Errors
    /// When it is not installed or does not get ready.
    pub async fn dynoxide() -> anyhow::Result<Server> {
        Server::start(Kind::Dynoxide).await
    }

    /// nats-server with JetStream, in files.
    ///
    /// # Errors
    /// When it is not installed or does not get ready.
    pub async fn nats() -> anyhow::Result<Server> {
        Server::start(Kind::Nats).await
    }

    /// PostgreSQL, which asks for a password.
    ///
    /// # Errors
    /// When it is not installed or does not get ready.
    pub async fn postgres() -> anyhow::Result<Server> {
        Server::start(Kind::Postgres).await
    }

    /// oidc-provider: an OpenID Connect provider that lets everybody in; see `servers/login/oidc.mjs`.
    ///
    /// # Errors
    /// When it is not installed or does not get ready.
    pub async fn oidc() -> anyhow::Result<Server> {
        Server::start(Kind::Oidc).await
    }

    /// smtp-server: a mail server without TLS that keeps what it takes; see `servers/login/smtp.mjs`.
    ///
    /// # Errors
    /// When it is not installed or does not get ready.
    pub async fn smtp() -> anyhow::Result<Server> {
        Server::start(Kind::Smtp).await
    }

    /// What a mail server took: a list of `{"to": […], "text": …}`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn mails(&self) -> anyhow::Result<serde_json::Value> {
        Ok(http::get(&self.admin.address(), "/").await?.json())
    }

    /// Consul as a server, with its data on disk.
    ///
    /// # Errors
    /// When it is not installed or does not get ready.
    pub async fn consul() -> anyhow::Result<Server> {
        Server::start(Kind::Consul).await
    }

    async fn start(kind: Kind) -> anyhow::Result<Server> {
        let mut server = Server {
            kind,
            port: Port::reserve()?,
            admin: Port::reserve()?,
            child: None,
            dir: TempDir::new()?,
        };
        std::fs::create_dir(server.data())?;
        kind.prepare(&server.data())?;
        server.restart().await?;
        Ok(server)
    }

    /// `http://127.0.0.1:port`, or `nats://`, `consul://`. The same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.kind.scheme(), self.address())
    }

    /// The URL of a database, with its password in a file.
    ///
    /// # Errors
    /// When this is no PostgreSQL.
    pub fn database(&self) -> anyhow::Result<String> {
        ensure!(
            self.kind == Kind::Postgres,
            "{} has no databases",
            self.kind.name()
        );
        Ok(self.database_at(&self.address()))
    }

    /// The same behind another address, such as a proxy's.
    #[must_use]
    pub fn database_at(&self, address: &str) -> String {
        let password = kind::postgres::password_file(&self.data());
        format!(
            "postgres://{}@{address}/postgres?credentials={}",
            kind::postgres::USER,
            password.display()
        )
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.port.address()
    }

    /// What a process needs in its environment to be let in.
    #[must_use]
    pub fn env(&self) -> &'static [(&'static str, &'static str)] {
        self.kind.env()
    }

    /// The same in a file, as AWS's tools write it: what a process that runs already can be told.
    ///
    /// # Errors
    /// When it cannot be written, or the server asks for none.
    pub fn credentials_file(&self) -> anyhow::Result<PathBuf> {
        let value = |name: &str| {
            let found = self.env().iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| *value).context("a credential")
        };
        let (key, secret) = (value("AWS_ACCESS_KEY_ID")?, value("AWS_SECRET_ACCESS_KEY")?);
        let file = self.dir.path().join("credentials");
        let text = format!("[default]\naws_access_key_id={key}\naws_secret_access_key={secret}\n");
        // Whoever was told of it before may be reading it.
        let new = tempfile::NamedTempFile::new_in(self.dir.path())?;
        std::fs::write(new.path(), text)?;
        new.persist(&file)?;
        Ok(file)
    }

    /// Its process, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The folder with its log and its data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Kills it as a power cut does (SIGKILL; PostgreSQL with all its processes), and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            self.kind.kill(&mut child);
            // It does not fail for a child that is not waited for yet.
            let _ = child.wait();
        }
    }

    /// Starts it on the same port with the data that it left; kills it first if it runs.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        let mut command = self.kind.command(&self.port, &self.admin, &self.data())?;
        let log = File::options().create(true).append(true).open(self.log())?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = command.spawn();
        self.child = Some(child.with_context(|| format!("{} cannot be run", self.kind.name()))?);
        if let Err(error) = self.ready().await {
            self.dir.disable_cleanup(true);
            let log = self.log();
            return Err(error.context(format!("see {}:\n{}", log.display(), self.log_end())));
        }
        Ok(())
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let name = self.kind.name();
        let answers = async {
            loop {
                let child = self.child.as_mut().context("a process")?;
                if let Some(status) = child.try_wait()? {
                    bail!("{name} ended with {status}");
                }
                if self.kind.is_ready(&self.port, &self.admin).await {
                    return Ok(());
                }
                // Another program's start can only be polled.
                sleep(POLL).await;
            }
        };
        let answers = timeout(READY, answers).await;
        answers.with_context(|| format!("{name} did not get ready within {READY:?}"))?
    }

    /// Makes an S3 bucket.
    ///
    /// # Errors
    /// When this is no S3 server, or the bucket exists.
    pub async fn make_bucket(&self, name: &str) -> anyhow::Result<()> {
        match self.kind {
            // A bucket is a folder; over HTTP the request would need a signature.
            Kind::S3sFs => std::fs::create_dir(self.data().join(name))?,
            Kind::Moto => {
                let request = ::http::Request::put(format!("/{name}"));
                let request = request.body(Full::<Bytes>::default())?;
                let answer = http::send(&self.address(), request).await?;
                ensure!(answer.status == 200, "{}", answer.text());
            }
            Kind::Dynoxide
            | Kind::Nats
            | Kind::Postgres
            | Kind::Oidc
            | Kind::Smtp
            | Kind::Consul => {
                bail!("{} has no buckets", self.kind.name())
            }
        }
        Ok(())
    }

    fn log_end(&self) -> String {
        let log = std::fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let shown = lines.len().saturating_sub(LOG_LINES);
        lines[shown..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let name = self.kind.name();
        eprintln!("the log of {name} ended with:\n{}", self.log_end());
        if std::thread::panicking() {
            self.dir.disable_cleanup(true);
            eprintln!(
                "log and data of {name} are in {}",
                self.dir.path().display()
            );
        }
    }
}
