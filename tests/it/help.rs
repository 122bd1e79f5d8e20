//! `--help` is the reference documentation: what it says is kept here, and changes on purpose only.

use std::path::Path;

use anyhow::{Context, ensure};
use tokio::process::Command;

/// Write what is said now with `WEFT_UPDATE_GOLDEN=1 cargo test -p tests help`.
#[tokio::test]
async fn help_is_as_written_down() -> anyhow::Result<()> {
    let mut all = String::new();
    for command in [
        "",
        "up",
        "probe",
        "authfe",
        "users",
        "collection",
        "query",
        "controls",
        "pipes",
        "migrate",
        "admin",
        "admin org",
        "admin org refuse",
        "admin member",
        "admin member set",
        "admin token",
        "admin token create",
        "admin audit",
    ] {
        let mut weft = Command::new(tests::binary()?);
        weft.args(command.split_whitespace()).arg("--help");
        // Values from the environment would be shown.
        weft.env_clear();
        let output = weft.output().await?;
        ensure!(output.status.success());
        all.push_str(&format!("$ weft {command} --help\n").replace("  ", " "));
        all.push_str(&String::from_utf8(output.stdout)?);
        all.push('\n');
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/help.txt");
    if std::env::var_os("WEFT_UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        std::fs::write(&path, &all)?;
    }
    let expected = std::fs::read_to_string(&path)?;
    ensure!(
        all == expected,
        "weft --help differs from {}:\n{all}",
        path.display()
    );
    Ok(())
}
