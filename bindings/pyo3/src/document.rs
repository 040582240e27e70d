//! Documents. A Python string index is a Unicode scalar value, as the engine counts.

use pyo3::prelude::*;
use tidelog_api::Edit;

use crate::call::{On, make};
use crate::error::OrRaise as _;
use crate::stream::Stream;
use crate::value::from_python;

/// One document.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct Document(pub(crate) tidelog_api::Document);

#[pymethods]
impl Document {
    #[pyo3(signature = (path, on=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        path: Option<String>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.get(path), on)
    }

    #[pyo3(signature = (path, on=None))]
    fn text<'py>(&self, py: Python<'py>, path: String, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.text(path), on)
    }

    /// Makes edits, each a tuple of a word and its arguments, as one change.
    #[pyo3(signature = (edits, on=None))]
    fn change<'py>(
        &self,
        py: Python<'py>,
        edits: Vec<Bound<'py, PyAny>>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let edits = edits.iter().map(edit_of).collect::<PyResult<_>>()?;
        make(py, self.0.change(edits), on)
    }

    #[pyo3(signature = (on=None))]
    fn heads<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.heads(), on)
    }

    #[pyo3(signature = (on=None))]
    fn history<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.history(), on)
    }

    fn watch(&self, py: Python<'_>) -> PyResult<Stream> {
        Ok(self.0.watch().or_raise(py)?.into())
    }
}

fn edit_of(edit: &Bound<'_, PyAny>) -> PyResult<Edit> {
    let word: String = edit.get_item(0)?.extract()?;
    Ok(match word.as_str() {
        "set" => {
            let (_, path, value): (String, String, Bound<'_, PyAny>) = edit.extract()?;
            Edit::Set { path, value: from_python(&value)? }
        }
        "delete" => {
            let (_, path): (String, String) = edit.extract()?;
            Edit::Delete { path }
        }
        "insert" => {
            let (_, path, position, value): (String, String, u64, Bound<'_, PyAny>) = edit.extract()?;
            Edit::Insert { path, position, value: from_python(&value)? }
        }
        "splice_text" => {
            let (_, path, position, delete, text) = edit.extract::<(String, _, _, _, _)>()?;
            Edit::SpliceText { path, position, delete, text }
        }
        "increment" => {
            let (_, path, by) = edit.extract::<(String, _, _)>()?;
            Edit::Increment { path, by }
        }
        _ => return Err(pyo3::exceptions::PyValueError::new_err("unknown edit")),
    })
}
