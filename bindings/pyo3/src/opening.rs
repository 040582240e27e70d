//! What gives a workspace: opening, making, joining, getting back.

use pyo3::prelude::*;
use tidelog_api::{JoinOptions, RecoverFrom};

use crate::call::{Meter, On, make, make_metered};
use crate::key::Secret;

/// Opens a workspace, or makes it once.
#[pyfunction]
#[pyo3(signature = (path, key, create, on=None))]
pub(crate) fn open<'py>(
    py: Python<'py>,
    path: String,
    key: Secret,
    create: Option<String>,
    on: On<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    make(py, tidelog_api::Workspace::open(path, key.into_key(py)?, create), on)
}

/// Makes a workspace.
#[pyfunction]
#[pyo3(signature = (path, key, name, on=None))]
pub(crate) fn create<'py>(
    py: Python<'py>,
    path: String,
    key: Secret,
    name: String,
    on: On<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    make(py, tidelog_api::Workspace::create(path, key.into_key(py)?, name), on)
}

/// Joins the workspace of an invite.
#[pyfunction]
#[pyo3(signature = (path, key, invite, profile, timeout_ms, on=None))]
pub(crate) fn join<'py>(
    py: Python<'py>,
    path: String,
    key: Secret,
    invite: String,
    profile: String,
    timeout_ms: Option<u64>,
    on: On<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = JoinOptions { profile, timeout_ms };
    make(py, tidelog_api::Workspace::join(path, key.into_key(py)?, invite, options), on)
}

/// Begins to join by hand.
#[pyfunction]
#[pyo3(signature = (path, key, invite, profile, on=None))]
pub(crate) fn ask_to_join<'py>(
    py: Python<'py>,
    path: String,
    key: Secret,
    invite: String,
    profile: String,
    on: On<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    make(py, tidelog_api::Workspace::ask_to_join(path, key.into_key(py)?, invite, profile), on)
}

/// Ends what was begun by hand.
#[pyfunction]
#[pyo3(signature = (path, key, welcome, on=None))]
pub(crate) fn finish_joining<'py>(
    py: Python<'py>,
    path: String,
    key: Secret,
    welcome: &[u8],
    on: On<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    make(py, tidelog_api::Workspace::finish_joining(path, key.into_key(py)?, welcome.to_vec()), on)
}

/// Checks a backup.
#[pyfunction]
#[pyo3(signature = (path, key, meter, progress, on=None))]
pub(crate) fn verify_backup<'py>(
    py: Python<'py>,
    path: String,
    key: Option<Secret>,
    meter: &Meter,
    progress: Option<Py<PyAny>>,
    on: On<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let key = key.map(|key| key.into_key(py)).transpose()?;
    let call = tidelog_api::Workspace::verify_backup(path, key, meter.0.clone());
    make_metered(py, call, meter, progress.as_ref(), on)
}

/// Makes the workspace of a backup anew.
#[pyfunction]
#[pyo3(signature = (backup, path, backup_key, key, meter, progress, on=None))]
#[expect(clippy::too_many_arguments, reason = "two folders, two keys, and how to wait")]
pub(crate) fn restore<'py>(
    py: Python<'py>,
    backup: String,
    path: String,
    backup_key: Secret,
    key: Option<Secret>,
    meter: &Meter,
    progress: Option<Py<PyAny>>,
    on: On<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let key = key.map(|key| key.into_key(py)).transpose()?;
    let call = tidelog_api::Workspace::restore(backup, path, backup_key.into_key(py)?, key, meter.0.clone());
    make_metered(py, call, meter, progress.as_ref(), on)
}

/// Gets a workspace back with recovery words.
#[pyfunction]
#[pyo3(signature = (path, key, words, folder, relay, workspace, on=None))]
#[expect(clippy::too_many_arguments, reason = "one for each field of where to recover from")]
pub(crate) fn recover<'py>(
    py: Python<'py>,
    path: String,
    key: Secret,
    words: String,
    folder: Option<String>,
    relay: Option<String>,
    workspace: Option<String>,
    on: On<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let from = RecoverFrom { folder, relay, workspace };
    make(py, tidelog_api::Workspace::recover(path, key.into_key(py)?, words, from), on)
}
