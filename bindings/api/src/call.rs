//! Calls: work that may block, to be waited for or awaited.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

use crate::error::{Error, ErrorKind, Result};
use crate::jobs;
use crate::runtime::{check_process, guard, panicked, runtime};

/// How often [`Call::wait_while`] asks whether to go on.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// Work that was described but not begun.
///
/// * [`wait`](Call::wait) does it on the calling thread: the fast path of a synchronous host.
/// * `.await` and [`start`](Call::start) do it on the engine's threads: the host's executor only
///   learns of the end, and a host that gives up waiting does not undo a write.
///
/// Nothing happens before one of these is used.
#[must_use = "a call does nothing until it is awaited or waited for"]
pub struct Call<T> {
    work: Work<T>,
    abandonable: bool,
}

enum Work<T> {
    Blocking(Box<dyn FnOnce() -> Result<T> + Send>),
    Async(Pin<Box<dyn Future<Output = Result<T>> + Send>>),
}

impl<T: Send + 'static> Call<T> {
    /// Work that reads or writes files on the thread it runs on.
    pub(crate) fn blocking(work: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        Self { work: Work::Blocking(Box::new(work)), abandonable: false }
    }

    /// Work that waits for tasks of the engine. Once begun it goes on, awaited or not.
    pub(crate) fn task(work: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        Self { work: Work::Async(Box::pin(work)), abandonable: false }
    }

    /// Work that only waits, and may be dropped at any point without a loss.
    pub(crate) fn abandonable(work: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        Self { work: Work::Async(Box::pin(work)), abandonable: true }
    }

    /// Does the work on the calling thread and returns its result.
    ///
    /// # Errors
    ///
    /// Those of the method that made the call.
    pub fn wait(self) -> Result<T> {
        match self.work {
            Work::Blocking(work) => guard(work),
            Work::Async(work) => runtime()?.block_on(Caught(work)),
        }
    }

    /// Does the work on the calling thread, asking every 50 ms whether to go on.
    ///
    /// What was already handed to the engine when it is told to stop, such as a commit, still takes
    /// place.
    ///
    /// # Errors
    ///
    /// What `go_on` said.
    pub fn wait_while<E>(self, mut go_on: impl FnMut() -> Result<(), E>) -> Result<Result<T>, E> {
        let work = match self.work {
            Work::Blocking(work) => return Ok(guard(work)),
            Work::Async(work) => Caught(work),
        };
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return Ok(Err(error)),
        };
        runtime.block_on(async move {
            let mut work = pin!(work);
            loop {
                match tokio::time::timeout(INTERRUPT_INTERVAL, work.as_mut()).await {
                    Ok(result) => return Ok(result),
                    Err(_) => go_on()?,
                }
            }
        })
    }

    /// Begins the work on the engine's threads.
    pub fn start(self) -> Task<T> {
        let state = match runtime() {
            Err(error) => State::Failed(Some(error)),
            Ok(runtime) => match self.work {
                Work::Blocking(work) => {
                    let (done, result) = oneshot::channel();
                    // Whoever no longer waits does not want the result.
                    jobs::run(runtime, move || drop(done.send(guard(work))));
                    State::Queued(result)
                }
                Work::Async(work) => State::Running(runtime.spawn(Caught(work))),
            },
        };
        Task { state, abandonable: self.abandonable }
    }

    /// Begins the work on the engine's threads; `done` gets the result on one that may block, unless
    /// the call is abandoned before. If the work cannot begin, `done` gets the error at once.
    pub fn start_with(self, done: impl FnOnce(Result<T>) + Send + 'static) -> Abandon {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                done(Err(error));
                return Abandon(None);
            }
        };
        match self.work {
            Work::Blocking(work) => {
                jobs::run(runtime, move || done(guard(work)));
                Abandon(None)
            }
            Work::Async(work) => {
                let task = runtime.spawn(async move {
                    let result = Caught(work).await;
                    jobs::run(runtime, move || done(result));
                });
                Abandon(self.abandonable.then(|| task.abort_handle()))
            }
        }
    }

    /// Changes the result.
    pub(crate) fn map<U: Send + 'static>(self, change: impl FnOnce(T) -> U + Send + 'static) -> Call<U> {
        let work = match self.work {
            Work::Blocking(work) => Work::Blocking(Box::new(move || work().map(change))),
            Work::Async(work) => Work::Async(Box::pin(async move { work.await.map(change) })),
        };
        Call { work, abandonable: self.abandonable }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Call").finish_non_exhaustive()
    }
}

impl<T: Send + 'static> IntoFuture for Call<T> {
    type Output = Result<T>;
    type IntoFuture = Task<T>;

    fn into_future(self) -> Task<T> {
        self.start()
    }
}

/// Gives up on a call that was started.
#[derive(Debug)]
pub struct Abandon(Option<tokio::task::AbortHandle>);

impl Abandon {
    /// Whether giving up does anything.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.0.is_some()
    }

    /// Stops the work if nothing can be lost by it; other work goes on to its end.
    pub fn abandon(&self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// Work that was begun. Dropping it stops it only if nothing can be lost by it.
pub struct Task<T> {
    state: State<T>,
    abandonable: bool,
}

enum State<T> {
    Queued(oneshot::Receiver<Result<T>>),
    Running(JoinHandle<Result<T>>),
    Failed(Option<Error>),
}

impl<T> Future for Task<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        match &mut self.state {
            State::Queued(result) => {
                Pin::new(result).poll(context).map(|result| result.unwrap_or_else(|_| stopped()))
            }
            State::Running(task) => Pin::new(task).poll(context).map(flatten),
            State::Failed(error) => {
                Poll::Ready(Err(error.take().expect("a finished future is not polled again")))
            }
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let (State::Running(task), true) = (&self.state, self.abandonable) {
            task.abort();
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Task").finish_non_exhaustive()
    }
}

/// The result of a task. A task that has none was aborted, together with the runtime.
fn flatten<T>(result: std::result::Result<Result<T>, JoinError>) -> Result<T> {
    result.unwrap_or_else(|_| stopped())
}

fn stopped<T>() -> Result<T> {
    check_process()?;
    Err(Error::new(ErrorKind::Closed, "the engine stopped before the call had ended"))
}

/// Waits for the end of a task. Giving up leaves it running.
pub(crate) async fn joined<T>(
    task: impl Future<Output = std::result::Result<Result<T>, JoinError>>,
) -> Result<T> {
    flatten(task.await)
}

/// A future whose panic is its error.
struct Caught<T>(Pin<Box<dyn Future<Output = Result<T>> + Send>>);

impl<T> Future for Caught<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context)))
            .unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn panicking() -> Call<()> {
        Call::task(async { panic!("a bug") })
    }

    #[test]
    fn waiting_gives_the_result() {
        assert_eq!(Call::blocking(|| Ok(1)).wait(), Ok(1));
        assert_eq!(Call::task(async { Ok(2) }).wait(), Ok(2));
    }

    #[test]
    fn a_panic_is_an_internal_error_however_the_call_is_made() {
        let error = panicking().wait().expect_err("panics");
        assert_eq!(error.kind, ErrorKind::Internal);
        let executor = tokio::runtime::Builder::new_current_thread().build().expect("builds");
        let error = executor.block_on(panicking().into_future()).expect_err("panics");
        assert_eq!(error.kind, ErrorKind::Internal);
        let error = Call::<()>::blocking(|| panic!("a bug")).wait().expect_err("panics");
        assert_eq!(error.kind, ErrorKind::Internal);
    }

    #[test]
    fn a_call_can_be_awaited_on_an_executor_that_is_not_tokio() {
        let (done, result) = mpsc::channel();
        let call = Call::task(async { Ok(3) });
        let abandon = call.start_with(move |value| done.send(value).expect("the test waits"));
        assert_eq!(result.recv(), Ok(Ok(3)));
        abandon.abandon();
    }

    #[test]
    fn a_started_call_goes_on_when_nobody_waits_for_it() {
        let (go, may_go) = oneshot::channel::<()>();
        let (done, result) = mpsc::channel();
        let task = Call::task(async move {
            let _ = may_go.await;
            done.send(()).expect("the test waits");
            Ok(())
        })
        .start();
        drop(task);
        go.send(()).expect("the task runs");
        result.recv().expect("it ran to its end");
    }

    #[test]
    fn an_abandonable_call_ends_when_nobody_waits_for_it() {
        let (kept, dropped) = mpsc::channel::<()>();
        let task = Call::<()>::abandonable(async move {
            let _kept = kept;
            std::future::pending().await
        })
        .start();
        drop(task);
        assert!(dropped.recv().is_err(), "the task was dropped");
    }

    #[test]
    fn waiting_can_be_interrupted() {
        let mut asked = 0;
        let result = Call::<()>::abandonable(std::future::pending()).wait_while(|| {
            asked += 1;
            if asked < 2 { Ok(()) } else { Err("interrupted") }
        });
        assert_eq!((result, asked), (Err("interrupted"), 2));
    }
}
