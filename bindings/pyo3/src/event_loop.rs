//! Results for asyncio.
//!
//! Calls end on threads of the engine, which never attach to the interpreter. They leave their
//! result in the queue of the event loop and have it woken by the one thread that does
//! (`tidelog-asyncio`); the loop then takes over everything that is ready at once.

use std::mem;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use pyo3::intern;
use pyo3::prelude::*;
use tidelog_api::{Abandon, Call, Error, ErrorKind, Result};

use crate::error::OrRaise as _;
use crate::record::Record;

/// Makes the Python object of a result, on the thread of the loop.
type Outcome = Box<dyn for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>> + Send>;

/// An asyncio event loop, as the engine sees it.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct EventLoop {
    event_loop: Py<PyAny>,
    ready: Mutex<Vec<(Py<PyAny>, Outcome)>>,
}

#[pymethods]
impl EventLoop {
    #[new]
    fn new(event_loop: Py<PyAny>) -> Self {
        Self { event_loop, ready: Mutex::default() }
    }

    /// The loop this was made for.
    #[getter]
    fn event_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    /// Completes the futures whose calls have ended. Called by the loop.
    fn complete(&self, py: Python<'_>) -> PyResult<()> {
        for (future, outcome) in mem::take(&mut *self.ready()) {
            let future = future.bind(py);
            if future.call_method0(intern!(py, "done"))?.is_truthy()? {
                continue; // The task was cancelled: nobody waits.
            }
            match outcome(py) {
                Ok(result) => future.call_method1(intern!(py, "set_result"), (result,))?,
                Err(error) => future.call_method1(intern!(py, "set_exception"), (error,))?,
            };
        }
        Ok(())
    }
}

impl EventLoop {
    fn ready(&self) -> MutexGuard<'_, Vec<(Py<PyAny>, Outcome)>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a call and returns the future of its result.
pub(crate) fn start<'py, T: Record + Send + 'static>(
    call: Call<T>,
    on: &Bound<'py, EventLoop>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = on.py();
    let waker = waker().or_raise(py)?;
    let future = on.get().event_loop.bind(py).call_method0(intern!(py, "create_future"))?;
    let (event_loop, waiting) = (on.clone().unbind(), future.clone().unbind());
    let abandon = call.start_with(move |result| {
        let outcome: Outcome = Box::new(move |py| result.or_raise(py)?.into_python(py));
        let mut ready = event_loop.get().ready();
        ready.push((waiting, outcome));
        let first = ready.len() == 1;
        drop(ready);
        if first {
            // Without a waker the interpreter is about to exit, and no loop runs any more.
            let _ = waker.send(Wake(Some(event_loop)));
        }
    });
    if abandon.is_possible() {
        future.call_method1(intern!(py, "add_done_callback"), (OnCancel(abandon),))?;
    }
    Ok(future)
}

/// Gives up a call whose future was cancelled.
#[pyclass(frozen)]
struct OnCancel(Abandon);

#[pymethods]
impl OnCancel {
    fn __call__(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        if future.call_method0(intern!(future.py(), "cancelled"))?.is_truthy()? {
            self.0.abandon();
        }
        Ok(())
    }
}

/// A loop to wake, or the end.
struct Wake(Option<Py<EventLoop>>);

struct Waker {
    sender: Sender<Wake>,
    thread: JoinHandle<()>,
}

enum WakerState {
    NotStarted,
    Running(Waker),
    Stopped,
}

static WAKER: Mutex<WakerState> = Mutex::new(WakerState::NotStarted);

fn waker_state() -> MutexGuard<'static, WakerState> {
    WAKER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn waker() -> Result<Sender<Wake>> {
    if tidelog_api::is_forked() {
        return Err(Error::new(ErrorKind::Forked, "the engine runs in the process this one was forked from"));
    }
    let mut state = waker_state();
    match &*state {
        WakerState::Running(waker) => Ok(waker.sender.clone()),
        WakerState::Stopped => Err(Error::new(ErrorKind::Closed, "the interpreter is about to exit")),
        WakerState::NotStarted => {
            let (sender, wakes) = channel::<Wake>();
            let run = move || {
                while let Ok(Wake(Some(event_loop))) = wakes.recv() {
                    Python::try_attach(|py| wake(event_loop.bind(py)));
                }
            };
            let thread =
                std::thread::Builder::new().name("tidelog-asyncio".into()).spawn(run).map_err(|error| {
                    Error::new(ErrorKind::Io, format!("cannot start a thread of the engine: {error}"))
                })?;
            *state = WakerState::Running(Waker { sender: sender.clone(), thread });
            Ok(sender)
        }
    }
}

fn wake(event_loop: &Bound<'_, EventLoop>) {
    let py = event_loop.py();
    let woken = event_loop.getattr(intern!(py, "complete")).and_then(|complete| {
        event_loop.get().event_loop.call_method1(py, intern!(py, "call_soon_threadsafe"), (complete,))
    });
    // The only way to fail is a closed loop, in which nobody waits.
    drop(woken);
}

/// Ends the thread that wakes loops, once it has done what it was given.
pub(crate) fn stop_waker() {
    let state = mem::replace(&mut *waker_state(), WakerState::Stopped);
    if let WakerState::Running(waker) = state {
        // Both fail only if the thread has ended already.
        let _ = waker.sender.send(Wake(None));
        let _ = waker.thread.join();
    }
}
