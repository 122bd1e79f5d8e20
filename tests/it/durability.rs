//! What was acknowledged is kept, whenever the process dies.

use tests::{Collection, crash};

/// How often it is killed: `WEFT_CRASHES`, or a few times.
fn rounds() -> anyhow::Result<u32> {
    Ok(std::env::var("WEFT_CRASHES").map_or(Ok(10), |n| n.parse())?)
}

#[tokio::test]
async fn killed_collection_keeps_what_it_acknowledged() -> anyhow::Result<()> {
    let mut collection = Collection::new(&crash::FLAGS)?;
    let seed = rand::random();
    let (audit, hits) = crash::crash(&mut collection, None, rounds()?, seed).await?;
    println!("seed {seed}: {hits}\n{audit}");
    audit.passed()
}
