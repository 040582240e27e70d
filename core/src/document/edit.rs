//! Changing a document: every method says what a person did, so that it merges as they meant it.

use std::collections::BTreeMap;

use automerge::transaction::Transactable;
use automerge::{AutoCommit, AutomergeError, ObjId, ObjType, Prop, ROOT, ReadDoc, ScalarValue};

use super::value::{self, Slot};
use crate::data::path::{Path, position};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

impl From<AutomergeError> for Error {
    fn from(error: AutomergeError) -> Self {
        Self::new(ErrorKind::InvalidArgument, "the document cannot be changed so").with_source(error)
    }
}

/// Changes to one document, made together. Reads see what was changed before.
///
/// Paths lead through maps and lists: `address.city`, `todos.0.done`. Missing maps on the way are
/// made; positions in lists must be there.
///
/// A text, list, counter or map that is missing is made. Where two devices make one at the same place
/// at the same time, one of the two is shown, the same on every device, and what was written into the
/// other is not: make what several will write into before they do.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use tidelog::{CollectionOptions, Policy, Value};
///
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// let options = CollectionOptions::default().policy(Policy::Document);
/// let plans = workspace.database("main").collection_with::<Value>("plans", options);
/// let plan = plans.document("harbour")?;
/// plan.change(|edit| {
///     edit.set("place.name", &"Quay".into())?;
///     edit.insert("steps", 0, &"survey".into())?;
///     edit.increment("votes", 2)
/// })
/// .await?;
/// assert_eq!(plan.get("steps.0")?, Some("survey".into()));
/// assert_eq!(plan.history()?.len(), 1); // one entry
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
#[derive(Debug)]
pub struct Edit<'d> {
    doc: &'d mut AutoCommit,
}

/// A place in the document: an object, and what is there.
struct Found {
    object: ObjId,
    prop: Prop,
}

impl<'d> Edit<'d> {
    pub(super) fn new(doc: &'d mut AutoCommit) -> Self {
        Self { doc }
    }

    /// The value at a path, if there is one. The empty path is the whole document.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the path is malformed.
    pub fn get(&self, path: &str) -> Result<Option<Value>> {
        get(self.doc, path)
    }

    /// Makes the value at a path equal to this one. Maps, lists and text that are there already
    /// stay and are changed only where they differ, so concurrent changes elsewhere in them are
    /// kept; a counter is moved by the difference. The empty path is the whole document and takes
    /// a map.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the path leads nowhere.
    pub fn set(&mut self, path: &str, value: &Value) -> Result<()> {
        if path.is_empty() {
            let Value::Map(_) = value else {
                return Err(invalid(format!("a document is a map, not a {}", value.kind_name())));
            };
            return self.reconcile(&ROOT, ObjType::Map, value).map(drop);
        }
        let found = self.find(path, true)?;
        self.assign(&found.object, found.prop, value)
    }

    /// Makes these fields of the document equal these values, each as [`Edit::set`] does.
    pub(crate) fn set_fields(&mut self, fields: &BTreeMap<String, Value>) -> Result<()> {
        fields.iter().try_for_each(|(name, value)| self.assign(&ROOT, Prop::Map(name.clone()), value))
    }

    /// Removes what is at a path, and says whether there was something.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the path is malformed.
    pub fn delete(&mut self, path: &str) -> Result<bool> {
        let Ok(found) = self.find(path, false) else {
            Path::parse(path)?;
            return Ok(false);
        };
        let present = self.doc.get(&found.object, found.prop.clone())?.is_some();
        if present {
            self.doc.delete(&found.object, found.prop)?;
        }
        Ok(present)
    }

    /// Inserts a value into the list at a path, before the element at `position`; at the length of
    /// the list it is appended.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if there is no list, or it is shorter. A missing list is
    /// made if `position` is 0.
    pub fn insert(&mut self, path: &str, position: usize, value: &Value) -> Result<()> {
        let list = self.object(path, ObjType::List)?;
        let length = self.doc.length(&list);
        if position > length {
            return Err(invalid(format!("`{path}` has {length} elements: none can go to {position}")));
        }
        Ok(value::write(self.doc, &list, Slot::NewPlace(position), value)?)
    }

    /// Replaces `delete` characters of the text at a path, from `position` on, by `insert`.
    /// Positions count Unicode scalar values. A missing text is made; a plain string becomes a text
    /// that merges.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if something else is there, or the text is shorter.
    pub fn splice_text(&mut self, path: &str, position: usize, delete: usize, insert: &str) -> Result<()> {
        let text = self.object(path, ObjType::Text)?;
        let length = self.doc.length(&text);
        let removed = isize::try_from(delete)
            .ok()
            .filter(|_| position.checked_add(delete).is_some_and(|end| end <= length));
        let Some(removed) = removed else {
            return Err(invalid(format!(
                "`{path}` has {length} characters: {delete} from {position} on cannot be replaced"
            )));
        };
        Ok(self.doc.splice_text(&text, position, removed, insert)?)
    }

    /// Adds to the counter at a path; concurrent increments add up. A missing counter is made, and
    /// an integer becomes a counter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if something else is there, or the sum does not fit.
    pub fn increment(&mut self, path: &str, by: i64) -> Result<()> {
        let found = self.find(path, true)?;
        let current = self.doc.get(&found.object, found.prop.clone())?;
        let (start, counter) = match current.as_ref().map(|(value, _)| value) {
            None => (0, false),
            Some(automerge::Value::Scalar(scalar)) => match scalar.as_ref() {
                ScalarValue::Counter(counter) => (i64::from(counter), true),
                ScalarValue::Int(number) => (*number, false),
                _ => return Err(invalid(format!("`{path}` is no counter"))),
            },
            Some(automerge::Value::Object(_)) => return Err(invalid(format!("`{path}` is no counter"))),
        };
        let sum = start.checked_add(by).ok_or_else(|| invalid(format!("`{path}` would overflow")))?;
        if counter {
            self.doc.increment(&found.object, found.prop, by)?;
        } else {
            self.doc.put(&found.object, found.prop, ScalarValue::counter(sum))?;
        }
        Ok(())
    }

    /// The place that a path names. Missing maps on the way are made if `make` says so.
    fn find(&mut self, path: &str, make: bool) -> Result<Found> {
        let parsed = Path::parse(path)?;
        let (last, way) = parsed.segments().split_last().expect("a path has a segment");
        let mut object = ROOT;
        for segment in way {
            let prop = self.prop(&object, segment, path)?;
            object = match self.doc.get(&object, prop.clone())? {
                Some((automerge::Value::Object(ObjType::Map | ObjType::List), next)) => next,
                None if make && matches!(prop, Prop::Map(_)) => {
                    self.doc.put_object(&object, prop, ObjType::Map)?
                }
                _ => return Err(invalid(format!("`{path}`: there is nothing to go through at `{segment}`"))),
            };
        }
        let prop = self.prop(&object, last, path)?;
        Ok(Found { object, prop })
    }

    fn prop(&self, object: &ObjId, segment: &str, path: &str) -> Result<Prop> {
        prop(self.doc, object, segment)
            .ok_or_else(|| invalid(format!("`{path}`: `{segment}` is no position in the list")))
    }

    /// The list or text at a path. A missing one is made; a plain string becomes a text.
    fn object(&mut self, path: &str, wanted: ObjType) -> Result<ObjId> {
        let found = self.find(path, true)?;
        let plain = match self.doc.get(&found.object, found.prop.clone())? {
            Some((automerge::Value::Object(kind), id)) if kind == wanted => return Ok(id),
            None => None,
            Some((automerge::Value::Scalar(scalar), _)) if wanted == ObjType::Text => match scalar.as_ref() {
                ScalarValue::Str(text) => Some(text.to_string()),
                _ => return Err(invalid(format!("`{path}` is no text"))),
            },
            Some(_) => return Err(invalid(format!("`{path}` is no {wanted}"))),
        };
        let id = self.doc.put_object(&found.object, found.prop, wanted)?;
        if let Some(text) = plain {
            self.doc.splice_text(&id, 0, 0, &text)?;
        }
        Ok(id)
    }

    fn assign(&mut self, object: &ObjId, prop: Prop, value: &Value) -> Result<()> {
        let found = self.doc.get(object, prop.clone())?.map(|(value, id)| (value.into_owned(), id));
        match found {
            Some((automerge::Value::Object(kind), id)) if self.reconcile(&id, kind, value)? => {
                return Ok(());
            }
            Some((automerge::Value::Scalar(scalar), _)) => {
                if let (ScalarValue::Counter(counter), Value::Int(target)) = (scalar.as_ref(), value)
                    && let Some(by) = target.checked_sub(i64::from(counter))
                {
                    if by != 0 {
                        self.doc.increment(object, prop, by)?;
                    }
                    return Ok(());
                }
            }
            _ => {}
        }
        if get_prop(self.doc, object, prop.clone())?.as_ref() == Some(value) {
            return Ok(());
        }
        let slot = match &prop {
            Prop::Map(key) => Slot::Key(key),
            Prop::Seq(place) => Slot::Place(*place),
        };
        Ok(value::write(self.doc, object, slot, value)?)
    }

    /// Changes an object to equal a value of its kind; false if it is of another kind.
    fn reconcile(&mut self, object: &ObjId, kind: ObjType, value: &Value) -> Result<bool> {
        match (kind, value) {
            (ObjType::Map, Value::Map(map)) => {
                let gone: Vec<_> = self.doc.keys(object).filter(|key| !map.contains_key(key)).collect();
                for key in gone {
                    self.doc.delete(object, key)?;
                }
                for (key, value) in map {
                    self.assign(object, Prop::Map(key.clone()), value)?;
                }
            }
            (ObjType::List, Value::List(items)) => self.reconcile_list(object, items)?,
            (ObjType::Text, Value::Text(text)) => self.doc.update_text(object, text)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Keeps the elements that the two lists start and end with, and replaces those between.
    fn reconcile_list(&mut self, object: &ObjId, items: &[Value]) -> Result<()> {
        let Value::List(old) = value::read(self.doc, object, ObjType::List)? else { return Ok(()) };
        let start = old.iter().zip(items).take_while(|(a, b)| a == b).count();
        let rest = (&old[start..], &items[start..]);
        let end = rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(a, b)| a == b).count();
        let (removed, added) = (rest.0.len() - end, rest.1.len() - end);
        let common = removed.min(added);
        for (place, value) in items.iter().enumerate().skip(start).take(common) {
            self.assign(object, Prop::Seq(place), value)?;
        }
        for _ in common..removed {
            self.doc.delete(object, start + common)?;
        }
        for (place, value) in items.iter().enumerate().skip(start + common).take(added - common) {
            value::write(self.doc, object, Slot::NewPlace(place), value)?;
        }
        Ok(())
    }
}

/// The value at a path of a document. The empty path is the whole document.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`] if the path is malformed.
pub(crate) fn get(doc: &AutoCommit, path: &str) -> Result<Option<Value>> {
    if path.is_empty() {
        return Ok(Some(value::read_map(doc, &ROOT)?));
    }
    let parsed = Path::parse(path)?;
    let (last, way) = parsed.segments().split_last().expect("a path has a segment");
    let mut object = ROOT;
    for segment in way {
        let Some(prop) = prop(doc, &object, segment) else { return Ok(None) };
        object = match doc.get(&object, prop)? {
            Some((automerge::Value::Object(ObjType::Map | ObjType::List), next)) => next,
            _ => return Ok(None),
        };
    }
    match prop(doc, &object, last) {
        Some(prop) => get_prop(doc, &object, prop),
        None => Ok(None),
    }
}

fn get_prop(doc: &AutoCommit, object: &ObjId, prop: Prop) -> Result<Option<Value>> {
    Ok(match doc.get(object, prop)? {
        None => None,
        Some((automerge::Value::Object(kind), id)) => Some(value::read(doc, &id, kind)?),
        Some((automerge::Value::Scalar(scalar), _)) => Some(value::read_owned_scalar(&scalar)),
    })
}

/// The key or position that a segment stands for; `None` if it is no position of the list.
fn prop(doc: &AutoCommit, object: &ObjId, segment: &str) -> Option<Prop> {
    match doc.object_type(object) {
        Ok(ObjType::List) => {
            position(segment).filter(|position| *position < doc.length(object)).map(Prop::Seq)
        }
        _ => Some(Prop::Map(segment.to_owned())),
    }
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, why)
}
