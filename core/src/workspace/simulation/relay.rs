//! The relay of the simulation: a log without keys, and mailboxes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tidelog_log::crypto::noise::RelaySecret;
use tidelog_log::crypto::sha256;
use tidelog_log::env::{ManualClock, SeededRandom};
use tidelog_log::frames::{BoxId, Closing, MailError};
use tidelog_log::ids::{DeviceId, WorkspaceId};
use tidelog_log::log::{Log, LogOptions};
use tidelog_log::session::{Bans, Host, Letter, Replica, Role};
use tidelog_log::storage::MemoryStorage;

use super::{Dice, after_stop};

/// The relay's secret key.
const RELAY_SECRET: [u8; 32] = [7; 32];

pub(super) fn relay_key() -> [u8; 32] {
    RelaySecret::from_bytes(RELAY_SECRET).public()
}

/// The mailboxes of the relay: the hash of each one's token, and its letters.
#[derive(Default)]
struct Mail(Mutex<BTreeMap<BoxId, Letters>>);

/// What opens a box, and what lies in it.
type Letters = ([u8; 32], Vec<Vec<u8>>);

/// The relay as far as a session needs it: one workspace, and letters.
struct RelayHost {
    log: Arc<Log>,
    mail: Arc<Mail>,
    bans: Bans,
}

impl RelayHost {
    fn with_box<T>(
        &self,
        mailbox: BoxId,
        token_hash: [u8; 32],
        take: impl FnOnce(&mut Vec<Vec<u8>>) -> T,
    ) -> Result<T, MailError> {
        let mut boxes = self.mail.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, letters) =
            boxes.get_mut(&mailbox).filter(|(hash, _)| *hash == token_hash).ok_or(MailError::NotOpen)?;
        Ok(take(letters))
    }
}

fn slot(index: usize) -> u32 {
    u32::try_from(index + 1).expect("few letters")
}

impl Host for RelayHost {
    fn open(&self, workspace: &WorkspaceId, _device: &DeviceId) -> Result<Arc<dyn Replica>, Closing> {
        assert_eq!(*workspace, self.log.workspace());
        Ok(Arc::clone(&self.log) as Arc<dyn Replica>)
    }

    fn bans(&self) -> &Bans {
        &self.bans
    }

    fn mail_open(
        &self,
        _workspace: &WorkspaceId,
        mailbox: BoxId,
        token_hash: [u8; 32],
        expires_ms: u64,
    ) -> Result<Vec<Letter>, MailError> {
        let mut boxes = self.mail.0.lock().unwrap_or_else(PoisonError::into_inner);
        if expires_ms == 0 {
            boxes.remove(&mailbox);
            return Ok(Vec::new());
        }
        let (_, letters) = boxes.entry(mailbox).or_insert((token_hash, Vec::new()));
        Ok(letters.iter().enumerate().map(|(index, letter)| (slot(index), letter.clone())).collect())
    }

    fn mail_put(&self, mailbox: BoxId, token: &[u8; 32], message: Vec<u8>) -> Result<u32, MailError> {
        self.with_box(mailbox, sha256(&[token]), |letters| {
            letters.push(message);
            slot(letters.len() - 1)
        })
    }

    fn mail_get(&self, mailbox: BoxId, token: &[u8; 32], _after: u32) -> Result<Vec<Letter>, MailError> {
        self.with_box(mailbox, sha256(&[token]), |letters| vec![(slot(0), letters.concat())])
    }
}

/// The relay, with its disk.
pub(super) struct Relay {
    seed: u64,
    workspace: WorkspaceId,
    storage: MemoryStorage,
    log: Option<Arc<Log>>,
    mail: Arc<Mail>,
    starts: u64,
}

impl Relay {
    pub(super) fn new(seed: u64, workspace: WorkspaceId, clock: &Arc<ManualClock>) -> Self {
        let storage = MemoryStorage::new();
        let mut relay = Self { seed, workspace, storage, log: None, mail: Arc::default(), starts: 0 };
        relay.start(clock);
        relay
    }

    fn start(&mut self, clock: &Arc<ManualClock>) {
        self.starts += 1;
        let options = LogOptions {
            storage: Arc::new(self.storage.clone()),
            clock: Arc::clone(clock) as Arc<_>,
            random: Arc::new(SeededRandom::new(self.seed.wrapping_mul(7_919).wrapping_add(self.starts))),
            state_key: None,
            rows_version: 0,
            apply: None,
            threaded: false,
        };
        let log = if self.starts == 1 { Log::create(options, self.workspace) } else { Log::open(options) };
        self.log = Some(Arc::new(log.expect("a disk after a crash opens")));
    }

    /// It stops, cleanly or by power loss, and comes back from its disk.
    pub(super) fn restart(&mut self, dice: &Dice, clock: &Arc<ManualClock>) {
        self.log.take().expect("up").shutdown();
        self.storage = after_stop(&self.storage, dice);
        self.start(clock);
    }

    pub(super) fn log(&self) -> Arc<Log> {
        Arc::clone(self.log.as_ref().expect("it is down only while it restarts"))
    }

    pub(super) const fn storage(&self) -> &MemoryStorage {
        &self.storage
    }

    /// Its part in a session.
    pub(super) fn role(&self) -> Role {
        let host = RelayHost { log: self.log(), mail: Arc::clone(&self.mail), bans: Bans::default() };
        Role::Relay { secret: Arc::new(RelaySecret::from_bytes(RELAY_SECRET)), host: Arc::new(host) }
    }
}
