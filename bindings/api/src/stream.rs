//! Pulled streams: events that wait until the host asks for them.
//!
//! The engine bounds what may wait and reports what it dropped as an event. Nothing is lost when a
//! host gives up waiting: [`Stream::ready`] only fetches an event into the stream, and
//! [`Stream::take`] hands it over without waiting.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinHandle;

use crate::call::{Call, joined};
use crate::error::Result;
use crate::runtime::{Held, guard};

/// Where a stream's events come from. Dropping a `next` that is not ready loses nothing.
pub(crate) trait Source: Send + 'static {
    type Event: Send + 'static;

    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Event>>> + Send;
}

/// [`Source`] behind a pointer.
trait AnySource<T>: Send {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Result<Option<T>>> + Send + '_>>;
}

impl<S: Source> AnySource<S::Event> for S {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Result<Option<S::Event>>> + Send + '_>> {
        Box::pin(Source::next(self))
    }
}

/// A source that reads files before it can begin: opened when first asked, off the calling thread.
pub(crate) enum Deferred<S> {
    Waiting(Option<Box<dyn FnOnce() -> Result<S> + Send>>),
    Opening(JoinHandle<Result<S>>),
    Open(S),
}

impl<S: Source> Deferred<S> {
    pub(crate) fn new(open: impl FnOnce() -> Result<S> + Send + 'static) -> Self {
        Self::Waiting(Some(Box::new(open)))
    }
}

impl<S: Source> Source for Deferred<S> {
    type Event = S::Event;

    async fn next(&mut self) -> Result<Option<S::Event>> {
        loop {
            match self {
                Self::Waiting(open) => {
                    let open = open.take().expect("the state changes with it");
                    *self = Self::Opening(tokio::task::spawn_blocking(move || guard(open)));
                }
                Self::Opening(task) => *self = Self::Open(joined(task).await?),
                Self::Open(source) => return source.next().await,
            }
        }
    }
}

type BoxedSource<T> = Held<Box<dyn AnySource<T>>>;

/// A stream of events, shared by its clones: each event goes to one of them. Dropping the last one
/// stops it.
pub struct Stream<T> {
    handle: Arc<StopOnDrop<T>>,
}

struct StopOnDrop<T>(Arc<Shared<T>>);

struct Shared<T> {
    /// `None` after the end.
    source: AsyncMutex<Option<BoxedSource<T>>>,
    /// An event that was fetched and not yet taken.
    fetched: Mutex<Option<T>>,
    stopped: watch::Sender<bool>,
}

impl<T: Send + 'static> Stream<T> {
    pub(crate) fn new(source: impl Source<Event = T>) -> Self {
        let source: Box<dyn AnySource<T>> = Box::new(source);
        let shared = Shared {
            source: AsyncMutex::new(Some(Held::new(source))),
            fetched: Mutex::new(None),
            stopped: watch::Sender::new(false),
        };
        Self { handle: Arc::new(StopOnDrop(Arc::new(shared))) }
    }

    fn shared(&self) -> &Arc<Shared<T>> {
        &self.handle.0
    }

    /// Waits for an event to take. False after the end: the stream was stopped, or the workspace
    /// shut down. Giving up loses nothing.
    ///
    /// # Errors
    ///
    /// Those of reading the event; the stream has ended then.
    pub fn ready(&self) -> Call<bool> {
        // Fetched by a task of its own: whoever gives up waiting leaves it to the next one.
        let shared = Arc::clone(self.shared());
        Call::abandonable(async move { joined(tokio::spawn(async move { shared.ready().await })).await })
    }

    /// The event that [`ready`](Self::ready) fetched, if nobody else took it.
    ///
    /// # Errors
    ///
    /// Only [`Forked`](crate::ErrorKind::Forked).
    pub fn take(&self) -> Result<Option<T>> {
        guard(|| Ok(self.shared().fetched().take()))
    }

    /// Waits for the next event and takes it; `None` after the end. For hosts that never give up
    /// waiting: an event that arrives while they do is lost.
    ///
    /// # Errors
    ///
    /// As [`ready`](Self::ready).
    pub fn next(&self) -> Call<Option<T>> {
        let shared = Arc::clone(self.shared());
        Call::task(async move {
            while shared.ready().await? {
                if let Some(event) = shared.fetched().take() {
                    return Ok(Some(event));
                }
            }
            Ok(None)
        })
    }

    /// Ends the stream, also for those who wait. Stopping again does nothing.
    pub fn stop(&self) {
        self.shared().stop();
    }
}

impl<T> Shared<T> {
    fn stop(&self) {
        self.stopped.send_replace(true);
        if let Ok(mut source) = self.source.try_lock() {
            *source = None;
        }
    }
}

impl<T> Drop for StopOnDrop<T> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl<T: Send + 'static> Shared<T> {
    fn fetched(&self) -> MutexGuard<'_, Option<T>> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ready(&self) -> Result<bool> {
        let mut stopped = self.stopped.subscribe();
        let mut slot = self.source.lock().await;
        if self.fetched().is_some() {
            return Ok(true);
        }
        let Some(source) = slot.as_mut() else { return Ok(false) };
        let event = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => Ok(None),
            event = source.get_mut().next() => event,
        };
        if let Ok(Some(event)) = event {
            *self.fetched() = Some(event);
            return Ok(true);
        }
        *slot = None;
        event.map(|_| false)
    }
}

impl<T> Clone for Stream<T> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl<T> fmt::Debug for Stream<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    struct Numbers(mpsc::UnboundedReceiver<u32>);

    impl Source for Numbers {
        type Event = u32;

        async fn next(&mut self) -> Result<Option<u32>> {
            Ok(self.0.recv().await)
        }
    }

    fn numbers() -> (mpsc::UnboundedSender<u32>, Stream<u32>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Stream::new(Numbers(receiver)))
    }

    #[test]
    fn events_come_in_order_until_the_end() {
        let (sender, stream) = numbers();
        sender.send(1).expect("open");
        sender.send(2).expect("open");
        drop(sender);
        assert_eq!(stream.next().wait(), Ok(Some(1)));
        assert_eq!(stream.clone().next().wait(), Ok(Some(2)));
        assert_eq!(stream.next().wait(), Ok(None));
        assert_eq!(stream.ready().wait(), Ok(false));
    }

    #[test]
    fn an_event_fetched_by_a_wait_that_was_given_up_is_still_there() {
        let (sender, stream) = numbers();
        sender.send(1).expect("open");
        sender.send(2).expect("open");
        assert_eq!(stream.ready().wait(), Ok(true));
        assert_eq!(stream.ready().wait(), Ok(true));
        assert_eq!(stream.take(), Ok(Some(1)));
        assert_eq!(stream.take(), Ok(None));
        assert_eq!(stream.next().wait(), Ok(Some(2)));
    }

    #[test]
    fn stopping_ends_a_wait_and_releases_the_source() {
        let (sender, stream) = numbers();
        let waiting = stream.ready().start();
        stream.stop();
        stream.stop();
        assert_eq!(Call::task(waiting).wait(), Ok(false));
        assert_eq!(stream.next().wait(), Ok(None));
        assert!(sender.send(1).is_err());
    }
}
