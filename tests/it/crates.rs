//! Which crate may depend on which: the table of ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

const SERVICES: [&str; 6] = [
    "authfe",
    "collection",
    "controls",
    "pipes",
    "query",
    "users",
];

/// What a crate may depend on, of ours.
fn allowed(name: &str) -> Vec<&'static str> {
    match name {
        "proto" | "report" | "probe" => vec![],
        "client" => vec!["proto"],
        "cli" => vec!["client", "proto"],
        "runtime" => vec!["client", "proto"],
        "weft" => {
            let mut all = vec!["runtime", "client", "proto", "probe", "cli", "stores"];
            all.extend(SERVICES);
            all
        }
        "tests" => vec![
            "client",
            "collection",
            "controls",
            "proto",
            "query",
            "report",
            "runtime",
            "stores",
            "users",
        ],
        "stores" => vec!["client", "proto", "runtime"],
        "controls" | "pipes" => vec!["runtime", "client", "proto", "stores"],
        "collection" | "query" => vec!["runtime", "client", "proto", "report", "stores"],
        service if SERVICES.contains(&service) => vec!["runtime", "client", "proto", "report"],
        _ => vec![],
    }
}

#[test]
fn crates_depend_on_what_the_table_allows() -> anyhow::Result<()> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("packages")?;
    let ours: BTreeMap<&str, &Value> = packages
        .iter()
        .filter_map(|p| Some((p["name"].as_str()?, p)))
        .collect();
    ensure!(ours.len() >= 12, "{:?}", ours.keys());
    for (name, package) in &ours {
        for dependency in package["dependencies"].as_array().context("dependencies")? {
            let on = dependency["name"].as_str().context("a name")?;
            if ours.contains_key(on) {
                ensure!(
                    allowed(name).contains(&on),
                    "{name} must not depend on {on}"
                );
            }
            // The engine does no I/O and knows no runtime.
            if *name == "report" && dependency["kind"].is_null() {
                ensure!(
                    !["tokio", "tonic", "hyper", "axum"].contains(&on),
                    "report uses {on}"
                );
            }
        }
    }
    Ok(())
}
