//! Reading: items and documents out of the tables.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;
use tidelog_log::log::LogError;
use tidelog_log::state::{StateRead, StateView, prefix_end};

use super::address::{Policy, Scope, collection_row};
use super::hlc::Hlc;
use super::query::{Collector, Page, Plan};
use super::tables::{self, COLLECTIONS, ITEMS, ItemRow, WAITING_CLOCK};
use crate::document::OpenDocument;
use crate::document::cache::{self, Cached, Place};
use crate::document::generations::Generations;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Value, ValueError, cbor, from_value};

/// Decodes the stored bytes of a value.
///
/// # Errors
///
/// [`ErrorKind::Corrupt`] if they are not what was written.
pub(crate) fn stored_value(bytes: &[u8]) -> Result<Value> {
    cbor::decode(bytes).map_err(not_stored)
}

/// A stored value as a `T`; `None` if it is none, which the log tells without the value.
pub(super) fn fitting<T: DeserializeOwned>(collection: &str, key: &str, value: Value) -> Option<T> {
    let fitting = from_value(value).ok();
    if fitting.is_none() {
        tracing::warn!(collection, key, "an item has another type than expected and is left out");
    }
    fitting
}

fn not_stored(error: ValueError) -> Error {
    Error::new(ErrorKind::Corrupt, "a stored value does not decode").with_source(error)
}

/// The value of an item; `None` if it is not there.
pub(crate) fn item(engine: &Engine, view: &StateView, scope: &Scope, key: &str) -> Result<Option<Value>> {
    let Some(row) = view.get(ITEMS, &scope.item_row(key)).map_err(LogError::from)? else { return Ok(None) };
    let Some(body) = ItemRow::live_body(&row) else { return Ok(None) };
    match scope.policy {
        Policy::Lww => stored_value(body).map(Some),
        Policy::Document => document(engine, scope, key, |open| Ok(open.value()?)).map(Some),
    }
}

/// Users that must be ahead of this device's clock before it is the one that is wrong.
const AHEAD_USERS: usize = 2;

/// Whether entries of two other users wait for local time to reach theirs: then it is the clock here
/// that is behind.
///
/// # Errors
///
/// If the tables or the log cannot be read.
pub(crate) fn is_clock_behind(engine: &Engine) -> Result<bool> {
    let mut waiting = Vec::new();
    engine
        .view()?
        .range(WAITING_CLOCK, &[], None, false, &mut |row, _| {
            let parts = row.split_first_chunk().zip(row.last_chunk());
            waiting.extend(
                parts.map(|((hlc, _), arrival)| (u64::from_be_bytes(*hlc), u64::from_be_bytes(*arrival))),
            );
            ControlFlow::Continue(())
        })
        .map_err(LogError::from)?;
    if waiting.len() < AHEAD_USERS {
        return Ok(false);
    }
    let directory = engine.log.directory();
    let own = directory.owner_of(&engine.device());
    let mut ahead = BTreeSet::new();
    for (_, arrival) in waiting.into_iter().filter(|(hlc, _)| engine.clock.is_deferred(Hlc::from_bits(*hlc)))
    {
        let Some(entry) = engine.log.entry_at(arrival)? else { continue };
        ahead.extend(directory.owner_of(&entry.header().author).filter(|user| Some(*user) != own));
        if ahead.len() == AHEAD_USERS {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks at a document as it is now; at an empty one if there is none.
pub(crate) fn document<T>(
    engine: &Engine,
    scope: &Scope,
    key: &str,
    look: impl FnOnce(&mut OpenDocument) -> Result<T>,
) -> Result<T> {
    let place = engine.shared.documents.place(&tables::part_row(scope, key));
    document_at(engine, &place, scope, key, |document| look(document.shown()))
}

/// Looks at a document in its place in the cache. `look` runs while the document is locked.
pub(crate) fn document_at<T>(
    engine: &Engine,
    place: &Place,
    scope: &Scope,
    key: &str,
    look: impl FnOnce(&mut Generations) -> Result<T>,
) -> Result<T> {
    let mut guard = cache::lock(place);
    // The snapshot is taken under the lock, so what is kept can only be newer than it: by an entry
    // that is durable and about to become visible.
    let view = engine.view()?;
    let row = tables::item(&view, &scope.item_row(key))?;
    let stamp = row.as_ref().and_then(ItemRow::stamp).unwrap_or(0);
    let cached = match guard.take().filter(|cached| cached.is_current(stamp)) {
        Some(cached) => cached,
        None => Cached::load(&view, &tables::part_row(scope, key), stamp)?,
    };
    look(&mut guard.insert(cached).document)
}

/// Whether a collection may be used under the scope's policy for good: it has items under it.
///
/// # Errors
///
/// [`ErrorKind::PolicyConflict`] if it has items under another policy only.
pub(crate) fn check_policy(view: &StateView, scope: &Scope) -> Result<bool> {
    let prefix = collection_row(scope.stream, &scope.collection);
    let rows = tables::keys(view, COLLECTIONS, &prefix).map_err(LogError::from)?;
    let used: Vec<_> =
        rows.iter().filter_map(|row| row.last().copied().and_then(Policy::from_number)).collect();
    if used.contains(&scope.policy) {
        return Ok(true);
    }
    match used.first() {
        None => Ok(false),
        Some(policy) => Err(Error::new(
            ErrorKind::PolicyConflict,
            format!(
                "the collection `{}` has the policy {}: it cannot be used as {}",
                scope.collection,
                policy.name(),
                scope.policy.name()
            ),
        )),
    }
}

/// Visits the items of a scope in the order of their keys, from `first` on, with what their rows
/// hold of them.
fn scan(
    view: &StateView,
    scope: &Scope,
    first: Option<&str>,
    mut visit: impl FnMut(&str, &[u8]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let prefix = scope.row();
    let from = scope.item_row(first.unwrap_or_default());
    let mut outcome = Ok(());
    let end = prefix_end(&prefix);
    view.range(ITEMS, &from, end.as_deref(), false, &mut |row, value| {
        let Some(body) = ItemRow::live_body(value) else { return ControlFlow::Continue(()) };
        let step = match std::str::from_utf8(&row[prefix.len()..]) {
            Ok(key) => visit(key, body),
            Err(_) => Err(tables::damaged(ITEMS).into()),
        };
        step.unwrap_or_else(|error| {
            outcome = Err(error);
            ControlFlow::Break(())
        })
    })
    .map_err(LogError::from)?;
    outcome
}

/// Visits the items that a plan is about, with their values. Of the others no more is decoded than what
/// the plan tests.
fn candidates(
    engine: &Engine,
    scope: &Scope,
    plan: &Plan,
    mut visit: impl FnMut(&str, Value) -> ControlFlow<()>,
) -> Result<()> {
    let view = engine.view()?;
    check_policy(&view, scope)?;
    let keys = match (plan.ids(), scope.policy) {
        (Some(ids), _) => ids.to_vec(),
        (None, Policy::Lww) => {
            return scan(&view, scope, plan.first_key(), |key, body| {
                if plan.matches_stored(key, body).map_err(not_stored)? {
                    Ok(visit(key, stored_value(body)?))
                } else {
                    Ok(ControlFlow::Continue(()))
                }
            });
        }
        (None, Policy::Document) => {
            let mut keys = Vec::new();
            scan(&view, scope, plan.first_key(), |key, _| {
                keys.push(key.to_owned());
                Ok(ControlFlow::Continue(()))
            })?;
            keys
        }
    };
    for key in keys {
        if let Some(value) = item(engine, &view, scope, &key)?
            && plan.matches(&key, &value)
            && visit(&key, value).is_break()
        {
            break;
        }
    }
    Ok(())
}

/// Runs a query.
pub(crate) fn query(engine: &Engine, scope: &Scope, plan: &Plan) -> Result<Page> {
    let mut collector = Collector::new(plan);
    candidates(engine, scope, plan, |key, value| collector.visit(key, value))?;
    Ok(collector.finish())
}

/// Counts the items that a query is about, whatever its limit, offset and cursor.
pub(crate) fn count(engine: &Engine, scope: &Scope, plan: &Plan) -> Result<usize> {
    let mut count = 0;
    if plan.counts_rows() {
        let view = engine.view()?;
        check_policy(&view, scope)?;
        scan(&view, scope, None, |_, _| {
            count += 1;
            Ok(ControlFlow::Continue(()))
        })?;
    } else {
        let everywhere = plan.clone().without_cursor();
        candidates(engine, scope, &everywhere, |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })?;
    }
    Ok(count)
}
