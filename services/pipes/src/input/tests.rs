use futures_util::FutureExt;

use super::*;

fn at(writer: &str, position: u64) -> WriterPosition {
    WriterPosition {
        writer_id: writer.to_owned(),
        position,
    }
}

/// All that an attachment gets now.
fn take(input: &Input, attachment: u64) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(Some(piece)) = input.next(attachment, true).now_or_never() {
        all.extend_from_slice(&piece.data);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn numbered_writes_are_applied_once_and_in_order() {
    let input = Input::default();
    let write =
        |sequence, data: &'static str| input.push_numbered("w", sequence, Bytes::from(data), false);
    let mut early = Box::pin(write(2, "b"));
    assert!((&mut early).now_or_never().is_none());
    write(1, "a").await.expect("written");
    early.await.expect("written");
    write(2, "b").await.expect("ignored");
    write(3, "c").await.expect("written");
    let probe = input.attach(&[]);
    assert_eq!(take(&input, probe), b"abc");
    assert_eq!(write(5, "e").await, Err(WriteError::Gap));
}

#[tokio::test]
async fn what_was_not_passed_on_goes_to_the_next_attachment() {
    let input = Input::default();
    assert_eq!(input.link("u", None), Ok((0, 1)));
    for piece in ["one", "two", "three"] {
        input.push(("u", 1), piece.into()).await.expect("pushed");
    }
    let first = input.attach(&[]);
    assert_eq!(take(&input, first), b"onetwothree");
    // Half a piece is none.
    input.confirm(first, 5);
    assert_eq!(input.passed_on_after("u", 0).await, 3);
    let second = input.attach(&[]);
    input.confirm(first, 11);
    assert!(input.next(first, true).await.is_none());
    assert_eq!(take(&input, second), b"twothree");
    input.confirm(second, 8);
    assert_eq!(input.passed_on_after("u", 3).await, 11);
}

#[tokio::test]
async fn new_holder_passes_nothing_on_twice() {
    let input = Input::default();
    // The link sends again from 100, the probe's end has 104 and the browser's calls up to 7.
    assert_eq!(input.link("u", Some((100, 110))), Ok((100, 1)));
    input
        .push(("u", 1), "abcdefg".into())
        .await
        .expect("pushed");
    let write = input.push_numbered("w", 8, "h".into(), true);
    write.await.expect("written");
    let probe = input.attach(&[at("u", 104), at("w", 7)]);
    assert_eq!(take(&input, probe), b"efgh");
    // The other way round: the probe's end was here first.
    let input = Input::default();
    let probe = input.attach(&[at("u", 104), at("w", 8)]);
    assert_eq!(input.link("u", Some((100, 110))), Ok((104, 1)));
    let write = input.push_numbered("w", 8, "h".into(), true);
    write.await.expect("ignored");
    assert_eq!(take(&input, probe), b"");
    assert_eq!(input.link("u", Some((0, 50))), Err(WriteError::Unknown));
}

#[tokio::test]
async fn what_still_comes_over_an_older_stream_is_refused() {
    let input = Input::default();
    input.link("u", None).expect("a link");
    input.push(("u", 1), "one".into()).await.expect("pushed");
    assert_eq!(input.link("u", Some((0, 6))), Ok((3, 2)));
    let late = input.push(("u", 1), "two".into()).await;
    assert_eq!(late, Err(WriteError::Unknown));
    input.push(("u", 2), "two".into()).await.expect("pushed");
    assert_eq!(take(&input, input.attach(&[])), b"onetwo");
}

#[tokio::test]
async fn writers_wait_while_too_much_is_under_way() {
    let input = Input::default();
    input.link("u", None).expect("a link");
    let flood = Bytes::from(vec![7; WINDOW]);
    input.push(("u", 1), flood).await.expect("pushed");
    let mut more = Box::pin(input.push(("u", 1), "x".into()));
    assert!((&mut more).now_or_never().is_none());
    let probe = input.attach(&[]);
    assert_eq!(take(&input, probe).len(), WINDOW);
    input.confirm(probe, WINDOW as u64);
    more.await.expect("pushed");
}

#[tokio::test]
async fn writers_that_are_done_are_forgotten_for_new_ones() {
    let input = Input::default();
    for i in 0..2 * WRITERS {
        input.link(&i.to_string(), None).expect("room");
    }
    assert!(input.lock().writers.len() <= WRITERS);
    let input = Input::default();
    for i in 0..WRITERS {
        let writer = i.to_string();
        input.link(&writer, None).expect("room");
        input.push((&writer, 1), "x".into()).await.expect("room");
    }
    assert_eq!(input.link("more", None), Err(WriteError::Writers));
}
