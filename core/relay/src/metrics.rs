//! What a relay counts, and how it tells: the Prometheus text format.
//!
//! Only totals: no workspace, device or address is ever named.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Declares each value once, with its name, type and help text in the output.
macro_rules! metrics {
    ($($name:ident: $kind:literal $help:literal,)*) => {
        /// The values a relay tells about itself.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(pub(crate) $name: Value,)*
        }

        impl Metrics {
            /// The Prometheus text format.
            pub(crate) fn render(&self) -> String {
                let mut text = String::new();
                $(
                    let name = concat!("tidelog_relay_", stringify!($name));
                    writeln!(text, concat!("# HELP {} ", $help), name)
                        .and_then(|()| writeln!(text, concat!("# TYPE {} ", $kind), name))
                        .and_then(|()| writeln!(text, "{name} {}", self.$name.get()))
                        .expect("writing to a string cannot fail");
                )*
                text
            }
        }
    };
}

metrics! {
    connections: "gauge" "WebSocket connections that are open.",
    sessions: "gauge" "Sessions of devices that are authenticated.",
    workspaces_open: "gauge" "Workspaces that are open.",
    mailboxes: "gauge" "Mailboxes that are open.",
    entries_stored_total: "counter" "Entries stored since the start.",
    received_bytes_total: "counter" "Bytes received in WebSocket messages.",
    sent_bytes_total: "counter" "Bytes sent in WebSocket messages.",
    entries_refused_total: "counter" "Entries that were not what their author may write.",
    connections_refused_total: "counter" "Connections refused for too many at once, by address or in all.",
    sessions_refused_total: "counter" "Sessions that ended before they were authenticated.",
    sessions_failed_total: "counter" "Sessions that ended because a peer broke the protocol or a limit.",
    letters_total: "counter" "Letters put into mailboxes.",
}

/// A number that many threads change.
#[derive(Debug, Default)]
pub(crate) struct Value(AtomicU64);

impl Value {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, amount: u64) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more until the guard is dropped.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.add(1);
        Held(self)
    }
}

/// One unit of a gauge.
#[derive(Debug)]
pub(crate) struct Held<'v>(&'v Value);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_help_its_type_and_one_line() {
        let metrics = Metrics::default();
        metrics.entries_stored_total.add(3);
        let held = metrics.sessions.hold();
        let text = metrics.render();
        assert!(text.contains(
            "# TYPE tidelog_relay_entries_stored_total counter\ntidelog_relay_entries_stored_total 3\n"
        ));
        assert!(text.contains("\ntidelog_relay_sessions 1\n"));
        assert!(text.lines().all(|line| line.starts_with("# ") || line.split(' ').count() == 2));
        drop(held);
        assert_eq!(metrics.sessions.get(), 0);
    }
}
