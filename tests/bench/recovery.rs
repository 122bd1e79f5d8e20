//! How long collection takes to read its log after a kill.

use std::time::Instant;

use tests::Collection;
use tests::load::Made;

/// Reports as large as a busy host's, as sent.
const REPORT: usize = 1 << 20;

/// Fills a log with so many MiB, fewer than a segment takes (1,024), kills, and starts again.
pub(crate) async fn recovery(mebibytes: u64) -> anyhow::Result<()> {
    // Nothing is stored before the kill: one segment, which is not yet old enough.
    let flags = ["--log-sync", "never", "--flush-interval", "240s"];
    let mut collection = Collection::new(&flags)?;
    collection.start().await?;
    let mut caller = collection.caller()?;
    for _ in 0..mebibytes {
        let mut report = Made::next().raw();
        report.compression = proto::collection::v1::Compression::None.into();
        report.body = Made::next().padded(REPORT);
        let report = Some(report);
        let request = proto::collection::v1::SubmitRequest { report };
        caller.client.submit(caller.request("org", request)).await?;
    }
    let before = collection.status().await?;
    collection.kill().await?;
    let started = Instant::now();
    collection.start().await?;
    collection.status().await?;
    let took = started.elapsed();
    let reports = before.backlog_reports;
    anyhow::ensure!(reports == mebibytes, "{reports} of {mebibytes}");
    let gigabytes = before.backlog_bytes as f64 / 1e9;
    println!(
        "a log of {gigabytes:.2} GB, {reports} reports: answers {:.2} s after its start, {:.2} s per GB",
        took.as_secs_f64(),
        took.as_secs_f64() / gigabytes
    );
    Ok(())
}
