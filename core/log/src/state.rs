//! The state file: everything that can be derived from the segments, kept for speed.
//!
//! A thin cover over redb with one kind of table, bytes to bytes, so that a caller of this crate
//! can keep tables of its own in the same transaction. It may lag behind the log, be deleted or be
//! corrupt: [`crate::log`] catches it up or builds it anew. Calls block. redb panics on some corrupt
//! pages, so every call runs behind `catch_unwind` and a panic becomes [`StateError`].

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    StorageBackend, Table, TableDefinition, TableError, WriteTransaction,
};

/// Memory that redb may use to cache pages, in bytes.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of changed rows of one table that are gathered before they are written.
const PENDING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written; it may be dropped and built anew from the segments.
    #[error("state file: {0}")]
    Failed(String),
    /// It was closed.
    #[error("the state file is closed")]
    Closed,
}

impl StateError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What a visitor of rows does with a key and its value; breaking ends the visit.
pub type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// Rows of a table, in byte order of their keys.
pub trait StateRead {
    /// The value of a key. A table that was never written to is empty.
    ///
    /// # Errors
    ///
    /// If the state file cannot be read.
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StateError>;

    /// Visits the rows with `from <= key`, and `key < to` where `to` is given, in order or in
    /// reverse, until the visitor breaks. The visitor must not use the state itself.
    ///
    /// # Errors
    ///
    /// If the state file cannot be read.
    fn range(
        &self,
        table: &'static str,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StateError>;

    /// Visits the rows whose key starts with `prefix`, in order, until the visitor breaks.
    ///
    /// # Errors
    ///
    /// If the state file cannot be read.
    fn prefix(&self, table: &'static str, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), StateError> {
        self.range(table, prefix, prefix_end(prefix).as_deref(), false, visit)
    }
}

/// The first key after all keys that start with `prefix`, or `None` if there is none.
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// The open state file.
#[derive(Debug)]
pub(crate) struct State {
    database: RwLock<Option<Database>>,
}

impl State {
    /// Opens the state that a backend holds, or makes an empty one in an empty backend.
    pub(crate) fn open(backend: impl StorageBackend) -> Result<Self, StateError> {
        guarded(|| {
            Builder::new()
                .set_cache_size(CACHE_BYTES)
                .create_with_backend(backend)
                .map(|database| Self { database: RwLock::new(Some(database)) })
                .map_err(StateError::new)
        })
    }

    /// Runs one write transaction. Nothing is kept if `change` fails.
    ///
    /// A durable transaction also makes all earlier ones durable.
    pub(crate) fn update<T, E: From<StateError>>(
        &self,
        durable: bool,
        change: impl FnOnce(&StateBatch<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let database = self.database();
        guarded(|| {
            let database = database.as_ref().ok_or(StateError::Closed)?;
            let mut transaction = database.begin_write().map_err(StateError::new)?;
            let durability = if durable { Durability::Immediate } else { Durability::None };
            transaction.set_durability(durability).map_err(StateError::new)?;
            transaction.set_quick_repair(durable);
            let batch = StateBatch {
                transaction: &transaction,
                tables: RefCell::default(),
                pending: RefCell::default(),
            };
            let result = change(&batch)?;
            batch.finish()?;
            transaction.commit().map_err(StateError::new)?;
            Ok(result)
        })
    }

    /// Lets go of the file, so that nothing is written to it when another opener has it. Waits for a
    /// running transaction. Later calls answer [`StateError::Closed`].
    pub(crate) fn close(&self) {
        drop(self.database.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn database(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A snapshot of what is committed.
    pub(crate) fn view(&self) -> Result<StateView, StateError> {
        let database = self.database();
        guarded(|| {
            let database = database.as_ref().ok_or(StateError::Closed)?;
            let transaction = database.begin_read().map_err(StateError::new)?;
            Ok(StateView { tables: Mutex::default(), transaction })
        })
    }
}

/// Runs a call into redb; a panic in there becomes an error.
fn guarded<T, E: From<StateError>>(call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(StateError::new("panic while reading a page").into()))
}

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
type OpenTables<'t> = HashMap<&'static str, Table<'t, &'static [u8], &'static [u8]>>;
type ReadTables = HashMap<&'static str, Option<ReadOnlyTable<&'static [u8], &'static [u8]>>>;

/// Rows of one table that are not written yet: the new values, or that they go.
#[derive(Default)]
struct Pending {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
}

/// An open write transaction on the state.
///
/// Changed rows are gathered and written in an order that fills pages: a page that overflows is split
/// in halves, so rows written in rising order would leave every page behind them half empty. Three of
/// five rows go first, and the two between them then fill the pages up without splitting them again.
pub struct StateBatch<'t> {
    transaction: &'t WriteTransaction,
    tables: RefCell<OpenTables<'t>>,
    pending: RefCell<HashMap<&'static str, Pending>>,
}

impl StateBatch<'_> {
    /// Sets the value of a key.
    ///
    /// # Errors
    ///
    /// If the state file cannot be written.
    pub fn put(&self, table: &'static str, key: &[u8], value: &[u8]) -> Result<(), StateError> {
        self.change(table, key, Some(value.to_vec()))
    }

    /// Removes a key and says whether it was there.
    ///
    /// # Errors
    ///
    /// If the state file cannot be written.
    pub fn delete(&self, table: &'static str, key: &[u8]) -> Result<bool, StateError> {
        let there = self.get(table, key)?.is_some();
        if there {
            self.change(table, key, None)?;
        }
        Ok(there)
    }

    fn change(&self, table: &'static str, key: &[u8], value: Option<Vec<u8>>) -> Result<(), StateError> {
        let mut tables = self.pending.borrow_mut();
        let pending = tables.entry(table).or_default();
        pending.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        pending.rows.insert(key.to_vec(), value);
        let full = pending.bytes > PENDING_BYTES_MAX;
        drop(tables);
        if full { self.flush(table) } else { Ok(()) }
    }

    /// Writes what is pending for a table.
    fn flush(&self, table: &'static str) -> Result<(), StateError> {
        let Some(Pending { rows, .. }) = self.pending.borrow_mut().remove(table) else { return Ok(()) };
        self.with_table(table, |table| {
            let place = |index: usize| index % 5 % 2;
            for pass in [0, 1] {
                for (_, (key, value)) in rows.iter().enumerate().filter(|(index, _)| place(*index) == pass) {
                    match value {
                        Some(value) => table.insert(&key[..], &value[..]).map(drop),
                        None => table.remove(&key[..]).map(drop),
                    }
                    .map_err(StateError::new)?;
                }
            }
            Ok(())
        })
    }

    fn finish(self) -> Result<(), StateError> {
        let tables: Vec<_> = self.pending.borrow().keys().copied().collect();
        tables.into_iter().try_for_each(|table| self.flush(table))
    }

    fn with_table<T>(
        &self,
        name: &'static str,
        call: impl FnOnce(&mut Table<'_, &'static [u8], &'static [u8]>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let mut tables = self.tables.borrow_mut();
        let table = match tables.entry(name) {
            std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let definition: Definition = TableDefinition::new(name);
                place.insert(self.transaction.open_table(definition).map_err(StateError::new)?)
            }
        };
        call(table)
    }
}

impl StateRead for StateBatch<'_> {
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        if let Some(value) = self.pending.borrow().get(table).and_then(|pending| pending.rows.get(key)) {
            return Ok(value.clone());
        }
        self.with_table(table, |table| read(table, key))
    }

    fn range(
        &self,
        table: &'static str,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StateError> {
        self.flush(table)?;
        self.with_table(table, |table| walk(table, from, to, reverse, visit))
    }
}

/// A snapshot of the state, unaffected by later writes.
pub struct StateView {
    // Before the transaction, so that tables are dropped first.
    tables: Mutex<ReadTables>,
    transaction: ReadTransaction,
}

impl StateView {
    fn with_table<T: Default>(
        &self,
        name: &'static str,
        call: impl FnOnce(&ReadOnlyTable<&'static [u8], &'static [u8]>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        guarded(|| {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            let table = match tables.entry(name) {
                std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    let definition: Definition = TableDefinition::new(name);
                    place.insert(match self.transaction.open_table(definition) {
                        Ok(table) => Some(table),
                        Err(TableError::TableDoesNotExist(_)) => None,
                        Err(error) => return Err(StateError::new(error)),
                    })
                }
            };
            table.as_ref().map_or_else(|| Ok(T::default()), call)
        })
    }
}

impl StateRead for StateView {
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        self.with_table(table, |table| read(table, key))
    }

    fn range(
        &self,
        table: &'static str,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StateError> {
        self.with_table(table, |table| walk(table, from, to, reverse, visit))
    }
}

fn read(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StateError> {
    let value = table.get(key).map_err(StateError::new)?;
    Ok(value.map(|value| value.value().to_vec()))
}

fn walk(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    from: &[u8],
    to: Option<&[u8]>,
    reverse: bool,
    visit: &mut Visit<'_>,
) -> Result<(), StateError> {
    if to.is_some_and(|to| to <= from) {
        return Ok(());
    }
    let bounds: (Bound<&[u8]>, Bound<&[u8]>) =
        (Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded));
    let mut rows = table.range::<&[u8]>(bounds).map_err(StateError::new)?;
    while let Some(row) = if reverse { rows.next_back() } else { rows.next() } {
        let (key, value) = row.map_err(StateError::new)?;
        if visit(key.value(), value.value()).is_break() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::InMemoryBackend;

    fn state() -> State {
        State::open(InMemoryBackend::new()).expect("opens")
    }

    #[test]
    fn a_batch_reads_its_own_writes_and_a_view_does_not_see_them_before_commit() {
        let state = state();
        let before = state
            .update::<_, StateError>(false, |batch| {
                batch.put("t", b"k", b"v")?;
                assert_eq!(batch.get("t", b"k")?, Some(b"v".to_vec()));
                state.view()
            })
            .expect("commits");
        assert_eq!(before.get("t", b"k").expect("reads"), None);
        assert_eq!(state.view().expect("view").get("t", b"k").expect("reads"), Some(b"v".to_vec()));
    }

    #[test]
    fn a_failed_change_leaves_nothing() {
        let state = state();
        let result = state.update::<(), StateError>(false, |batch| {
            batch.put("t", b"k", b"v")?;
            Err(StateError::new("no"))
        });
        assert!(result.is_err());
        assert_eq!(state.view().expect("view").get("t", b"k").expect("reads"), None);
    }

    #[test]
    fn prefix_visits_just_the_keys_that_start_with_it() {
        let state = state();
        state
            .update::<_, StateError>(false, |batch| {
                [&b"a"[..], b"b", b"b\xff", b"b\xff\xff1", b"c"]
                    .iter()
                    .try_for_each(|key| batch.put("t", key, b""))
            })
            .expect("commits");
        let mut seen = Vec::new();
        let view = state.view().expect("view");
        view.prefix("t", b"b", &mut |key, _| {
            seen.push(key.to_vec());
            ControlFlow::Continue(())
        })
        .expect("reads");
        assert_eq!(seen, [&b"b"[..], b"b\xff", b"b\xff\xff1"]);
        assert_eq!(prefix_end(b"\xff\xff"), None);
    }

    #[test]
    fn a_panic_inside_a_change_is_an_error_and_the_state_stays_usable() {
        let state = state();
        let result = state.update::<(), StateError>(false, |_| panic!("corrupt page"));
        assert!(result.is_err());
        state.update::<_, StateError>(false, |batch| batch.put("t", b"k", b"v")).expect("usable");
    }

    #[test]
    fn a_batch_reads_what_it_changed_whether_or_not_that_is_written_yet() {
        let state = state();
        state.update::<_, StateError>(false, |batch| batch.put("t", b"old", b"1")).expect("commits");
        state
            .update::<_, StateError>(false, |batch| {
                batch.put("t", b"new", b"2")?;
                assert!(batch.delete("t", b"old")? && !batch.delete("t", b"old")?);
                assert_eq!(batch.get("t", b"old")?, None);
                let mut seen = Vec::new();
                batch.prefix("t", &[], &mut |key, value| {
                    seen.push((key.to_vec(), value.to_vec()));
                    ControlFlow::Continue(())
                })?;
                assert_eq!(seen, [(b"new".to_vec(), b"2".to_vec())]);
                batch.put("t", b"new", b"3")?;
                let large = vec![7; PENDING_BYTES_MAX];
                batch.put("t", b"large", &large)?;
                assert_eq!(batch.get("t", b"large")?, Some(large));
                batch.delete("t", b"large").map(drop)
            })
            .expect("commits");
        let view = state.view().expect("view");
        assert_eq!(view.get("t", b"new").expect("reads"), Some(b"3".to_vec()));
        assert_eq!(view.get("t", b"old").expect("reads"), None);
        assert_eq!(view.get("t", b"large").expect("reads"), None);
    }

    #[test]
    fn rows_in_rising_order_fill_their_pages() {
        let state = state();
        let rows = 10_000_u32;
        let value = [1; 300];
        state
            .update::<_, StateError>(true, |batch| {
                (0..rows).try_for_each(|number| batch.put("t", &number.to_be_bytes(), &value))
            })
            .expect("commits");
        let database = state.database();
        let transaction = database.as_ref().expect("open").begin_write().expect("begins");
        let stats = transaction.stats().expect("reads");
        let (used, stored) = (stats.leaf_pages() * 4_096, u64::from(rows) * 304);
        assert!(used * 3 < stored * 4, "{used} bytes of pages for {stored} of rows");
    }
}
