//! Results for asyncio.
//!
//! Calls end on threads of the engine that may block. They leave their result in the queue of the
//! event loop, and the first of them wakes the loop, which then takes over everything that is ready
//! at once.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use tidelog_api::{Abandon, Call};

use crate::error::OrRaise as _;
use crate::exit::{self, Inside};
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
    /// Leaves a result, and has the loop take it.
    fn leave(this: Py<Self>, waiting: Py<PyAny>, outcome: Outcome) {
        let mut ready = this.get().ready();
        ready.push((waiting, outcome));
        let first = ready.len() == 1;
        drop(ready);
        // When the interpreter is about to exit no loop runs any more.
        if first && let Ok(_inside) = Inside::enter() {
            Python::try_attach(|py| Self::wake(this.bind(py)));
        }
    }

    fn wake(this: &Bound<'_, Self>) {
        let py = this.py();
        let woken = this.getattr(intern!(py, "complete")).and_then(|complete| {
            this.get().event_loop.call_method1(py, intern!(py, "call_soon_threadsafe"), (complete,))
        });
        // The only way to fail is a closed loop, in which nobody waits.
        drop(woken);
    }

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
    exit::check().or_raise(py)?;
    let future = on.get().event_loop.bind(py).call_method0(intern!(py, "create_future"))?;
    let (event_loop, waiting) = (on.clone().unbind(), future.clone().unbind());
    let abandon = call.start_with(move |result| {
        let outcome: Outcome = Box::new(move |py| result.or_raise(py)?.into_python(py));
        EventLoop::leave(event_loop, waiting, outcome);
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
