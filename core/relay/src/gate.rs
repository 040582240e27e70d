//! How many connections may be in their handshake, by address.
//!
//! A pass is held from the request to connect until the session is authenticated or gone, so one
//! address cannot tie up the relay with sessions that never become anybody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::UNAUTHENTICATED_SESSIONS_MAX;

/// Counts unauthenticated sessions by address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Gate {
    /// A pass for one more session of an address, or `None` if it has too many.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Pass> {
        let address = group(address);
        let mut counts = self.lock();
        let count = counts.entry(address).or_default();
        if *count >= UNAUTHENTICATED_SESSIONS_MAX {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Pass { gate: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counted as long as it lives.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Gate,
    address: IpAddr,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self.gate.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: a provider gives each IPv6 customer at least a /64.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_passes_and_no_more_until_one_is_returned() {
        let gate = Gate::default();
        let address: IpAddr = [192, 0, 2, 1].into();
        let mut passes: Vec<Pass> = std::iter::from_fn(|| gate.enter(address)).take(100).collect();
        assert_eq!(passes.len(), UNAUTHENTICATED_SESSIONS_MAX);
        assert!(gate.enter([192, 0, 2, 2].into()).is_some());
        passes.pop();
        assert!(gate.enter(address).is_some());
        drop(passes);
        assert!(gate.lock().is_empty(), "an address without sessions is forgotten");
    }

    #[test]
    fn one_ipv6_network_is_one_address_and_a_mapped_ipv4_address_is_itself() {
        let parse = |text: &str| group(text.parse().expect("an address"));
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), parse("192.0.2.1"));
    }
}
