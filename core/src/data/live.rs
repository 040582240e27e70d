//! Live lists: the result of a query that keeps itself up to date.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::address::{Policy, Scope};
use super::collection::{Item, typed};
use super::query::{Plan, Row};
use super::read;
use super::watch::{Event, EventKind, Interest, Notice, Watch};
use crate::engine::Engine;
use crate::error::Result;

/// The result of a query, now and after every change of it. It is pulled: changes that happen
/// while nobody asks are taken up together.
pub struct Live<T> {
    engine: Arc<Engine>,
    scope: Scope,
    plan: Plan,
    watch: Watch,
    rows: Vec<Row>,
    items: Vec<Item<T>>,
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
            let mut relevant = self.concerns(&notice);
            while let Some(notice) = self.watch.next_now() {
                relevant |= self.concerns(&notice);
            }
            if relevant && self.refresh()? {
                return Ok(Some(&self.items));
            }
        }
    }

    /// Whether a change can change the result.
    fn concerns(&self, notice: &Notice) -> bool {
        match notice {
            Notice::Lagged(_) => true,
            Notice::Event(Event { kind: EventKind::Unreadable, .. }) => false,
            Notice::Event(event) => {
                self.scope.policy == Policy::Document
                    || [&event.old, &event.new]
                        .into_iter()
                        .flatten()
                        .any(|value| self.plan.matches(&event.key, value))
            }
        }
    }

    /// Runs the query again and says whether the result is another one.
    fn refresh(&mut self) -> Result<bool> {
        let rows = read::query(&self.engine, &self.scope, &self.plan)?.rows;
        if rows == self.rows {
            return Ok(false);
        }
        self.items = rows.iter().cloned().map(typed).collect::<Result<_>>()?;
        self.rows = rows;
        Ok(true)
    }
}
