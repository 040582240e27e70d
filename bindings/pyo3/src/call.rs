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

/// Waits for a call with the interpreter released. Ctrl-C ends the wait, and so does the exit of the
/// interpreter.
fn wait<T: Send + 'static>(py: Python<'_>, call: Call<T>) -> PyResult<T> {
    let _inside = Inside::enter().or_raise(py)?;
    let check = || {
        exit::check().map_err(Interrupt::Exit)?;
        Python::attach(|py| py.check_signals()).map_err(Interrupt::Signal)
    };
    match py.detach(|| call.wait_while(check)) {
        Ok(result) => result.or_raise(py),
        Err(Interrupt::Exit(error)) => Err(exception(py, &error)),
        Err(Interrupt::Signal(error)) => Err(error),
    }
}

/// Why a wait ends before its call does.
enum Interrupt {
    Exit(Error),
    Signal(PyErr),
}
