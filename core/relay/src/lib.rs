//! A Tidelog relay: stores the encrypted entries of many workspaces and forwards them between
//! devices.
//!
//! A relay checks structure, hashes, signatures and membership of what it takes, exactly as a
//! device does, and can read none of it: this crate links `tidelog-log`, which has no type for an
//! epoch key, a device seed or a plaintext. Its one secret is its own Noise key. It is no
//! authority: devices check everything they get from it again.
//!
//! Everything lives in one folder:
//!
//! ```text
//! identity               the relay's Noise secret, readable by its owner only
//! lock                   held while a relay runs
//! workspaces/<id>/       one log each, as on a device, its state not encrypted
//! mailboxes/<id>         letters of devices that are joining
//! ```
//!
//! [`Relay::open`] takes the folder and [`Relay::serve`] serves a listener until told to stop;
//! [`run`] does both as a program would. `docs/relay.md` is for operators.

#![forbid(unsafe_code)]

mod config;
mod connection;
mod door;
mod gate;
mod http;
mod identity;
mod mailbox;
mod metrics;
mod options;
mod relay;
mod signals;
mod tenants;
mod visitor;

pub use config::{Admission, CONNECTIONS_DEFAULT, Config, QUOTA_BYTES_DEFAULT, Token};
pub use options::{LogFormat, Options, Size, run};
pub use relay::{Relay, RelayError};
