//! Writing: how a call becomes operations, and what it sees while earlier ones are on their way.
//!
//! Every write of a database is *submitted* under the database's own lock: it reads what it needs,
//! makes its operations, gets its time and its place in the log's queue, all without waiting. Only
//! then does it wait for the disk. So a thousand calls share one group commit, and yet a
//! read-modify-write never loses another: what is submitted but not yet visible is *in flight*, and
//! is read before the tables.
//!
//! If the log refuses a write, one submitted after it that was computed from it may still succeed;
//! the caller of the first was told that it failed. Changes of documents are another matter: one that
//! rests on a change that was never written would wait for ever on every device. So what was submitted
//! after it for the same document fails too, with the same error, and is taken back.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use tidelog_log::ids::{CircleId, StreamId};
use tidelog_log::log::{Committed, LogError};
use tidelog_log::state::StateView;

use super::address::{Policy, Scope, check_key, rows_of};
use super::operation::{Action, OPERATIONS_BYTES_MAX, Operations};
use super::read::{self, stored_value};
use super::{CATALOGUE_COLLECTION, tables};
use crate::document::cache::{self, Place};
use crate::document::edit::Edit;
use crate::document::{ActorId, ChangeHash, DocumentChange, OpenDocument};
use crate::engine::{Engine, Pending};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// What one item will be once everything submitted is visible.
#[derive(Debug)]
enum Flight {
    /// This value, as CBOR, or nothing.
    Item(Option<Vec<u8>>),
    /// The document that is open in this place, which has its changes ahead of their entries; if
    /// `deleted`, it shows once it is changed again. Holding the place keeps it open.
    Document { place: Place, deleted: bool },
}

/// What was submitted to one database and is not visible yet.
#[derive(Debug, Default)]
struct InFlight {
    items: HashMap<Vec<u8>, (u64, Flight)>,
    submitted: u64,
}

#[derive(Debug, Default)]
struct Lane {
    in_flight: Mutex<InFlight>,
    /// What the log reports of. Apart from the rest, so that it can while a submission is being made.
    reports: Mutex<Reports>,
}

#[derive(Debug, Default)]
struct Reports {
    /// Submissions that are visible by now, or failed.
    landed: HashSet<u64>,
    /// Submissions on their way that change documents.
    changing: BTreeMap<u64, Changing>,
    /// Why a submission that changes documents failed, if one did.
    failed: Option<LogError>,
}

/// A submission that changes documents.
#[derive(Debug)]
struct Changing {
    documents: Vec<Vec<u8>>,
    /// Why it cannot be written: what it rests on was not.
    broken: Arc<OnceLock<LogError>>,
}

impl Reports {
    /// A submission was written, or refused; then what rests on it must not be written either.
    fn settle(&mut self, ticket: u64, failed: Option<&LogError>) {
        self.landed.insert(ticket);
        let (Some(settled), Some(error)) = (self.changing.remove(&ticket), failed) else { return };
        self.failed = Some(error.clone());
        if settled.broken.get().is_some() {
            // What rests on it was told with it.
            return;
        }
        let mut lost: HashSet<Vec<u8>> = settled.documents.into_iter().collect();
        for later in self.changing.range(ticket..).map(|(_, later)| later) {
            if later.documents.iter().any(|document| lost.contains(document)) {
                later.broken.get_or_init(|| error.clone());
                lost.extend(later.documents.iter().cloned());
            }
        }
    }
}

/// The databases written to since the workspace was opened.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    lanes: Mutex<HashMap<StreamId, Arc<Lane>>>,
    /// Rows that, once there, never go: the policies of collections, the names in the catalogue.
    settled: RwLock<HashSet<Vec<u8>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done by a panic: a submission changes what is shared in its last step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writes {
    fn lane(&self, stream: StreamId) -> Arc<Lane> {
        Arc::clone(lock(&self.lanes).entry(stream).or_default())
    }

    fn is_settled(&self, row: &[u8]) -> bool {
        self.settled.read().unwrap_or_else(PoisonError::into_inner).contains(row)
    }

    fn settle(&self, row: Vec<u8>) {
        self.settled.write().unwrap_or_else(PoisonError::into_inner).insert(row);
    }
}

impl Lane {
    /// What is in flight, without what landed.
    fn in_flight(&self) -> MutexGuard<'_, InFlight> {
        let mut in_flight = lock(&self.in_flight);
        let landed = std::mem::take(&mut lock(&self.reports).landed);
        if !landed.is_empty() {
            in_flight.items.retain(|_, (ticket, _)| !landed.contains(ticket));
        }
        in_flight
    }
}

/// Bytes that a change and a collection take in an entry beside themselves, at most.
const PUBLISH_HEADS: usize = 512;

/// Makes the operations of one entry. Reads see what was submitted before, and what it made itself.
pub(crate) struct Writer<'w> {
    engine: &'w Engine,
    view: OnceCell<StateView>,
    in_flight: &'w InFlight,
    operations: Operations,
    bytes: usize,
    made: HashMap<Vec<u8>, Flight>,
    /// Changes made to documents.
    ahead: Vec<AheadChange>,
}

impl<'w> Writer<'w> {
    fn new(engine: &'w Engine, in_flight: &'w InFlight) -> Self {
        Self {
            engine,
            view: OnceCell::new(),
            in_flight,
            operations: Operations::default(),
            bytes: 0,
            made: HashMap::new(),
            ahead: Vec::new(),
        }
    }

    /// The tables. Most writes need no look at them.
    fn view(&self) -> Result<&StateView> {
        if let Some(view) = self.view.get() {
            return Ok(view);
        }
        let view = self.engine.view()?;
        Ok(self.view.get_or_init(|| view))
    }

    fn flight(&self, row: &[u8]) -> Option<&Flight> {
        self.made.get(row).or_else(|| self.in_flight.items.get(row).map(|(_, flight)| flight))
    }

    /// The value of an item.
    pub(crate) fn get(&self, scope: &Scope, key: &str) -> Result<Option<Value>> {
        match self.flight(&scope.item_row(key)) {
            Some(Flight::Item(value)) => value.as_deref().map(stored_value).transpose(),
            Some(Flight::Document { deleted: true, .. }) => Ok(None),
            Some(Flight::Document { place, .. }) => {
                read::document_at(self.engine, place, scope, key, |open| Ok(Some(open.value()?)))
            }
            None => read::item(self.engine, self.view()?, scope, key),
        }
    }

    /// Puts a value. A document is changed to equal it.
    pub(crate) fn put(&mut self, scope: &Scope, key: &str, value: &Value) -> Result<()> {
        match scope.policy {
            Policy::Lww => {
                let bytes = crate::value::cbor::encode(value)?;
                self.push(scope, key, Action::Put(bytes.clone()), Flight::Item(Some(bytes)))
            }
            Policy::Document => {
                self.edit(scope, key, |edit| edit.set("", value))?;
                // An empty document, or a deleted one with this very content, takes no change to be
                // equal, and yet one to be there.
                match self.get(scope, key)? {
                    Some(_) => Ok(()),
                    None => self.change(scope, key, |open, actor| Ok(((), Some(open.touch(actor))))),
                }
            }
        }
    }

    /// Sets the fields given and leaves the others.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is no item.
    pub(crate) fn patch(&mut self, scope: &Scope, key: &str, patch: &Value) -> Result<()> {
        let Value::Map(fields) = patch else {
            return Err(invalid(format!("a patch is a map of fields, not a {}", patch.kind_name())));
        };
        match (self.get(scope, key)?, scope.policy) {
            (None, _) => Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no item with this key to patch in `{}`", scope.collection),
            )),
            (Some(_), Policy::Document) => self.edit(scope, key, |edit| edit.set_fields(fields)),
            (Some(Value::Map(mut map)), Policy::Lww) => {
                map.extend(fields.clone());
                self.put(scope, key, &Value::Map(map))
            }
            (Some(other), Policy::Lww) => {
                Err(invalid(format!("a {} has no fields to patch", other.kind_name())))
            }
        }
    }

    /// Deletes an item and says whether it was there.
    pub(crate) fn delete(&mut self, scope: &Scope, key: &str) -> Result<bool> {
        check_key(key)?;
        if self.get(scope, key)?.is_none() {
            return Ok(false);
        }
        let flight = match scope.policy {
            Policy::Lww => Flight::Item(None),
            Policy::Document => Flight::Document { place: self.place(scope, key), deleted: true },
        };
        self.push(scope, key, Action::Delete, flight)?;
        Ok(true)
    }

    /// Changes a document.
    pub(crate) fn edit<T>(
        &mut self,
        scope: &Scope,
        key: &str,
        edit: impl FnOnce(&mut Edit<'_>) -> Result<T>,
    ) -> Result<T> {
        self.change(scope, key, |open, actor| open.edit(actor, edit))
    }

    fn change<T>(
        &mut self,
        scope: &Scope,
        key: &str,
        change: impl FnOnce(&mut OpenDocument, ActorId) -> Result<(T, Option<DocumentChange>)>,
    ) -> Result<T> {
        check_key(key)?;
        self.check_policy(scope)?;
        let place = self.place(scope, key);
        let document = tables::part_row(scope, key);
        let ((result, made), unpublished) = read::document_at(self.engine, &place, scope, key, |open| {
            let actor = open.actor(&self.engine.device(), &document);
            let unpublished = open.unpublished();
            Ok((change(open.shown(), actor)?, unpublished))
        })?;
        if let Some(change) = made {
            self.publish(scope, key, unpublished, change.raw_bytes().len());
            self.ahead.push(AheadChange { document, place: Arc::clone(&place), hash: change.hash() });
            let action = Action::Change(change.raw_bytes().to_vec());
            self.push(scope, key, action, Flight::Document { place, deleted: false })?;
        }
        Ok(result)
    }

    /// Writes down translated changes of a document before a change that rests on them, for those who
    /// cannot translate them, as far as there is room beside it: what is left has to wait for the next.
    fn publish(&mut self, scope: &Scope, key: &str, changes: Vec<DocumentChange>, beside: usize) {
        let mut room = OPERATIONS_BYTES_MAX.saturating_sub(self.bytes + beside + PUBLISH_HEADS + key.len());
        for change in changes {
            let size = change.raw_bytes().len() + PUBLISH_HEADS + key.len();
            let Some(rest) = room.checked_sub(size) else { return };
            room = rest;
            self.bytes += self.operations.push(scope, key, Action::Change(change.raw_bytes().to_vec()));
        }
    }

    /// Where the document is open.
    fn place(&self, scope: &Scope, key: &str) -> Place {
        match self.flight(&scope.item_row(key)) {
            Some(Flight::Document { place, .. }) => Arc::clone(place),
            _ => self.engine.shared.documents.place(&tables::part_row(scope, key)),
        }
    }

    fn push(&mut self, scope: &Scope, key: &str, action: Action, flight: Flight) -> Result<()> {
        check_key(key)?;
        self.check_policy(scope)?;
        self.bytes += self.operations.push(scope, key, action);
        if self.bytes > OPERATIONS_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("what is written together must fit into {OPERATIONS_BYTES_MAX} bytes"),
            ));
        }
        self.made.insert(scope.item_row(key), flight);
        Ok(())
    }

    fn check_policy(&self, scope: &Scope) -> Result<()> {
        let row = tables::policy_row(scope);
        if self.engine.shared.writes.is_settled(&row) {
            return Ok(());
        }
        if read::check_policy(self.view()?, scope)? {
            self.engine.shared.writes.settle(row);
        }
        Ok(())
    }
}

impl Engine {
    /// Runs `work` and writes what it made as one entry, durable and visible on return. Nothing is
    /// written if it made nothing, or fails.
    ///
    /// `work` runs under the lock of the database and must not use the database in another way.
    ///
    /// # Errors
    ///
    /// Whatever `work` fails with; [`ErrorKind::TooLarge`] if it made more than fits one entry; and
    /// those of the log.
    ///
    /// # Cancellation
    ///
    /// Once the operations are made they are written, also if the future is dropped.
    pub(crate) async fn write<T>(
        &self,
        database: &DatabaseId,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T>,
    ) -> Result<(T, Option<Committed>)> {
        self.prepare_to_write(database.circle).await?;
        if let DatabaseId { name: Some(name), circle, .. } = database {
            self.list_in_catalogue(circle, name).await?;
        }
        let (result, pending) = self.submit_work(database, work)?;
        let committed = match pending {
            Some(pending) => Some(pending.written().await?),
            None => None,
        };
        Ok((result, committed))
    }

    fn submit_work<T>(
        &self,
        database: &DatabaseId,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T>,
    ) -> Result<(T, Option<Pending>)> {
        let lane = self.shared.writes.lane(database.rows);
        let mut in_flight = lane.in_flight();
        let mut writer = Writer::new(self, &in_flight);
        let result = work(&mut writer);
        let Writer { operations, made, ahead, .. } = writer;
        let ahead = Ahead(ahead);
        let result = result?;
        if operations.is_empty() {
            return Ok((result, None));
        }
        in_flight.submitted += 1;
        let ticket = in_flight.submitted;
        let broken = Arc::new(OnceLock::new());
        if !ahead.0.is_empty() {
            let documents = ahead.0.iter().map(|change| change.document.clone()).collect();
            let changing = Changing { documents, broken: Arc::clone(&broken) };
            lock(&lane.reports).changing.insert(ticket, changing);
            // From here on it hears of failures. One may have come since the changes were made.
            if !ahead.is_sound() {
                let mut reports = lock(&lane.reports);
                reports.changing.remove(&ticket);
                return Err(reports.failed.clone().unwrap_or(LogError::Closed).into());
            }
        }
        let reporting = Arc::clone(&lane);
        let unless = Box::new(move || broken.get().cloned());
        let pending = self.submit(database, operations.encode(), unless, move |failed| {
            match failed {
                None => ahead.keep(),
                Some(_) => drop(ahead),
            }
            lock(&reporting.reports).settle(ticket, failed);
        });
        let pending = pending.inspect_err(|_| {
            // It never got to the log; nobody has seen its changes yet, so nothing rests on them.
            lock(&lane.reports).changing.remove(&ticket);
        })?;
        in_flight.items.extend(made.into_iter().map(|(row, flight)| (row, (ticket, flight))));
        Ok((result, Some(pending)))
    }

    /// Puts the name of a database into its circle's catalogue, so that other devices can find it.
    async fn list_in_catalogue(&self, circle: &CircleId, name: &str) -> Result<()> {
        let catalogue = catalogue_scope(circle);
        let row = catalogue.item_row(name);
        if self.shared.writes.is_settled(&row) {
            return Ok(());
        }
        let (_, pending) = self.submit_work(&DatabaseId::catalogue(*circle), |writer| {
            if writer.get(&catalogue, name)?.is_none() {
                writer.put(&catalogue, name, &Value::Bool(true))?;
            }
            Ok(())
        })?;
        if let Some(pending) = pending {
            pending.written().await?;
        }
        self.shared.writes.settle(row);
        Ok(())
    }
}

/// Changes to open documents that are taken back when this is dropped, unless they were written.
struct Ahead(Vec<AheadChange>);

/// A change that an open document has ahead of its entry.
struct AheadChange {
    document: Vec<u8>,
    place: Place,
    hash: ChangeHash,
}

impl Ahead {
    /// Whether the documents have all these changes, with all they rest on.
    fn is_sound(&self) -> bool {
        self.0.iter().all(|change| {
            cache::lock(&change.place).as_mut().is_some_and(|cached| cached.document.has(&change.hash))
        })
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // The last one first: nothing else rests on it.
        for change in self.0.drain(..).rev() {
            if let Some(cached) = cache::lock(&change.place).as_mut() {
                cached.document.retract(&[change.hash]);
            }
        }
    }
}

/// A database as the writing side knows it.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseId {
    /// Its stream.
    pub(crate) stream: StreamId,
    /// Its circle.
    pub(crate) circle: CircleId,
    /// What stands for it in rows.
    pub(crate) rows: StreamId,
    /// Its name; none for a catalogue, which lists itself not.
    pub(crate) name: Option<Arc<str>>,
}

impl DatabaseId {
    /// The catalogue of a circle.
    pub(crate) fn catalogue(circle: CircleId) -> Self {
        let stream = StreamId::DIRECTORY;
        Self { stream, circle, rows: rows_of(stream, &circle), name: None }
    }
}

/// Where the names of a circle's databases are.
pub(crate) fn catalogue_scope(circle: &CircleId) -> Scope {
    Scope {
        stream: rows_of(StreamId::DIRECTORY, circle),
        collection: CATALOGUE_COLLECTION.to_owned(),
        policy: Policy::Lww,
        owner: None,
    }
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, why)
}
