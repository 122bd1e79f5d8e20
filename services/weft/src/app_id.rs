//! The name of this deployment, as probes know it.

use std::path::Path;
use std::{fs, io};

use anyhow::Context;

/// The id in this directory, which is made if there is none: the same after every restart, or probes drop their
/// connections.
pub(crate) fn open(data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join("app-id");
    match fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    }
    // 63 bits, as Scope's app.
    let id = format!("{:x}", rand::random::<u64>() >> 1);
    fs::create_dir_all(data_dir)
        .and_then(|()| fs::write(&path, &id))
        .with_context(|| format!("cannot write {}; see --data-dir", path.display()))?;
    Ok(id)
}
