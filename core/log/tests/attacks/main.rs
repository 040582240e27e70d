//! The table of attacks: entries that a malicious client with valid keys can make, against a replica
//! that materialises what counts and against a relay that has no keys.
//!
//! Each attack is delivered in several orders; whatever the order, all replicas end with the same
//! frontier, and the same entries count. The relay's own tests play the same attacks over sockets.

mod attacks;
mod forks;
mod sessions;
mod world;

use world::{Place, World};

/// A replica and a relay's log, to which everything was handed in some order.
fn places(world: &World, order: u64) -> Vec<Place> {
    let places = vec![world.replica(order), world.relay(order)];
    places.iter().for_each(|place| place.deliver(&world.entries, order));
    places
}
