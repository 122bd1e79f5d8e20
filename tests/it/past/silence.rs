//! An organisation that falls silent for so long that collection lets go of all it held of it.

use std::time::Duration;

use anyhow::ensure;
use proto::collection::v1 as pb;
use tests::Made;

use super::files;
use super::world::World;

const SECOND: Duration = Duration::from_secs(1);
/// A segment of the log covers less.
const LONG: Duration = Duration::from_secs(300);

fn report() -> pb::RawReport {
    Made::next().raw()
}

#[tokio::test]
async fn numbers_of_reports_go_on_after_a_silence() -> anyhow::Result<()> {
    let (_dir, keep) = files()?;
    let world = World::new(keep).await?;
    for _ in 0..3 {
        world.post(0, "silent", report()).await?;
    }
    world.pass(LONG).await?;
    world.post(0, "other", report()).await?;
    while world.status(0, "other").await?.backlog_reports > 1 {
        world.pass(SECOND).await?;
    }
    // Which is when what is stored and old is let go.
    world.pass(2 * SECOND).await?;
    let listed = world.logged("silent", 0, world.now()).await?;
    ensure!(listed.is_empty(), "{listed:?}");
    // Whoever follows it takes an old number for a report that it has seen.
    ensure!(world.status(0, "silent").await?.sequence == 3);
    world.post(0, "silent", report()).await?;
    ensure!(world.status(0, "silent").await?.sequence == 4);
    Ok(())
}
