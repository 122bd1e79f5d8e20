use client::Key;
use proto::tenant::v1::Permission;
use url::Url;

use super::*;

/// Replicas of one store, as others know them.
async fn replicas<const N: usize>() -> [Places; N] {
    let rt = Runtime::new(runtime::Config::default(), Key::generate());
    let url = Url::parse("memory:").expect("a URL");
    let ends = Ends::open(&url, &rt).await.expect("opened");
    let recorder = Recorder::nowhere(&rt).expect("the first");
    let mut all = Vec::new();
    for i in 0..N {
        let config = Config {
            address: format!("http://replica-{i}"),
            limits: Limits::default(),
        };
        let places = Places::new(config, ends.clone(), recorder.clone(), &rt);
        let member = ends.join(&places.address).await.expect("joined");
        places.member.send_replace(Some(member));
        all.push(places);
    }
    all.try_into().expect("as many as asked for")
}

fn access(permission: Permission) -> Access {
    Access {
        permission,
        opener: "opener".to_owned(),
    }
}

fn key() -> PipeKey {
    Places::key("org", "pipe-1").expect("a key")
}

#[track_caller]
fn here(found: Result<Found, PipeError>) -> Arc<Pipe> {
    match found {
        Ok(Found::Here(pipe)) => pipe,
        found => panic!("not here: {found:?}"),
    }
}

#[track_caller]
fn there(found: Result<Found, PipeError>) -> Route {
    match found {
        Ok(Found::There(route)) => route,
        found => panic!("not there: {found:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn first_to_be_reached_holds_an_announced_pipe() {
    let [one, other] = replicas().await;
    let unknown = one.find(&key(), None).await;
    assert!(matches!(unknown, Err(PipeError::Unknown)));
    let key = key();
    let early = one.announced(&key);
    let announced = async {
        // The probe has looked a few times by then.
        tokio::time::sleep(Duration::from_secs(2)).await;
        other.announce(&key, access(Permission::Exec)).await
    };
    let (early, announced) = tokio::join!(early, announced);
    announced.expect("announced");
    assert_eq!(here(early).access, access(Permission::Exec));
    let route = there(other.find(&key, None).await);
    assert_eq!(route.address, "http://replica-0");
    assert_eq!(route.access, access(Permission::Exec));
    other
        .announce(&key, access(Permission::Exec))
        .await
        .expect("again");
    let taken = other.announce(&key, access(Permission::Logs)).await;
    assert!(matches!(taken, Err(PipeError::Taken)));
    let somebody = Access {
        opener: "somebody else".to_owned(),
        ..access(Permission::Exec)
    };
    let taken = other.announce(&key, somebody).await;
    assert!(matches!(taken, Err(PipeError::Taken)));
}

#[tokio::test(start_paused = true)]
async fn probe_of_a_pipe_that_nobody_announces_is_told() {
    let [one] = replicas().await;
    let started = Instant::now();
    let never = one.announced(&key()).await;
    assert!(matches!(never, Err(PipeError::Unknown)));
    assert!(started.elapsed() >= ANNOUNCED);
}

#[tokio::test]
async fn pipe_of_a_dead_holder_moves() {
    let [one, other] = replicas().await;
    one.announce(&key(), access(Permission::Exec))
        .await
        .expect("announced");
    assert_eq!(here(one.find(&key(), None).await).moves, 0);
    let route = there(other.find(&key(), None).await);
    other.ends.evict(&route.replica).await.expect("evicted");
    // What is remembered leads there until somebody found out.
    there(other.find(&key(), None).await);
    let moved = here(other.find(&key(), Some(&route.replica)).await);
    assert_eq!(moved.moves, 1);
    assert_eq!(moved.base(), 1 << 40);
    // One that was taken for dead takes nothing.
    one.held.release();
    one.member.send_replace(None);
    let route = there(one.find(&key(), None).await);
    assert_eq!(route.address, "http://replica-1");
}

#[tokio::test]
async fn replica_that_nobody_knows_takes_no_pipe() {
    let [one] = replicas().await;
    one.announce(&key(), access(Permission::Exec))
        .await
        .expect("announced");
    one.member.send_replace(None);
    let found = one.find(&key(), None).await;
    assert!(matches!(found, Err(PipeError::NoMember)));
}

#[tokio::test]
async fn closed_pipe_stays_closed() {
    let [one, other] = replicas().await;
    one.announce(&key(), access(Permission::Exec))
        .await
        .expect("announced");
    let pipe = here(one.find(&key(), None).await);
    one.close(&key(), CloseReason::Closed).await;
    assert_eq!(pipe.ended().await, Ended::Closed(CloseReason::Closed));
    for places in [&one, &other] {
        let found = places.find(&key(), None).await;
        assert!(matches!(found, Err(PipeError::Closed)));
        let again = places.announce(&key(), access(Permission::Exec)).await;
        assert!(matches!(again, Err(PipeError::Taken)));
    }
    // The process ended before the control was answered.
    let early = Places::key("org", "pipe-2").expect("a key");
    other.close_early(&early).await.expect("noted");
    let late = one.announce(&early, access(Permission::Exec)).await;
    assert!(matches!(late, Err(PipeError::Taken)));
}

#[tokio::test]
async fn ended_process_is_read_to_its_end() {
    let [one] = replicas().await;
    one.announce(&key(), access(Permission::Logs))
        .await
        .expect("announced");
    let pipe = here(one.find(&key(), None).await);
    let begun = pipe.output.begin(None, 0).expect("begun");
    pipe.output.write(begun.attachment, b"last words").await;
    one.close_held(key(), Arc::clone(&pipe), CloseReason::Ended.into())
        .await;
    here(one.find(&key(), None).await);
    let mut reader = pipe.output.reader(crate::output::From::Unread, false);
    assert!(
        reader
            .read()
            .await
            .is_some_and(|(_, bytes)| bytes == "last words")
    );
    assert_eq!(pipe.ended().await, Ended::Closed(CloseReason::Ended));
}

#[test]
fn ids_are_checked_and_organisations_are_apart() {
    for wrong in ["", "p/q", "ü", &"x".repeat(129)] {
        assert!(matches!(Places::key("a", wrong), Err(PipeError::BadId)));
    }
    let [a, b] = ["a", "b"].map(|org| Places::key(org, "pipe-1").expect("a key"));
    assert_ne!(a, b);
}
