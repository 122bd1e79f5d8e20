//! Work that several callers wait for and that is done once.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tonic::Status;

type Landing<V> = Arc<watch::Sender<Option<Result<V, Status>>>>;
type Landings<V> = watch::Receiver<Option<Result<V, Status>>>;

/// Work under way, by what it is about. It goes on while one caller waits; nothing that goes wrong outlives it.
#[derive(Debug)]
pub(crate) struct Flights<K, V> {
    under_way: Mutex<HashMap<K, Landing<V>>>,
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Flights {
            under_way: Mutex::default(),
        }
    }
}

/// Takes a flight off the list, however it ends.
struct Listed<K: Eq + Hash, V> {
    flights: Arc<Flights<K, V>>,
    key: K,
    landing: Landing<V>,
}

impl<K: Eq + Hash, V> Drop for Listed<K, V> {
    fn drop(&mut self) {
        let mut under_way = self.flights.lock();
        let listed = under_way.get(&self.key);
        // Somebody else may have listed the like since this one was given up.
        if listed.is_some_and(|landing| Arc::ptr_eq(landing, &self.landing)) {
            under_way.remove(&self.key);
        }
    }
}

impl<K, V> Flights<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Landing<V>>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// What comes of this work, or of the like that is under way. `spawn` must run what it is given.
    pub(crate) async fn join<W>(
        self: &Arc<Self>,
        key: K,
        work: W,
        spawn: impl FnOnce(Flight<K, V, W>),
    ) -> Result<V, Status>
    where
        W: Future<Output = Result<V, Status>> + Send + 'static,
    {
        let (mut landing, flight) = self.list(key, work);
        if let Some(flight) = flight {
            spawn(flight);
        }
        let landed = landing.wait_for(Option::is_some).await;
        match landed.as_deref() {
            Ok(Some(result)) => result.clone(),
            // It panicked, or the process ends.
            Ok(None) | Err(_) => Err(Status::internal("internal error")),
        }
    }

    /// Where it lands; and a new flight, unless one like it is under way.
    fn list<W>(self: &Arc<Self>, key: K, work: W) -> (Landings<V>, Option<Flight<K, V, W>>) {
        let mut under_way = self.lock();
        if let Some(landing) = under_way.get(&key) {
            return (landing.subscribe(), None);
        }
        let landing = Arc::new(watch::Sender::new(None));
        let landings = landing.subscribe();
        under_way.insert(key.clone(), Arc::clone(&landing));
        let listed = Listed {
            flights: Arc::clone(self),
            key,
            landing,
        };
        (landings, Some(Flight { listed, work }))
    }
}

/// Work to be run.
pub(crate) struct Flight<K: Eq + Hash, V, W> {
    listed: Listed<K, V>,
    work: W,
}

impl<K, V, W> Flight<K, V, W>
where
    K: Eq + Hash,
    W: Future<Output = Result<V, Status>>,
{
    /// Works until it is done or nobody waits any more.
    pub(crate) async fn run(self) {
        let Flight { listed, work } = self;
        let landing = Arc::clone(&listed.landing);
        let mut work = pin!(work);
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                () = landing.closed() => {
                    // Under the lock, so that nobody joins what is given up.
                    let mut under_way = listed.flights.lock();
                    if landing.receiver_count() == 0 {
                        under_way.remove(&listed.key);
                        return;
                    }
                }
            }
        };
        drop(listed);
        landing.send_replace(Some(result));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[derive(Default)]
    struct Counted {
        flights: Arc<Flights<u8, usize>>,
        begun: Arc<AtomicUsize>,
        ended: Arc<AtomicUsize>,
    }

    impl Counted {
        /// Work of a second that gives how often it was begun.
        async fn join(&self) -> Result<usize, Status> {
            let (begun, ended) = (Arc::clone(&self.begun), Arc::clone(&self.ended));
            let work = async move {
                let n = begun.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
                ended.fetch_add(1, Ordering::SeqCst);
                Ok(n)
            };
            let spawn = |flight: Flight<_, _, _>| drop(tokio::spawn(flight.run()));
            self.flights.join(1, work, spawn).await
        }

        fn counts(&self) -> (usize, usize) {
            let count = |n: &AtomicUsize| n.load(Ordering::SeqCst);
            (count(&self.begun), count(&self.ended))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_waits_for_the_same_work() {
        let counted = Counted::default();
        let (a, b, c) = tokio::join!(counted.join(), counted.join(), counted.join());
        assert_eq!([a.ok(), b.ok(), c.ok()], [Some(1); 3]);
        assert_eq!(counted.join().await.ok(), Some(2));
        assert!(counted.flights.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_caller_takes_nothing_from_the_others() {
        let counted = Counted::default();
        let first = tokio::time::timeout(Duration::from_millis(500), counted.join());
        let (first, second) = tokio::join!(first, counted.join());
        assert!(first.is_err());
        assert_eq!(second.ok(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_nobody_waits_for_is_given_up() {
        let counted = Counted::default();
        let patience = Duration::from_millis(500);
        assert!(
            tokio::time::timeout(patience, counted.join())
                .await
                .is_err()
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(counted.counts(), (1, 0));
        assert!(counted.flights.lock().is_empty());
        assert_eq!(counted.join().await.ok(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_and_panics_are_told_once() {
        let flights = Arc::new(Flights::<u8, usize>::default());
        let spawn = |flight: Flight<_, _, _>| drop(tokio::spawn(flight.run()));
        let failing = async { Err(Status::unavailable("away")) };
        let failed = flights.join(1, failing, spawn).await;
        assert_eq!(failed.map_err(|s| s.code()), Err(tonic::Code::Unavailable));
        let spawn = |flight: Flight<_, _, _>| drop(tokio::spawn(flight.run()));
        let panicking = async { panic!("as tests do") };
        let failed = flights.join(1, panicking, spawn).await;
        assert_eq!(failed.map_err(|s| s.code()), Err(tonic::Code::Internal));
        let spawn = |flight: Flight<_, _, _>| drop(tokio::spawn(flight.run()));
        assert_eq!(flights.join(1, async { Ok(3) }, spawn).await.ok(), Some(3));
    }
}
