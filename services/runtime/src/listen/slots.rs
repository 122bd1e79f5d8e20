//! How many connections there may be: in all, and of one client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Listening;
use super::metrics::Reason;
use super::origin::network;

#[derive(Debug, Clone)]
pub(super) struct Slots {
    all: Arc<Semaphore>,
    clients: Arc<Clients>,
}

#[derive(Debug)]
struct Clients {
    most: usize,
    spare_loopback: bool,
    /// Those with open connections, so never more than there are connections.
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// Room for one connection, until this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _all: OwnedSemaphorePermit,
    _client: Option<OfClient>,
}

#[derive(Debug)]
struct OfClient {
    clients: Arc<Clients>,
    network: IpAddr,
}

impl Slots {
    pub(super) fn new(listening: &Listening) -> Self {
        let most = listening.connections.min(Semaphore::MAX_PERMITS);
        Slots {
            all: Arc::new(Semaphore::new(most)),
            clients: Arc::new(Clients {
                most: listening.connections_per_client,
                spare_loopback: listening.spare_loopback,
                open: Mutex::default(),
            }),
        }
    }

    /// Room for a connection of nobody in particular.
    pub(super) fn take(&self) -> Result<Slot, Reason> {
        let all = Arc::clone(&self.all).try_acquire_owned();
        Ok(Slot {
            _all: all.map_err(|_| Reason::Connections)?,
            _client: None,
        })
    }

    /// The same room, if this client may have another connection.
    pub(super) fn of_client(&self, slot: Slot, client: IpAddr) -> Result<Slot, Reason> {
        if self.clients.spare_loopback && client.to_canonical().is_loopback() {
            return Ok(slot);
        }
        let network = network(client);
        let mut open = self.clients.open();
        let count = open.entry(network).or_default();
        if *count >= self.clients.most {
            return Err(Reason::Client);
        }
        *count += 1;
        drop(open);
        Ok(Slot {
            _client: Some(OfClient {
                clients: Arc::clone(&self.clients),
                network,
            }),
            ..slot
        })
    }
}

impl Clients {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OfClient {
    fn drop(&mut self) {
        let mut open = self.clients.open();
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(connections: usize, connections_per_client: usize) -> Slots {
        Slots::new(&Listening {
            connections,
            connections_per_client,
            ..Listening::new("test")
        })
    }

    fn connect(slots: &Slots, client: &str) -> Result<Slot, Reason> {
        slots.of_client(slots.take()?, client.parse().expect("an address"))
    }

    #[test]
    fn each_client_has_its_own_room_and_all_share_one() {
        let slots = slots(4, 2);
        let held = [
            connect(&slots, "192.0.2.1"),
            connect(&slots, "192.0.2.1"),
            connect(&slots, "2001:db8::1"),
        ];
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(connect(&slots, "192.0.2.1").err(), Some(Reason::Client));
        assert_eq!(
            connect(&slots, "::ffff:192.0.2.1").err(),
            Some(Reason::Client)
        );
        let fourth = connect(&slots, "2001:db8::2:1").expect("room");
        assert_eq!(
            connect(&slots, "192.0.2.3").err(),
            Some(Reason::Connections)
        );
        drop(fourth);
        connect(&slots, "192.0.2.3").expect("room again");
        drop(held);
        assert!(
            slots.clients.open().is_empty(),
            "forgotten with the last connection"
        );
    }

    #[test]
    fn refusal_takes_no_room() {
        let slots = slots(2, 1);
        let _held = connect(&slots, "192.0.2.1").expect("room");
        for _ in 0..3 {
            assert_eq!(connect(&slots, "192.0.2.1").err(), Some(Reason::Client));
        }
        connect(&slots, "192.0.2.2").expect("room");
    }

    #[test]
    fn this_machine_is_not_bounded_by_itself() {
        let slots = slots(3, 1);
        let held = [connect(&slots, "127.0.0.1"), connect(&slots, "127.0.0.1")];
        assert!(held.iter().all(Result::is_ok));
    }
}
