//! Streams: watches, live lists and the events of links.

use std::sync::Arc;

use tidelog_api::{Event, Item, LinkEvent, LogEvent, LogLevel};

use crate::error::Result;

macro_rules! stream {
    ($(#[$doc:meta])* $name:ident, $event:ty) => {
        $(#[$doc])*
        #[derive(Debug, uniffi::Object)]
        pub struct $name(pub(crate) tidelog_api::Stream<$event>);

        #[uniffi::export]
        impl $name {
            /// Waits for the next event; none after the end. What comes while a host gives up waiting is kept
            /// for
            /// the next one who waits.
            ///
            /// # Errors
            ///
            /// Those of reading the event; the stream has ended then.
            pub async fn next(&self) -> Result<Option<$event>> {
                while self.0.ready().await? {
                    if let Some(event) = self.0.take()? {
                        return Ok(Some(event));
                    }
                }
                Ok(None)
            }

            /// Ends the stream, also for those who wait.
            ///
            /// # Errors
            ///
            /// None.
            pub fn stop(&self) -> Result<()> {
                self.0.stop();
                Ok(())
            }
        }
    };
}

stream!(
    /// Changes of items.
    Watch, Event
);

stream!(
    /// Results of a query.
    Live, Vec<Item>
);

stream!(
    /// Events of a link.
    LinkEvents, LinkEvent
);

stream!(
    /// What the engine logs.
    Logs, LogEvent
);

/// What the engine logs from now on, down to a level.
#[uniffi::export]
pub fn logs(level: LogLevel) -> Result<Arc<Logs>> {
    Ok(Arc::new(Logs(tidelog_api::logs(level)?)))
}
