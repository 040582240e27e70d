//! Streams: watches, live lists and the events of links.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tidelog_api::{Event, Item, LinkEvent, LogEvent, LogLevel};

use crate::call::{On, make};
use crate::error::OrRaise as _;
use crate::record::Record;

/// Events to be pulled.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct Stream(Events);

enum Events {
    Changes(tidelog_api::Stream<Event>),
    Lists(tidelog_api::Stream<Vec<Item>>),
    Links(tidelog_api::Stream<LinkEvent>),
    Logs(tidelog_api::Stream<LogEvent>),
}

/// Does the same with a stream of any kind of event.
macro_rules! each {
    ($events:expr, $stream:ident => $action:expr) => {
        match $events {
            Events::Changes($stream) => $action,
            Events::Lists($stream) => $action,
            Events::Links($stream) => $action,
            Events::Logs($stream) => $action,
        }
    };
}

#[pymethods]
impl Stream {
    /// Waits for an event; false after the end. A wait that is given up loses nothing.
    #[pyo3(signature = (on=None))]
    fn ready<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, each!(&self.0, stream => stream.ready()), on)
    }

    /// The event that was waited for, unless another thread took it.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        each!(&self.0, stream => stream.take().or_raise(py)?.into_python(py))
    }

    /// Ends the stream.
    fn stop(&self) {
        each!(&self.0, stream => stream.stop());
    }
}

/// What the engine logs, down to a level.
#[pyfunction]
pub(crate) fn logs(py: Python<'_>, level: &str) -> PyResult<Stream> {
    let level = LogLevel::ALL.into_iter().find(|known| known.name() == level);
    let level = level.ok_or_else(|| PyValueError::new_err("no such level"))?;
    Ok(Stream(Events::Logs(tidelog_api::logs(level).or_raise(py)?)))
}

impl From<tidelog_api::Stream<Event>> for Stream {
    fn from(stream: tidelog_api::Stream<Event>) -> Self {
        Self(Events::Changes(stream))
    }
}

impl From<tidelog_api::Stream<Vec<Item>>> for Stream {
    fn from(stream: tidelog_api::Stream<Vec<Item>>) -> Self {
        Self(Events::Lists(stream))
    }
}

impl From<tidelog_api::Stream<LinkEvent>> for Stream {
    fn from(stream: tidelog_api::Stream<LinkEvent>) -> Self {
        Self(Events::Links(stream))
    }
}
