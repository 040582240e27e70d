//! Sync session: makes two replicas hold the same entries, whatever carries its bytes.

mod replica;

pub use replica::{Cursor, Fault, Missing, Receipt, Refused, Replica, ReplicaError};
