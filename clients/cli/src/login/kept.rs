//! The file that a token is kept in.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use url::Url;

/// What is known of a login.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    pub(super) url: Url,
    pub(super) token: String,
    pub(super) token_id: String,
    /// What it may do.
    pub(super) scope: String,
    /// As RFC 3339 writes it.
    pub(super) expires_at: String,
}

/// By the XDG base directory specification.
fn path() -> anyhow::Result<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from);
    let config = folder("XDG_CONFIG_HOME").filter(|folder| folder.is_absolute());
    let config = config.or_else(|| folder("HOME").map(|home| home.join(".config")));
    let config =
        config.context("there is no place to keep a token: set HOME or XDG_CONFIG_HOME")?;
    Ok(config.join("weft/login.json"))
}

impl Kept {
    pub(super) fn read() -> anyhow::Result<Self> {
        Kept::find()?.context("you are not logged in; `weft login URL` does that")
    }

    /// None if nobody is logged in.
    pub(super) fn find() -> anyhow::Result<Option<Self>> {
        let path = path()?;
        let shown = path.display();
        let mode = match fs::metadata(&path) {
            Ok(found) => found.permissions().mode(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot look at {shown}")),
        };
        if mode & 0o077 != 0 {
            bail!("others may read {shown}; revoke its token, and delete it or chmod 600 it");
        }
        let text = fs::read(&path).with_context(|| format!("cannot read {shown}"))?;
        // Without the parser's words, which may quote the token.
        let kept: Option<Self> = serde_json::from_slice(&text).ok();
        let broken = || format!("{shown} is broken; delete it, and log in again");
        kept.with_context(broken).map(Some)
    }

    /// Nobody else can read it at any time, and it is there as a whole or not at all.
    pub(super) fn write(&self) -> anyhow::Result<PathBuf> {
        let path = path()?;
        let folder = path.parent().context("a folder")?;
        let failed = || format!("cannot write {}", path.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(failed)?;
        let new = folder.join(format!("login.json.{}", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .with_context(failed)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&new, &path).with_context(failed)?;
        Ok(path)
    }

    pub(super) fn delete() -> anyhow::Result<()> {
        let path = path()?;
        fs::remove_file(&path).with_context(|| format!("cannot delete {}", path.display()))
    }
}
