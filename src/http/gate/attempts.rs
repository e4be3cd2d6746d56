//! Wrong tokens: a few may be a person's, many are a guesser's. What follows from them is the gate's.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens that one address may send within [`WINDOW`].
const MOST: u32 = 10;

const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are remembered. A guesser with more of them only makes everybody wait.
const MOST_ADDRESSES: usize = 10_000;

/// The wrong tokens of the last minute, by the address that sent them.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Attempts {
    /// How long this address has to wait, since it has sent too many.
    #[must_use]
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, count) = attempts.get(&network(address))?;
        let left = (*begun + WINDOW).saturating_duration_since(now);
        (*count >= MOST && !left.is_zero()).then_some(left)
    }

    /// Notes a wrong token.
    pub fn note_wrong(&self, address: IpAddr, now: Instant) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() >= MOST_ADDRESSES {
            attempts.retain(|_, (begun, _)| *begun + WINDOW > now);
        }
        let (begun, count) = attempts.entry(network(address)).or_insert((now, 0));
        if *begun + WINDOW <= now {
            (*begun, *count) = (now, 0);
        }
        *count += 1;
    }
}

/// Whoever has one IPv6 address has the 2^64 beside it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_ten_wrong_tokens_an_address_waits_for_the_minute_to_end() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let guesser: IpAddr = "2001:db8::1".parse().unwrap();
        for _ in 0..MOST {
            assert_eq!(attempts.wait(guesser, now), None);
            attempts.note_wrong(guesser, now);
        }
        assert_eq!(attempts.wait(guesser, now), Some(WINDOW));
        assert!(attempts.wait("2001:db8::ffff".parse().unwrap(), now).is_some(), "its neighbour");
        assert_eq!(attempts.wait("2001:db9::1".parse().unwrap(), now), None);
        assert_eq!(attempts.wait("192.0.2.1".parse().unwrap(), now), None);
        let later = now + WINDOW;
        assert_eq!(attempts.wait(guesser, later), None);
        attempts.note_wrong(guesser, later);
        assert_eq!(attempts.wait(guesser, later), None);
    }

    #[test]
    fn many_addresses_fill_no_memory() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for n in 0..MOST_ADDRESSES as u32 {
            attempts.note_wrong(IpAddr::V4(n.into()), now);
        }
        attempts.note_wrong("192.0.2.1".parse().unwrap(), now + WINDOW);
        assert_eq!(attempts.0.lock().unwrap().len(), 1);
    }
}
