//! Recorded cases: what probes posted, and what Scope's own app answered. See `corpus/README.md`.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

/// A recorded scenario.
#[derive(Debug)]
pub struct Scenario {
    /// The name of its folder.
    pub name: String,
    /// What was posted, in order.
    pub posts: Vec<Post>,
    /// What was asked then, and answered.
    pub answers: Vec<Recorded>,
}

/// A posted report.
#[derive(Debug)]
pub struct Post {
    /// For messages.
    pub file: String,
    /// As sent.
    pub headers: Vec<(String, String)>,
    /// As sent.
    pub body: Vec<u8>,
    /// What the app answered.
    pub expect_status: u16,
}

/// A request and the app's answer.
#[derive(Debug, Deserialize)]
pub struct Recorded {
    /// With its query.
    pub path: String,
    /// The status.
    pub status: u16,
    /// Normalised.
    pub body: Value,
    /// Places whose value differs between runs of the app.
    #[serde(default)]
    pub volatile: Vec<Vec<Value>>,
    /// Places of arrays whose order differs.
    #[serde(default)]
    pub unordered: Vec<Vec<Value>>,
    /// Places that are not always there.
    #[serde(default)]
    pub optional: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct Manifest {
    posts: Vec<ManifestPost>,
}

#[derive(Deserialize)]
struct ManifestPost {
    file: String,
    headers: serde_json::Map<String, Value>,
    expect_status: u16,
}

/// The folder of recorded cases.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The names of all scenarios, ordered.
///
/// # Errors
/// When the folder cannot be read.
pub fn scenarios() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder())? {
        let entry = entry?;
        if entry.path().join("scenario.json").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Reads what was posted.
///
/// # Errors
/// When a file is missing or malformed.
pub fn posts(dir: &Path) -> anyhow::Result<Vec<Post>> {
    let manifest = std::fs::read(dir.join("scenario.json"))?;
    let manifest: Manifest = serde_json::from_slice(&manifest)?;
    let mut posts = Vec::new();
    for post in manifest.posts {
        let headers = post.headers.iter();
        posts.push(Post {
            body: std::fs::read(dir.join(&post.file)).context(post.file.clone())?,
            headers: headers
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned()))
                .collect(),
            expect_status: post.expect_status,
            file: post.file,
        });
    }
    Ok(posts)
}

/// Reads a scenario.
///
/// # Errors
/// When a file is missing or malformed.
pub fn scenario(name: &str) -> anyhow::Result<Scenario> {
    let dir = folder().join(name);
    let lines = gunzip(&std::fs::read(dir.join("golden.jsonl.gz"))?)?;
    let answers = lines
        .split(|&b| b == b'\n')
        .filter(|line| !line.is_empty())
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()?;
    Ok(Scenario {
        name: name.to_owned(),
        posts: posts(&dir).context(name.to_owned())?,
        answers,
    })
}

fn gunzip(compressed: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(compressed).read_to_end(&mut out)?;
    Ok(out)
}
