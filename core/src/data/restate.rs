//! Restating: writing what a circle's databases show again, under its present key, for somebody who
//! joined and must not have the keys of before.
//!
//! Each operation is repeated with the time of what it repeats, so it wins against nothing that the
//! original did not win against: a write made elsewhere meanwhile is not lost. Deletes are repeated
//! too, else an old write that arrives late would show for the newcomer alone. A document begins anew
//! with what it is (see [`crate::document::generations`]), so that nothing of its past is in it; what
//! others change meanwhile is added to that. Of one that was deleted nothing but the deletion is
//! repeated; if somebody goes on writing to it, newcomers see it once it is repeated again.
//!
//! What others wrote to a document before they knew that it began anew shows on devices that have its
//! past, translated. Before the circle has a new key that is written down under the old one, so that
//! what was taken out of it again is not for the newcomer; what comes after that, under the new one.
//!
//! Items that a user owns can be repeated by that user's devices only; entries that wait, for their
//! key or for their time, are not repeated; nor is a document that does not fit one entry.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;

use tidelog_log::ids::{CircleId, UserId};
use tidelog_log::log::LogError;
use tidelog_log::state::{StateRead as _, StateView, prefix_end};

use super::address::{Policy, Scope};
use super::database::Database;
use super::hlc::Hlc;
use super::operation::{Action, OPERATIONS_BYTES_MAX, Operations};
use super::read;
use super::tables::{ITEMS, ItemRow, begins, damaged, part_row};
use super::write::DatabaseId;
use crate::document::begin::Begin;
use crate::document::generations::Generations;
use crate::engine::Engine;
use crate::error::Result;

/// Bytes of operations that are gathered before they are written.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Items that are read before what they came to is written.
const BATCH_ITEMS: usize = 500;

impl Engine {
    /// Writes all that a circle's databases show again.
    ///
    /// # Errors
    ///
    /// Those of writing. What was written until then stays, and doing it again does no harm.
    pub(crate) async fn restate(&self, circle: CircleId) -> Result<()> {
        self.prepare_to_write(circle).await?;
        self.write_again(&DatabaseId::catalogue(circle), Extent::All).await?;
        for name in Database::names(self, &circle)? {
            self.write_again(&self.database_id(circle, &name)?, Extent::All).await?;
        }
        self.publish(circle).await
    }

    /// Writes down what documents show that not all who can read them may be able to translate.
    ///
    /// # Errors
    ///
    /// Those of writing. What was written until then stays, and doing it again does no harm.
    pub(crate) async fn publish(&self, circle: CircleId) -> Result<()> {
        self.prepare_to_write(circle).await?;
        for name in Database::names(self, &circle)? {
            self.write_again(&self.database_id(circle, &name)?, Extent::Translated).await?;
        }
        Ok(())
    }

    async fn write_again(&self, database: &DatabaseId, extent: Extent) -> Result<()> {
        let user = self.user()?;
        let mut next = Some(database.rows.0.to_vec());
        while let Some(from) = next {
            let (entries, rest) = self.gather(database, extent, &user, from)?;
            if !entries.is_empty() {
                self.repeat(database, &entries).await?;
            }
            next = rest;
        }
        Ok(())
    }

    /// What some items came to, as entries with their times, and the row to go on from.
    #[expect(clippy::type_complexity, reason = "the one place that has the two together")]
    fn gather(
        &self,
        database: &DatabaseId,
        extent: Extent,
        user: &UserId,
        from: Vec<u8>,
    ) -> Result<(Vec<(Hlc, Vec<u8>)>, Option<Vec<u8>>)> {
        let view = self.view()?;
        let mut batch = Batch::default();
        let (mut rows, mut rest) = (Vec::new(), None);
        let (mut bytes, end) = (0, prefix_end(&database.rows.0));
        view.range(ITEMS, &from, end.as_deref(), false, &mut |row, value| {
            if rows.len() == BATCH_ITEMS || bytes > BATCH_BYTES {
                rest = Some(row.to_vec());
                return ControlFlow::Break(());
            }
            bytes += value.len();
            rows.push((row.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .map_err(LogError::from)?;
        for (row, value) in rows {
            let (scope, key) = Scope::parse_item_row(&row).ok_or_else(|| damaged(ITEMS))?;
            let item = ItemRow::decode(&value).ok_or_else(|| damaged(ITEMS))?;
            if scope.owner.is_none_or(|owner| owner == *user) {
                let actions = match extent {
                    Extent::All => self.actions(&scope, key, &item)?,
                    Extent::Translated => self.translated(&view, &scope, key)?,
                };
                for action in actions {
                    batch.push(item.version.hlc, &scope, key, action);
                }
            }
        }
        Ok((batch.finish(), rest))
    }

    /// What makes an item what it is.
    fn actions(&self, scope: &Scope, key: &str, item: &ItemRow) -> Result<Vec<Action>> {
        let mut actions = match scope.policy {
            Policy::Lww if item.live => vec![Action::Put(item.body.clone())],
            Policy::Lww => Vec::new(),
            Policy::Document if item.version.delete => Vec::new(),
            Policy::Document => {
                let begin = self.generations(scope, key, |document| Ok(document.renew()))?;
                begin.into_iter().map(Action::from).collect()
            }
        };
        if item.version.delete {
            actions.push(Action::Delete);
        }
        Ok(actions)
    }

    /// The translated changes of a document that are not written down.
    fn translated(&self, view: &StateView, scope: &Scope, key: &str) -> Result<Vec<Action>> {
        if scope.policy != Policy::Document || begins(view, &part_row(scope, key))?.is_empty() {
            return Ok(Vec::new());
        }
        let changes = self.generations(scope, key, |document| Ok(document.unpublished()))?;
        Ok(changes.into_iter().map(|change| Action::Change(change.raw_bytes().to_vec())).collect())
    }

    fn generations<T>(
        &self,
        scope: &Scope,
        key: &str,
        look: impl FnOnce(&mut Generations) -> Result<T>,
    ) -> Result<T> {
        let place = self.shared.documents.place(&part_row(scope, key));
        read::document_at(self, &place, scope, key, look)
    }
}

/// How much of what databases show is written again.
#[derive(Debug, Clone, Copy)]
enum Extent {
    All,
    /// What documents have from generations that they do not show.
    Translated,
}

impl From<Begin> for Action {
    fn from(begin: Begin) -> Self {
        let Begin { heads, before, change } = begin;
        Self::Begin { heads, before, change: change.raw_bytes().to_vec() }
    }
}

/// Operations of the same time, together as far as they fit one entry.
#[derive(Default)]
struct Batch {
    full: Vec<(Hlc, Vec<u8>)>,
    open: BTreeMap<Hlc, (Operations, usize)>,
}

impl Batch {
    fn push(&mut self, hlc: Hlc, scope: &Scope, key: &str, action: Action) {
        let mut alone = Operations::default();
        let bytes = alone.push(scope, key, action.clone());
        if bytes > OPERATIONS_BYTES_MAX {
            tracing::warn!(collection = scope.collection, key, "a document is too large to be written again");
            return;
        }
        match self.open.entry(hlc) {
            Entry::Occupied(mut open) if open.get().1 + bytes <= OPERATIONS_BYTES_MAX => {
                let (operations, length) = open.get_mut();
                *length += operations.push(scope, key, action);
            }
            Entry::Occupied(mut open) => {
                let (operations, _) = open.insert((alone, bytes));
                self.full.push((hlc, operations.encode()));
            }
            Entry::Vacant(place) => {
                place.insert((alone, bytes));
            }
        }
    }

    fn finish(mut self) -> Vec<(Hlc, Vec<u8>)> {
        self.full.extend(self.open.into_iter().map(|(hlc, (operations, _))| (hlc, operations.encode())));
        self.full
    }
}
