//! How often something may happen per key: so many at once, and one more each interval.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use tokio::time::Instant;

/// Keys remembered at once. Of more, those that were used least may begin anew.
const REMEMBERED: u64 = 100_000;

/// A generic cell rate algorithm: of each key only the time is kept at which it will have earned everything back.
#[derive(Debug, Clone)]
pub(crate) struct Throttle {
    every: Duration,
    burst: u32,
    full_at: Cache<String, Arc<Mutex<Instant>>>,
}

impl Throttle {
    pub(crate) fn new(burst: u32, every: Duration) -> Self {
        Throttle {
            every,
            burst,
            full_at: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_idle(every * burst)
                .build(),
        }
    }

    /// Whether it may happen once more, which counts.
    pub(crate) fn allows(&self, key: &str) -> bool {
        let now = Instant::now();
        let new = || Arc::new(Mutex::new(now));
        let slot = self.full_at.get_with(key.to_owned(), new);
        let mut full_at = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let next = (*full_at).max(now) + self.every;
        if next > now + self.every * self.burst {
            return false;
        }
        *full_at = next;
        true
    }
}

/// What counts as one place: an IPv4 address, or a /64 of IPv6, which is what a customer gets.
pub(crate) fn place(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.to_string(),
            None => Ipv6Addr::from(u128::from(v6) >> 64 << 64).to_string(),
        },
        Ok(v4) => v4.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_key_has_a_burst_and_earns_it_back() {
        let throttle = Throttle::new(3, Duration::from_secs(10));
        let count = |key: &str| (0..10).filter(|_| throttle.allows(key)).count();
        assert_eq!(count("a"), 3);
        assert_eq!(count("b"), 3, "keys do not share");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(count("a"), 1);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(count("a"), 3, "and no more than the burst");
    }

    #[test]
    fn a_customer_is_one_place() {
        let check = |address, expected| assert_eq!(place(address), expected);
        check("192.0.2.1", "192.0.2.1");
        check("::ffff:192.0.2.1", "192.0.2.1");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
        check("nowhere", "");
    }
}
