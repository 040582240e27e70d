//! Making and opening a log: catch-up after a kill, and the rebuild of a lost state.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, RwLock};

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::index::{self, Chain, ChainKey};
use super::writer::Writer;
use super::{Inner, Log, LogError, LogOptions, Queue, Shared};
use crate::directory::Directory;
use crate::entry::Entry;
use crate::env::random_array;
use crate::ids::{DeviceId, StreamId, WorkspaceId};
use crate::pages::{EncryptedPages, PlainPages};
use crate::segments::{LOG_FOLDER, Place, Segments};
use crate::state::State;
use crate::storage::{OverlayFile, Storage, is_write_protection, read_file, replace_file};
use crate::trie::Frontier;

/// The state file.
const STATE: &str = "state.redb";
/// What its key is derived with; new with each state file, so that no key seals two of them.
const SALT: &str = "state.salt";
const SALT_LEN: usize = 32;
/// Version of the log's own tables; another one means that the state is built anew.
const TABLES_VERSION: u32 = 3;
/// Entries applied in one state transaction while catching up, before the run that crosses it.
const CATCH_UP_ENTRIES: usize = 2_000;

/// What the state says of the segments.
pub(super) struct Loaded {
    pub(super) chains: HashMap<ChainKey, Chain>,
    pub(super) directory: Directory,
    pub(super) arrivals: u64,
    applied: Option<Place>,
}

impl Log {
    /// Makes an empty log in a folder that has none. The first entry it takes is the genesis entry
    /// of the workspace.
    ///
    /// # Errors
    ///
    /// [`LogError::AlreadyOpen`] if somebody holds the folder, [`LogError::Segments`] if there is a
    /// log already, or if the storage fails.
    pub fn create(options: LogOptions, workspace: WorkspaceId) -> Result<Self, LogError> {
        let guard = options.storage.lock()?;
        let epoch = random_array(&*options.random);
        let segments = Segments::create(Arc::clone(&options.storage), workspace, epoch)?;
        let state = new_state(&options)?;
        let loaded = load(&segments, &state)?;
        Self::assemble(options, segments, state, loaded, guard)
    }

    /// Opens the log of a folder and brings its state up to its segments.
    ///
    /// # Errors
    ///
    /// [`LogError::AlreadyOpen`] if somebody holds the folder; [`LogError::Segments`] if there is
    /// no log or a newer one; or if the storage fails.
    pub fn open(options: LogOptions) -> Result<Self, LogError> {
        let guard = options.storage.lock()?;
        let segments = Segments::open(Arc::clone(&options.storage))?;
        let old = old_state(&options).and_then(|state| Ok((load(&segments, &state)?, state)));
        let (loaded, state) = match old {
            Ok(old) => old,
            Err(error) => {
                tracing::warn!(%error, "building the state anew from the log");
                let state = new_state(&options)?;
                (load(&segments, &state)?, state)
            }
        };
        Self::assemble(options, segments, state, loaded, guard)
    }

    /// Removes the log of a folder and its state, if there are any. Other files stay.
    ///
    /// # Errors
    ///
    /// [`LogError::AlreadyOpen`] if somebody holds the folder; or if the storage fails.
    pub fn remove(storage: &dyn Storage) -> Result<(), LogError> {
        let _guard = storage.lock()?;
        // The segments go first: without them the rest means nothing.
        for name in storage.list(LOG_FOLDER)? {
            storage.remove(&format!("{LOG_FOLDER}/{name}"))?;
        }
        storage.sync_folder(LOG_FOLDER)?;
        for name in [STATE, SALT] {
            remove_if_there(storage, name)?;
        }
        Ok(())
    }

    fn assemble(
        options: LogOptions,
        segments: Segments,
        state: State,
        loaded: Loaded,
        guard: Box<dyn Send + Sync>,
    ) -> Result<Self, LogError> {
        let mut frontier = Frontier::new();
        for ((stream, device), chain) in &loaded.chains {
            frontier.set(*stream, *device, chain.frontier_tips());
        }
        let withheld = index::verdicts(&state.view()?)?.into_iter();
        let withheld = withheld.filter(|(_, verdict)| verdict.withheld).map(|(arrival, _)| arrival).collect();
        let shared = Arc::new(Shared {
            workspace: segments.workspace(),
            segments,
            state,
            clock: options.clock,
            frontier: RwLock::new(frontier),
            directory: RwLock::new(loaded.directory.clone()),
            arrivals: AtomicU64::new(loaded.arrivals),
            own: Mutex::default(),
            withheld: RwLock::new(Arc::new(withheld)),
            findings: Mutex::default(),
            zero: Mutex::default(),
            subscribers: Mutex::default(),
        });
        for (key, chain) in &loaded.chains {
            shared.note_tips(*key, chain.tips.len());
        }
        let applied = loaded.applied;
        let mut writer = Writer::new(Arc::clone(&shared), options.apply, loaded);
        writer.announce_directory()?;
        catch_up(&shared.segments, &mut writer, applied)?;
        let inner = Inner {
            shared,
            queue: Mutex::new(Queue::default()),
            wake: Condvar::new(),
            writer: Mutex::new(writer),
            threaded: options.threaded,
        };
        Self::start(Arc::new(inner), guard)
    }
}

/// Applies what the segments hold past the last applied entry. Everything passes all checks again:
/// who can write to the folder cannot smuggle an entry in.
fn catch_up(segments: &Segments, writer: &mut Writer, applied: Option<Place>) -> Result<(), LogError> {
    let mut found: Vec<(Place, Entry)> = Vec::new();
    let mut unsigned: HashSet<(StreamId, DeviceId)> = HashSet::new();
    let report = segments.recover(applied, &mut |place, entry: Entry| {
        let header = entry.header();
        let chain = (header.stream, header.author);
        if header.covered {
            unsigned.insert(chain)
        } else {
            unsigned.remove(&chain)
        };
        found.push((place, entry));
        if found.len() >= CATCH_UP_ENTRIES && unsigned.is_empty() {
            writer.catch_up(std::mem::take(&mut found))?;
        }
        Ok::<_, LogError>(())
    })?;
    let more = found.len();
    writer.catch_up(found)?;
    tracing::debug!(?report, more, "log opened");
    Ok(())
}

/// Reads chains and directory as the state has them, and checks that the state fits the segments.
fn load(segments: &Segments, state: &State) -> Result<Loaded, LogError> {
    let view = state.view()?;
    let misfit = || LogError::Engine("the state does not fit the log".into());
    let applied = index::applied(&view)?;
    if let Some((arrival, place)) = applied {
        let (id, indexed) = index::entry_at(&view, arrival)?.ok_or_else(misfit)?;
        if indexed != place || segments.read(place)?.id() != id {
            return Err(misfit());
        }
    }
    let mut directory = Directory::new(segments.workspace());
    let mut held = index::folds(&view)?.into_iter();
    if let Some(genesis) = held.next() {
        let arrival = index::arrival_of(&view, &genesis.id)?.ok_or_else(misfit)?;
        let (_, place) = index::entry_at(&view, arrival)?.ok_or_else(misfit)?;
        directory.insert(&segments.read(place)?, None).map_err(|_| misfit())?;
        directory.restore(held).map_err(|_| misfit())?;
    }
    Ok(Loaded {
        chains: index::chains(&view)?.into_iter().collect(),
        directory,
        arrivals: applied.map_or(0, |(arrival, _)| arrival),
        applied: applied.map(|(_, place)| place),
    })
}

/// Opens the state file, if there is one of this version.
fn old_state(options: &LogOptions) -> Result<State, LogError> {
    let missing = || LogError::Engine("there is no state file of this version".into());
    let salt = read_file(&*options.storage, SALT, SALT_LEN)?.ok_or_else(missing)?;
    let file = options.storage.open(STATE, true).map(OverlayFile::new)?;
    let state = open_state(options, file, &salt)?;
    let version = index::version(&state.view()?)?;
    if version == Some((TABLES_VERSION, options.rows_version)) { Ok(state) } else { Err(missing()) }
}

/// Makes an empty state file under a new key, in place of whatever is there; in memory, if the medium may
/// only be read.
fn new_state(options: &LogOptions) -> Result<State, LogError> {
    let salt: [u8; SALT_LEN] = random_array(&*options.random);
    let file = match new_file(&*options.storage, &salt) {
        Err(error) if is_write_protection(&error) => OverlayFile::in_memory(error.kind()),
        made => made?,
    };
    let state = open_state(options, file, &salt)?;
    state.update(false, |batch| index::put_version(batch, TABLES_VERSION, options.rows_version))?;
    Ok(state)
}

fn new_file(storage: &dyn Storage, salt: &[u8]) -> std::io::Result<OverlayFile> {
    remove_if_there(storage, STATE)?;
    replace_file(storage, SALT, salt)?;
    storage.open(STATE, true).map(OverlayFile::new)
}

fn remove_if_there(storage: &dyn Storage, name: &str) -> std::io::Result<()> {
    match storage.remove(name) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn open_state(options: &LogOptions, file: OverlayFile, salt: &[u8]) -> Result<State, LogError> {
    let file = Arc::new(file);
    let Some(master) = &options.state_key else {
        return Ok(State::open(PlainPages::new(file))?);
    };
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), &master[..])
        .expand(b"TIDE1 state file", &mut key[..])
        .expect("32 bytes are a valid length");
    Ok(State::open(EncryptedPages::new(file, &key, Arc::clone(&options.random)))?)
}
