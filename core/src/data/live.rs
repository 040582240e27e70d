//! Live lists: the result of a query that keeps itself up to date.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::address::{Policy, Scope};
use super::collection::Item;
use super::query::{Plan, Row};
use super::read;
use super::watch::{Event, EventKind, Interest, Notice, Watch};
use crate::engine::Engine;
use crate::error::Result;

/// The result of a query, now and after every change of it. It is pulled: changes that happen
/// while nobody asks are taken up together. Without limit, offset and cursor only the items that
/// changed are looked at again.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use serde_json::{Value, json};
/// use tidelog::Query;
///
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// let todos = workspace.database("main").collection::<Value>("todos");
/// let mut open = todos.live(&Query::new().filter(&json!({"done": false}))?)?;
/// assert!(open.current().is_empty());
///
/// todos.put("sensor", &json!({"title": "Calibrate sensor", "done": false})).await?;
/// assert_eq!(open.next().await?.map(<[_]>::len), Some(1));
/// todos.patch("sensor", &json!({"done": true})).await?;
/// assert_eq!(open.next().await?.map(<[_]>::len), Some(0));
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
pub struct Live<T> {
    engine: Arc<Engine>,
    scope: Scope,
    plan: Plan,
    watch: Watch,
    rows: Vec<Row>,
    items: Vec<Item<T>>,
}

/// What happened since the last look.
#[derive(Debug, Default)]
struct Changes {
    /// Items that may have come, gone or moved.
    keys: BTreeSet<String>,
    /// Whether the query has to be run again.
    all: bool,
}

impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Live({} items of {:?})", self.rows.len(), self.scope.collection)
    }
}

impl<T: DeserializeOwned> Live<T> {
    pub(super) fn new(engine: Arc<Engine>, scope: Scope, plan: Plan) -> Result<Self> {
        // Subscribed before the state is read, so that no change falls between.
        let interest = Interest { scope: Some(scope.clone()), ..Interest::default() };
        let watch = engine.shared.hub.watch(interest);
        let mut live = Self { engine, scope, plan, watch, rows: Vec::new(), items: Vec::new() };
        live.refresh()?;
        Ok(live)
    }

    /// The result as of the last look.
    #[must_use]
    pub fn current(&self) -> &[Item<T>] {
        &self.items
    }

    /// The result once it has changed; `None` after the workspace was shut down.
    ///
    /// # Errors
    ///
    /// As [`crate::Collection::query`].
    ///
    /// # Cancellation
    ///
    /// If the future is dropped, a change it has seen already may only show with the next one.
    pub async fn next(&mut self) -> Result<Option<&[Item<T>]>> {
        loop {
            let Some(notice) = self.watch.next().await else { return Ok(None) };
            let mut changes = Changes::default();
            self.note(notice, &mut changes);
            while let Some(notice) = self.watch.next_now() {
                self.note(notice, &mut changes);
            }
            let changed = match changes {
                Changes { all: true, .. } => self.refresh()?,
                Changes { keys, .. } => self.take_up(keys)?,
            };
            if changed {
                return Ok(Some(&self.items));
            }
        }
    }

    /// Notes what a change can change in the result.
    fn note(&self, notice: Notice, changes: &mut Changes) {
        let event = match notice {
            Notice::Lagged(_) => return changes.all = true,
            Notice::Event(Event { kind: EventKind::Unreadable, .. }) => return,
            Notice::Event(event) => event,
        };
        let values = [&event.old, &event.new];
        let concerned = self.scope.policy == Policy::Document
            || values.into_iter().flatten().any(|value| self.plan.matches(&event.key, value));
        if concerned {
            // Under a limit one item that comes or goes moves others.
            changes.all |= !self.plan.is_whole();
            changes.keys.insert(event.key);
        }
    }

    /// Takes up items that changed, as they are now, and says whether the result is another one.
    fn take_up(&mut self, keys: BTreeSet<String>) -> Result<bool> {
        let view = self.engine.view()?;
        let mut changed = false;
        for key in keys {
            let value = read::item(&self.engine, &view, &self.scope, &key)?;
            let new = value.filter(|value| self.plan.matches(&key, value));
            let old = self.rows.iter().position(|row| row.key == key);
            if old.map(|place| &self.rows[place].value) == new.as_ref() {
                continue;
            }
            let new = new.and_then(|value| self.fitting(Row { key, value }));
            changed |= old.is_some() || new.is_some();
            if let Some(place) = old {
                self.rows.remove(place);
                self.items.remove(place);
            }
            if let Some((row, item)) = new {
                let place = self.plan.place(&self.rows, &row.key, &row.value);
                self.rows.insert(place, row);
                self.items.insert(place, item);
            }
        }
        Ok(changed)
    }

    /// Runs the query again and says whether the result is another one.
    fn refresh(&mut self) -> Result<bool> {
        let rows = read::query(&self.engine, &self.scope, &self.plan)?.rows;
        let (rows, items): (Vec<_>, _) = rows.into_iter().filter_map(|row| self.fitting(row)).unzip();
        if rows == self.rows {
            return Ok(false);
        }
        (self.rows, self.items) = (rows, items);
        Ok(true)
    }

    /// A row with its item, if that is a `T`.
    fn fitting(&self, row: Row) -> Option<(Row, Item<T>)> {
        let value = read::fitting(&self.scope.collection, &row.key, row.value.clone())?;
        Some((row.clone(), Item { key: row.key, value }))
    }
}
