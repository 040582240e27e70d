//! Streams: watches, live lists and the events of links.

use napi::Result;
use napi_derive::napi;
use tidelog_api as api;

use crate::call::{Callback, callback};
use crate::record::{self, Item, LinkEvent, Notice};

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
    /// Events of a link.
    LinkEvents, api::LinkEvent, LinkEvent,
    "done: (error: Error | null, event: LinkEvent | null) => void",
    LinkEvent::from
);
