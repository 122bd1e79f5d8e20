//! What was acknowledged is kept, whenever the process dies.

use std::time::Duration;
use tests::load::{Made, unix_nanos};
use tests::{Audit, Collection};
use tonic::Code;

use anyhow::ensure;
use tests::crash::{self, Servers};

/// More than small reports take, less than a large one.
const BLOCKS: u32 = 256;
const PATIENCE: Duration = Duration::from_secs(60);

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

#[tokio::test]
async fn report_that_cannot_be_written_is_not_acknowledged() -> anyhow::Result<()> {
    let began = unix_nanos();
    let mut collection = Collection::new(&[])?;
    collection.blocks = Some(BLOCKS);
    collection.start().await?;
    let mut caller = collection.caller()?;
    let mut acked = Vec::new();
    for _ in 0..5 {
        acked.push(Made::next().submit(&mut caller).await?);
        let refused = Made::next_large().submit(&mut caller).await;
        let code = refused.err().map(|status| status.code());
        ensure!(code == Some(Code::Unavailable), "{code:?}");
        acked.push(Made::next().submit(&mut caller).await?);
    }
    collection.kill().await?;
    collection.blocks = None;
    collection.start().await?;
    collection.until_stored(PATIENCE).await?;
    let archive = collection.keep().archive().await?;
    let audit = Audit::of(&archive, &acked, began).await?;
    ensure!(audit.unacknowledged == 0, "{audit}");
    audit.passed()
}
