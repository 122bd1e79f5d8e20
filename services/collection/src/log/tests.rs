use std::fs;
use std::path::Path;

use proto::storage::v1::ReportHeader;

use super::*;

fn config(directory: &Path) -> LogConfig {
    LogConfig {
        directory: directory.to_owned(),
        sync: Sync::Always,
        flush_after: Duration::from_secs(60),
        segment_bytes: 1 << 20,
        backlog_bytes: 1 << 20,
    }
}

fn record(at: i64) -> LogRecord {
    LogRecord {
        org_id: "org".to_owned(),
        report: Some(ReportHeader {
            received_unix_nanos: at,
            probe_id: "probe".to_owned(),
            ..ReportHeader::default()
        }),
        ..LogRecord::default()
    }
}

fn body(n: u64) -> Bytes {
    format!("{n} says WREC and more {}", "x".repeat(n as usize * 7)).into()
}

/// A log with these many reports in its directory, as after a crash.
async fn filled(directory: &Path, reports: u64) {
    let (log, _) = Log::open(config(directory), 7).expect("a log");
    for n in 1..=reports {
        let appended = log.append(record(n as i64), body(n)).await;
        assert_eq!(appended.expect("appended").number, n);
    }
    // Its thread ends with the last handle; wait until the directory is free.
    drop(log);
    while Directory::open(directory).is_err() {
        std::thread::yield_now();
    }
}

/// The names and bodies of what is recovered.
fn recovered(directory: &Path) -> (Vec<(u64, Bytes)>, u64, u64) {
    let (_, recovered) = Directory::open(directory).expect("a directory");
    let reports = recovered.reports.iter().map(|(record, place)| {
        let header = record.report.as_ref().expect("a header");
        assert_eq!((header.writer, record.org_id.as_str()), (7, "org"));
        (header.number, place.read().expect("a body"))
    });
    (reports.collect(), recovered.damaged, recovered.cut)
}

fn only_segment(directory: &Path) -> PathBuf {
    let files = fs::read_dir(directory).expect("a directory");
    let mut paths = files.map(|f| f.expect("an entry").path());
    paths
        .find(|p| p.extension().is_some_and(|e| e == "log"))
        .expect("a segment")
}

#[tokio::test]
async fn what_was_appended_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    filled(directory.path(), 20).await;
    let expected: Vec<_> = (1..=20).map(|n| (n, body(n))).collect();
    assert_eq!(recovered(directory.path()), (expected, 0, 0));
}

#[tokio::test]
async fn directory_is_one_processs_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_log, _) = Log::open(config(directory.path()), 7).expect("a log");
    let error = Log::open(config(directory.path()), 8).expect_err("in use");
    assert!(error.to_string().contains("another process"), "{error}");
}

#[tokio::test]
async fn record_that_was_being_written_is_cut_off() {
    let directory = tempfile::tempdir().expect("a directory");
    filled(directory.path(), 3).await;
    let path = only_segment(directory.path());
    let whole = fs::read(&path).expect("a segment");
    for cut in 1..200 {
        fs::write(&path, &whole[..whole.len() - cut]).expect("written");
        let (reports, damaged, lost) = recovered(directory.path());
        assert!(reports.len() < 3 && damaged == 0, "{cut} bytes less");
        let left = fs::metadata(&path).expect("a segment").len();
        assert_eq!(left + lost, (whole.len() - cut) as u64);
    }
}

#[tokio::test]
async fn flipped_bit_costs_its_record_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    filled(directory.path(), 5).await;
    let path = only_segment(directory.path());
    let whole = fs::read(&path).expect("a segment");
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).expect("written");
        let (reports, damaged, cut) = recovered(directory.path());
        assert_eq!(reports.len(), 4, "bit {bit}");
        assert!(damaged == 1 || cut > 0, "bit {bit} was not told");
        assert!(reports.iter().all(|(n, b)| *b == body(*n)), "bit {bit}");
    }
}

#[tokio::test]
async fn closed_segments_wait_until_they_are_stored() {
    let directory = tempfile::tempdir().expect("a directory");
    let (log, _) = Log::open(config(directory.path()), 7).expect("a log");
    log.append(record(1), body(1)).await.expect("appended");
    assert!(log.oldest().is_none() && log.backlog_reports() == 1);
    assert!(log.close_segment().await);
    let segment = log.next_closed().await;
    assert_eq!(segment.contents().expect("readable").records.len(), 1);
    log.stored(&segment).expect("renamed");
    assert_eq!((log.backlog_bytes(), log.backlog_reports()), (0, 0));
    assert_eq!(segment.contents().expect("readable").records.len(), 1);
    segment.delete().expect("deleted");
}

#[tokio::test]
async fn full_backlog_refuses() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = config(directory.path());
    config.backlog_bytes = 5000;
    let (log, _) = Log::open(config, 7).expect("a log");
    let big = Bytes::from(vec![0; 2000]);
    for at in 0..2 {
        log.append(record(at), big.clone()).await.expect("room");
    }
    let refused = log.append(record(3), big).await;
    assert!(matches!(refused, Err(AppendError::Full(_))), "{refused:?}");
    log.append(record(4), body(1)).await.expect("room for less");
}

#[test]
fn sync_policies_are_read() {
    assert_eq!("always".parse(), Ok(Sync::Always));
    assert_eq!("never".parse(), Ok(Sync::Never));
    let every = Duration::from_millis(200);
    assert_eq!("200ms".parse(), Ok(Sync::Every(every)));
    for wrong in ["", "0s", "sometimes"] {
        assert!(wrong.parse::<Sync>().is_err(), "{wrong}");
    }
}
