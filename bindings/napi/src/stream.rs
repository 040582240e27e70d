//! Streams: watches, live lists and the events of links.

use napi::{Result, Status};
use napi_derive::napi;
use tidelog_api as api;

use crate::call::{Callback, callback};
use crate::error::OrThrow as _;
use crate::record::{self, Item, LinkEvent, LogEvent, Notice};

macro_rules! stream {
    ($(#[$doc:meta])* $name:ident, $event:ty, $given:ty, $callback:literal, $convert:expr) => {
        $(#[$doc])*
        #[napi]
        pub struct $name(api::Stream<$event>);

        #[napi]
        impl $name {
            /// Calls back with the next event, or with null after the end. A wait does not keep the process alive.
            #[napi(catch_unwind, ts_args_type = $callback)]
            pub fn next(&self, done: Callback<'_, $given>) -> Result<()> {
                callback(self.0.next(), &done, |event| event.map($convert))
            }

            /// Ends the stream, also for whoever waits.
            #[napi(catch_unwind)]
            pub fn stop(&self) -> Result<()> {
                self.0.stop();
                Ok(())
            }
        }

        impl From<api::Stream<$event>> for $name {
            fn from(stream: api::Stream<$event>) -> Self {
                Self(stream)
            }
        }
    };
}

stream!(
    /// Changes of items.
    Watch, api::Event, Notice,
    "done: (error: Error | null, event: Notice | null) => void",
    Notice::from
);

stream!(
    /// Results of a query.
    Live, Vec<api::Item>, Vec<Item>,
    "done: (error: Error | null, items: Array<Item> | null) => void",
    record::all
);

stream!(
    /// Lines of the engine's log.
    Logs, api::LogEvent, LogEvent,
    "done: (error: Error | null, event: LogEvent | null) => void",
    LogEvent::from
);

/// What the engine logs, down to a level.
#[napi(catch_unwind, ts_args_type = "level: 'error' | 'warn' | 'info' | 'debug' | 'trace'")]
pub(crate) fn logs(level: String) -> Result<Logs> {
    let known = api::LogLevel::ALL.into_iter().find(|known| known.name() == level);
    let level = known.ok_or_else(|| napi::Error::new(Status::InvalidArg, "there is no such level"))?;
    Ok(api::logs(level).or_throw()?.into())
}

stream!(
    /// Events of a link.
    LinkEvents, api::LinkEvent, LinkEvent,
    "done: (error: Error | null, event: LinkEvent | null) => void",
    LinkEvent::from
);
