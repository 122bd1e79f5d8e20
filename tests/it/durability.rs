//! What was acknowledged is kept, whenever the process dies.

use tests::Collection;
use tests::crash::{self, Servers};

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

#[tokio::test]
async fn killed_with_its_stores_it_keeps_what_it_acknowledged() -> anyhow::Result<()> {
    let mut servers = Servers::start().await?;
    let collection = Collection::new(&crash::FLAGS)?;
    let mut collection = collection.with_stores(servers.keep()?);
    let seed = rand::random();
    let (audit, hits) = crash::crash(&mut collection, Some(&mut servers), rounds()?, seed).await?;
    println!("S3 and DynamoDB, seed {seed}: {hits}\n{audit}");
    audit.passed()
}
