//! Results of calls as Python objects.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use tidelog_api::{
    BackupInfo, BackupReport, Change, Changes, Circle, CircleMember, Device, Entries, Event, ExcludedEntry,
    Invite, Item, JoinRequest, KeyPolicy, LinkEvent, LinkState, LogChange, LogEvent, Me, Member, Page,
    Progress, RemovalReport, Stats, Summary, SyncReport, Transfer, Value, VerifyReport, Version, Warning,
};

use crate::value::to_python;

/// What a call may give.
pub(crate) trait Record {
    /// The Python object.
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>>;
}

macro_rules! plain {
    ($($type:ty),*) => {
        $(impl Record for $type {
            fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
                Ok(self.into_pyobject(py)?.to_owned().into_any())
            }
        })*
    };
}

plain!(bool, u16, u32, u64, i64, String);

impl Record for () {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(py.None().into_bound(py))
    }
}

impl Record for Value {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        to_python(py, &self)
    }
}

impl Record for Vec<u8> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(PyBytes::new(py, &self).into_any())
    }
}

impl<T: Record> Record for Option<T> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        self.map_or_else(|| ().into_python(py), |some| some.into_python(py))
    }
}

/// A list of records. (`Vec<u8>` is bytes.)
macro_rules! lists {
    ($($type:ty),* $(,)?) => {
        $(impl Record for Vec<$type> {
            fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
                let list = PyList::empty(py);
                for item in self {
                    list.append(item.into_python(py)?)?;
                }
                Ok(list.into_any())
            }
        })*
    };
}

lists!(
    String,
    Vec<u8>,
    Item,
    Version,
    Invite,
    JoinRequest,
    Member,
    Device,
    ExcludedEntry,
    Circle,
    CircleMember,
    LogChange,
    Warning,
);

impl Record for LinkState {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(PyString::new(py, self.name()).into_any())
    }
}

/// Items and pages are pairs: they are many.
impl Record for Item {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok((self.key, to_python(py, &self.value)?).into_pyobject(py)?.into_any())
    }
}

impl Record for Page {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok((self.items.into_python(py)?, self.cursor).into_pyobject(py)?.into_any())
    }
}

/// A struct is a dictionary of its fields: the keyword arguments of the class of the same name.
macro_rules! dictionaries {
    ($($type:ident { $($field:ident),* $(,)? })*) => {
        $(impl Record for $type {
            fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
                let Self { $($field),* } = self;
                let dict = PyDict::new(py);
                $(dict.set_item(pyo3::intern!(py, stringify!($field)), $field.into_python(py)?)?;)*
                Ok(dict.into_any())
            }
        })*
    };
}

dictionaries! {
    Summary { items, entries }
    Version { entry, author, user, hlc_ms, kind, value, local }
    Change { kind, database, circle, collection, owner, key, old, new, author, hlc_ms, local, entry }
    Me { user, device, role, profile }
    Invite { id, uri, expires_ms, role, relay, uses_left, auto_approve, same_user, circles }
    JoinRequest { id, profile, device, role, same_user, circles, requested_ms }
    Member { user, role, profile, devices, me }
    Device { device, user, added_by, me }
    RemovalReport { cuts, claimed, entries, keys_renewed, advice }
    ExcludedEntry { entry, device, user, database, seq, reason, due_ms }
    Circle { id, name, history, recoverable, members, readable }
    CircleMember { user, role }
    KeyPolicy { rotate_days, rotate_entries }
    SyncReport { sent, received, bytes_sent, bytes_received, round_trips, held, held_there }
    Warning { kind, device, user, database, entry, text }
    Progress { received, received_total, sent, sent_total, bytes_received, bytes_sent }
    Stats { entries, log_bytes, streams, chains, users, devices, root }
    VerifyReport { entries, bytes, signatures, damaged, problems }
    BackupReport { entries, bytes, copied, key }
    BackupInfo { workspace, made_ms, entries, bytes, key, problems }
    Entries { entries, missing }
    LogChange { kind, collection, owner, key, entry, author, arrival }
    Changes { items, cursor }
    Transfer { received, sent }
}

/// Events are pairs of a tag and what it carries.
impl Record for Event {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let (tag, content) = match self {
            Self::Change(change) => ("change", change.into_python(py)?),
            Self::Lagged(lost) => ("lagged", lost.into_python(py)?),
        };
        Ok((tag, content).into_pyobject(py)?.into_any())
    }
}

impl Record for LinkEvent {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let (tag, content) = match self {
            Self::State(state) => ("state", state.into_python(py)?),
            Self::Progress(progress) => ("progress", progress.into_python(py)?),
            Self::Failed { code, reason } => ("failed", (code, reason).into_pyobject(py)?.into_any()),
            Self::Warned(warning) => ("warned", warning.into_python(py)?),
            Self::Lagged(lost) => ("lagged", lost.into_python(py)?),
        };
        Ok((tag, content).into_pyobject(py)?.into_any())
    }
}

impl Record for LogEvent {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Line(line) => {
                Ok(("line", (line.level.name(), line.target, line.text)).into_pyobject(py)?.into_any())
            }
            Self::Lagged(lost) => Ok(("lagged", lost).into_pyobject(py)?.into_any()),
        }
    }
}
