//! One way to make every call that may block.

use pyo3::prelude::*;
use tidelog_api::{Call, Error};

use crate::error::{OrRaise as _, exception};
use crate::event_loop::{self, EventLoop};
use crate::exit::{self, Inside};
use crate::record::Record;

/// An event loop, or none to wait on the calling thread.
pub(crate) type On<'a, 'py> = Option<&'a Bound<'py, EventLoop>>;

/// Waits for a call with the interpreter released, or begins it on an event loop.
pub(crate) fn make<'py, T: Record + Send + 'static>(
    py: Python<'py>,
    call: Call<T>,
    on: On<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    match on {
        Some(on) => event_loop::start(call, on),
        None => wait(py, call)?.into_python(py),
    }
}

/// Like [`make`], for a call with a meter. Whoever waits is told how far it has come. An exception of who is told
/// stops the call and is raised once that has ended, so that it may be made again; Ctrl-C stops it and the wait. On
/// an event loop the package looks at the meter itself.
pub(crate) fn make_metered<'py, T: Record + Send + 'static>(
    py: Python<'py>,
    call: Call<T>,
    meter: &Meter,
    progress: Option<&Py<PyAny>>,
    on: On<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(on) = on {
        return event_loop::start(call, on);
    }
    let (mut told, mut raised) = (None, None);
    let mut tell = |py: Python<'_>| {
        let now = (meter.0.done(), meter.0.total());
        if let Some(progress) = progress.filter(|_| raised.is_none() && told.replace(now) != Some(now)) {
            raised = progress.call1(py, now).err();
            if raised.is_some() {
                meter.0.stop();
            }
        }
        Ok(())
    };
    let result = wait_telling(py, call, &mut tell).inspect_err(|_| meter.0.stop());
    if result.is_ok() {
        tell(py)?;
    }
    match raised {
        Some(error) => Err(error),
        None => result?.into_python(py),
    }
}

/// Waits for a call with the interpreter released. Ctrl-C ends the wait, and so does the exit of the
/// interpreter.
fn wait<T: Send + 'static>(py: Python<'_>, call: Call<T>) -> PyResult<T> {
    wait_telling(py, call, &mut |_| Ok(()))
}

/// Waits for a call, with something to be done now and then, whose error ends the wait, too.
fn wait_telling<T: Send + 'static>(
    py: Python<'_>,
    call: Call<T>,
    tell: &mut (dyn FnMut(Python<'_>) -> PyResult<()> + Send),
) -> PyResult<T> {
    let _inside = Inside::enter().or_raise(py)?;
    let check = || {
        exit::check().map_err(Interrupt::Exit)?;
        Python::attach(|py| py.check_signals().and_then(|()| tell(py))).map_err(Interrupt::Raised)
    };
    match py.detach(|| call.wait_while(check)) {
        Ok(result) => result.or_raise(py),
        Err(Interrupt::Exit(error)) => Err(exception(py, &error)),
        Err(Interrupt::Raised(error)) => Err(error),
    }
}

/// Why a wait ends before its call does.
enum Interrupt {
    Exit(Error),
    Raised(PyErr),
}

/// How far a call has come.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct Meter(pub(crate) tidelog_api::Meter);

#[pymethods]
impl Meter {
    #[new]
    fn new() -> Self {
        Self(tidelog_api::Meter::new())
    }

    /// How much is done, and of how much.
    fn progress(&self) -> (u64, u64) {
        (self.0.done(), self.0.total())
    }

    /// Ends the call as soon as it can end without a loss.
    fn stop(&self) {
        self.0.stop();
    }
}
