//! Workspaces.

use pyo3::prelude::*;
use tidelog_api::{CircleOptions, ErrorKind, InviteOptions, WatchOptions};

use crate::call::{Meter, On, make, make_metered};
use crate::database::Database;
use crate::error::OrRaise as _;
use crate::key::Secret;
use crate::link::Link;
use crate::record::Record;
use crate::stream::Stream;

/// An open workspace.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct Workspace(tidelog_api::Workspace);

impl Record for tidelog_api::Workspace {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(Bound::new(py, Workspace(self))?.into_any())
    }
}

/// Moves the clock of tests forward.
#[cfg(feature = "test-util")]
#[pyfunction]
pub(crate) fn advance(py: Python<'_>, ms: u64) -> PyResult<()> {
    tidelog_api::advance(ms).or_raise(py)
}

/// The codes of all errors.
#[pyfunction]
pub(crate) fn error_codes() -> Vec<&'static str> {
    ErrorKind::ALL.iter().map(|kind| kind.code()).collect()
}

#[pymethods]
impl Workspace {
    fn id(&self, py: Python<'_>) -> PyResult<String> {
        self.0.id().or_raise(py)
    }

    fn name(&self, py: Python<'_>) -> PyResult<String> {
        self.0.name().or_raise(py)
    }

    fn me<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.me().or_raise(py)?.into_python(py)
    }

    fn database(&self, py: Python<'_>, name: &str, circle: Option<String>) -> PyResult<Database> {
        Ok(Database(self.0.database(name, circle).or_raise(py)?))
    }

    #[pyo3(signature = (circle, on=None))]
    fn databases<'py>(
        &self,
        py: Python<'py>,
        circle: Option<String>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.databases(circle), on)
    }

    #[pyo3(signature = (name, history, recoverable, on=None))]
    fn create_circle<'py>(
        &self,
        py: Python<'py>,
        name: String,
        history: Option<String>,
        recoverable: Option<bool>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.create_circle(name, CircleOptions { history, recoverable }), on)
    }

    #[pyo3(signature = (on=None))]
    fn circles<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.circles(), on)
    }

    #[pyo3(signature = (circle, user, role, on=None))]
    fn add_to_circle<'py>(
        &self,
        py: Python<'py>,
        circle: String,
        user: String,
        role: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.add_to_circle(circle, user, role), on)
    }

    #[pyo3(signature = (circle, user, on=None))]
    fn remove_from_circle<'py>(
        &self,
        py: Python<'py>,
        circle: String,
        user: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.remove_from_circle(circle, user), on)
    }

    fn policy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.policy().or_raise(py)?.into_python(py)
    }

    #[pyo3(signature = (rotate_days, rotate_entries, on=None))]
    fn set_policy<'py>(
        &self,
        py: Python<'py>,
        rotate_days: u16,
        rotate_entries: u32,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.set_policy(rotate_days, rotate_entries), on)
    }

    #[pyo3(signature = (relay, role, expires_in_ms, auto_approve, uses, same_user, circles, on=None))]
    #[expect(clippy::too_many_arguments, reason = "one for each field of the options")]
    fn invite<'py>(
        &self,
        py: Python<'py>,
        relay: Option<String>,
        role: Option<String>,
        expires_in_ms: Option<u64>,
        auto_approve: bool,
        uses: Option<u32>,
        same_user: bool,
        circles: Vec<String>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = InviteOptions { relay, role, expires_in_ms, auto_approve, uses, same_user, circles };
        make(py, self.0.invite(options), on)
    }

    #[pyo3(signature = (invite, on=None))]
    fn withdraw<'py>(&self, py: Python<'py>, invite: String, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.withdraw(invite), on)
    }

    #[pyo3(signature = (request, on=None))]
    fn receive_request<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.receive_request(request.to_vec()), on)
    }

    #[pyo3(signature = (request, on=None))]
    fn welcome<'py>(&self, py: Python<'py>, request: String, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.welcome(request), on)
    }

    #[pyo3(signature = (name, on=None))]
    fn set_profile<'py>(
        &self,
        py: Python<'py>,
        name: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.set_profile(name), on)
    }

    #[pyo3(signature = (on=None))]
    fn invites<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.invites(), on)
    }

    #[pyo3(signature = (on=None))]
    fn requests<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.requests(), on)
    }

    #[pyo3(signature = (request, on=None))]
    fn approve<'py>(&self, py: Python<'py>, request: String, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.approve(request), on)
    }

    #[pyo3(signature = (on=None))]
    fn members<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.members(), on)
    }

    #[pyo3(signature = (on=None))]
    fn devices<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.devices(), on)
    }

    #[pyo3(signature = (user, role, on=None))]
    fn set_role<'py>(
        &self,
        py: Python<'py>,
        user: String,
        role: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.set_role(user, role), on)
    }

    #[pyo3(signature = (user, on=None))]
    fn remove_user<'py>(
        &self,
        py: Python<'py>,
        user: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.remove_user(user), on)
    }

    #[pyo3(signature = (device, on=None))]
    fn remove_device<'py>(
        &self,
        py: Python<'py>,
        device: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.remove_device(device), on)
    }

    #[pyo3(signature = (on=None))]
    fn excluded<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.excluded(), on)
    }

    #[pyo3(signature = (device, on=None))]
    fn accept_excluded<'py>(
        &self,
        py: Python<'py>,
        device: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.accept_excluded(device), on)
    }

    #[pyo3(signature = (url, on=None))]
    fn sync<'py>(&self, py: Python<'py>, url: String, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.sync(url), on)
    }

    #[pyo3(signature = (other, on=None))]
    fn sync_with<'py>(&self, py: Python<'py>, other: &Self, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.sync_with(&other.0), on)
    }

    fn connect(&self, py: Python<'_>, url: &str) -> PyResult<Link> {
        Ok(Link(self.0.connect(url).or_raise(py)?))
    }

    fn watch(&self, py: Python<'_>, pattern: Option<String>, initial: bool) -> PyResult<Stream> {
        Ok(self.0.watch(WatchOptions { pattern, initial }).or_raise(py)?.into())
    }

    #[pyo3(signature = (on=None))]
    fn stats<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.stats(), on)
    }

    #[pyo3(signature = (on=None))]
    fn warnings<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.warnings(), on)
    }

    #[pyo3(signature = (meter, progress, on=None))]
    fn verify<'py>(
        &self,
        py: Python<'py>,
        meter: &Meter,
        progress: Option<Py<PyAny>>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make_metered(py, self.0.verify(meter.0.clone()), meter, progress.as_ref(), on)
    }

    #[pyo3(signature = (old, new, on=None))]
    fn change_passphrase<'py>(
        &self,
        py: Python<'py>,
        old: Option<Secret>,
        new: Secret,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let old = old.map(|old| old.into_key(py)).transpose()?;
        make(py, self.0.change_passphrase(old, new.into_key(py)?), on)
    }

    #[pyo3(signature = (on=None))]
    fn recovery_words<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.recovery_words(), on)
    }

    #[pyo3(signature = (words, on=None))]
    fn confirm_recovery_words<'py>(
        &self,
        py: Python<'py>,
        words: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.confirm_recovery_words(words), on)
    }

    #[pyo3(signature = (on=None))]
    fn add_recovery_device<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.add_recovery_device(), on)
    }

    #[pyo3(signature = (to, key, meter, progress, on=None))]
    fn backup<'py>(
        &self,
        py: Python<'py>,
        to: String,
        key: Option<Secret>,
        meter: &Meter,
        progress: Option<Py<PyAny>>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let key = key.map(|key| key.into_key(py)).transpose()?;
        make_metered(py, self.0.backup(to, key, meter.0.clone()), meter, progress.as_ref(), on)
    }

    fn restored(&self, py: Python<'_>) -> PyResult<bool> {
        self.0.restored().or_raise(py)
    }

    #[pyo3(signature = (on=None))]
    fn confirm_only_copy<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.confirm_only_copy(), on)
    }

    #[pyo3(signature = (on=None))]
    fn shutdown<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.shutdown(), on)
    }
}
