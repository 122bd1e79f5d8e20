use futures_util::FutureExt;

use super::*;

/// An output that a new probe's end has begun.
fn begun() -> Arc<Output> {
    let output = Arc::new(Output::default());
    assert_eq!(begin(&output, None, 0), Some(0));
    output
}

/// Where a probe's end is to send from.
fn begin(output: &Output, kept: Option<(u64, u64)>, base: u64) -> Option<u64> {
    output.begin(kept, base).map(|begun| begun.send_from)
}

async fn read_all(reader: &mut Reader) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(Some((_, chunk))) = reader.read().now_or_never() {
        all.extend_from_slice(&chunk);
    }
    all
}

#[tokio::test]
async fn every_reader_sees_everything() {
    let output = begun();
    output.write(1, b"before ").await;
    let mut first = output.reader(From::Unread, false);
    let mut second = output.reader(From::Offset(0), false);
    output.write(1, b"after").await;
    assert_eq!(read_all(&mut first).await, b"before after");
    assert_eq!(read_all(&mut second).await, b"before after");
}

#[tokio::test]
async fn writer_waits_for_the_slowest_reader() {
    let output = begun();
    let mut reader = output.reader(From::Unread, false);
    let flood = vec![7; WINDOW + HISTORY + 1];
    let mut write = Box::pin(output.write(1, &flood));
    assert!((&mut write).now_or_never().is_none());
    let (_, chunk) = reader.read().await.expect("bytes");
    assert!((&mut write).now_or_never().is_some());
    let rest = read_all(&mut reader).await;
    assert_eq!(chunk.len() + rest.len(), flood.len());
}

#[tokio::test]
async fn reader_that_says_what_it_passed_on_is_a_window_ahead_at_most() {
    let output = begun();
    let mut reader = output.reader(From::Unread, true);
    output.write(1, &vec![7; WINDOW + HISTORY]).await;
    assert_eq!(read_all(&mut reader).await.len(), WINDOW);
    reader.progress().passed_on(10);
    assert_eq!(read_all(&mut reader).await.len(), 10);
    // What it has not got cannot be passed on.
    reader.progress().passed_on(u64::MAX);
    assert_eq!(output.lock().consumed, WINDOW as u64 + 10);
}

#[tokio::test]
async fn reader_that_comes_back_goes_on_where_it_was() {
    let output = begun();
    output.write(1, b"one").await;
    let mut reader = output.reader(From::Unread, true);
    assert_eq!(read_all(&mut reader).await, b"one");
    reader.progress().passed_on(2);
    drop(reader);
    output.write(1, b"two").await;
    let mut back = output.reader(From::Offset(3), false);
    assert_eq!(read_all(&mut back).await, b"two");
    drop(back);
    let mut unread = output.reader(From::Unread, false);
    assert_eq!(read_all(&mut unread).await, b"");
    // While one is reading, another one gets what is kept.
    let mut other = output.reader(From::Unread, false);
    assert_eq!(read_all(&mut other).await, b"onetwo");
}

#[tokio::test]
async fn what_was_not_passed_on_is_read_by_the_next_reader() {
    let output = begun();
    output.write(1, b"onetwo").await;
    let mut reader = output.reader(From::Unread, true);
    read_all(&mut reader).await;
    reader.progress().passed_on(3);
    drop(reader);
    assert_eq!(
        read_all(&mut output.reader(From::Unread, true)).await,
        b"two"
    );
}

#[tokio::test]
async fn new_holder_is_filled_by_the_probes_end_and_readers_go_on() {
    let output = Arc::new(Output::default());
    let mut reader = output.reader(From::Offset(103), true);
    assert!(reader.read().now_or_never().is_none());
    assert_eq!(begin(&output, Some((100, 106)), 0), Some(100));
    output.write(1, b"abcdef").await;
    assert_eq!(reader.read().await, Some((103, Bytes::from("def"))));
    // The same end attaches again: it goes on behind what is here, and what still comes from before is ignored.
    assert_eq!(begin(&output, Some((100, 110)), 0), Some(106));
    assert_eq!(begin(&output, Some((107, 110)), 0), None);
    assert_eq!(begin(&output, Some((100, 105)), 0), None);
    assert_eq!(begin(&output, None, 0), Some(106));
    output.write(1, b"late").await;
    assert_eq!(begin(&output, None, 0), Some(106));
}

#[tokio::test]
async fn new_end_of_a_lost_pipe_begins_further_on() {
    let output = Arc::new(Output::default());
    let mut reader = output.reader(From::Offset(103), false);
    let base = 1 << 40;
    assert_eq!(begin(&output, None, base), Some(base));
    output.write(1, b"new").await;
    assert_eq!(reader.read().await, Some((base, Bytes::from("new"))));
}

#[tokio::test]
async fn readers_get_the_rest_and_then_the_end() {
    let output = begun();
    output.write(1, b"last words").await;
    output.finish();
    assert!(output.read_to_its_end().now_or_never().is_none());
    let mut reader = output.reader(From::Unread, false);
    assert_eq!(reader.read().await, Some((0, Bytes::from("last words"))));
    assert_eq!(reader.read().await, None);
    output.read_to_its_end().await;
}

#[tokio::test]
async fn memory_is_bounded() {
    let output = begun();
    let mut reader = output.reader(From::Unread, false);
    for _ in 0..100 {
        output.write(1, &[1; 8192]).await;
        read_all(&mut reader).await;
    }
    assert!(output.lock().bytes.len() <= HISTORY);
    assert_eq!(reader.offset(), 100 * 8192);
}

#[tokio::test]
async fn reader_gets_nothing_twice_that_attaches_before_it_is_sent_again() {
    let output = Arc::new(Output::default());
    assert_eq!(begin(&output, Some((0, 6)), 0), Some(0));
    let mut reader = output.reader(From::Offset(6), false);
    output.write(1, b"first\n").await;
    output.write(1, b"second").await;
    assert_eq!(read_all(&mut reader).await, b"second");
}
