//! Mailboxes: where a device that is no member yet and a member leave letters for each other.
//!
//! A member's session opens a box under the hash of a token; whoever shows the token may put and
//! get. The letters are sealed under a secret the relay does not know. Without an open box nothing
//! of anybody unauthenticated is stored, and a wrong token is answered like a missing box.
//!
//! Each box is one file of the folder, replaced as a whole:
//!
//! ```text
//! size field
//!    8   magic "TIDEMAIL"
//!    4   format, u32 little-endian: 1
//!   32   workspace
//!   32   SHA-256 of the token
//!    8   end, u64 little-endian, milliseconds since 1970
//!   ..   letters: length u16 little-endian (1..=4,096) | bytes, at most 16
//! ```

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidelog_log::crypto::sha256;
use tidelog_log::env::Clock;
use tidelog_log::frames::{BoxId, MAIL_MAX, MailError};
use tidelog_log::ids::WorkspaceId;
use tidelog_log::session::Letter;
use tidelog_log::storage::{Storage, read_file, replace_file};
use tokio::sync::watch;

/// Letters in one box.
pub(crate) const LETTERS_MAX: usize = 16;
/// Boxes of one workspace that are open at the same time.
pub(crate) const BOXES_PER_WORKSPACE_MAX: usize = 256;
/// Boxes that are open at the same time.
pub(crate) const BOXES_MAX: usize = 65_536;
/// How far ahead the end of a box may lie, in milliseconds: 30 days.
pub(crate) const LIFETIME_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;

/// Boxes that are removed before others get their turn.
const PURGED_AT_ONCE: usize = 16;

const MAGIC: &[u8; 8] = b"TIDEMAIL";
const FORMAT: u32 = 1;
const HEAD_LEN: usize = 8 + 4 + 32 + 32 + 8;
const FILE_BYTES_MAX: usize = HEAD_LEN + LETTERS_MAX * (2 + MAIL_MAX);

/// All open boxes of a relay. Calls that change a box block until the change is durable, and the others
/// wait for them: none of them is for a thread that must not block.
#[derive(Debug)]
pub(crate) struct Mailboxes {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    boxes: Mutex<HashMap<BoxId, Mailbox>>,
    /// Changes whenever a letter arrives.
    arrivals: watch::Sender<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mailbox {
    workspace: WorkspaceId,
    token_hash: [u8; 32],
    expires_ms: u64,
    letters: Vec<Vec<u8>>,
}

impl Mailboxes {
    /// Reads the boxes of a folder. A file that is no box is reported and left alone.
    pub(crate) fn load(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let mut boxes = HashMap::new();
        for name in storage.list("")? {
            let Some(id) = parse_name(&name) else { continue };
            let bytes = read_file(&*storage, &name, FILE_BYTES_MAX)?.unwrap_or_default();
            match Mailbox::decode(&bytes) {
                Some(mailbox) => drop(boxes.insert(id, mailbox)),
                None => tracing::warn!(file = name, "this file is not a mailbox and is left alone"),
            }
        }
        Ok(Self { storage, clock, boxes: Mutex::new(boxes), arrivals: watch::Sender::new(0) })
    }

    /// Changes whenever a letter arrives in any box.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// Opens a box for a member's workspace, or sets another end to it; an end that has passed
    /// closes it. Only the workspace that opened a box may do so, with the same token. Returns
    /// what it holds.
    pub(crate) fn open(
        &self,
        workspace: WorkspaceId,
        id: BoxId,
        token_hash: [u8; 32],
        expires_ms: u64,
    ) -> Result<Vec<Letter>, MailError> {
        let now_ms = self.clock.now_ms();
        let mut boxes = self.lock();
        if boxes.get(&id).is_some_and(|known| (known.workspace, known.token_hash) != (workspace, token_hash))
        {
            return Err(MailError::Unavailable);
        }
        if expires_ms <= now_ms {
            return self.close(&mut boxes, id).map(|()| Vec::new());
        }
        let own = || boxes.values().filter(|mailbox| mailbox.workspace == workspace).count();
        if !boxes.contains_key(&id) && (boxes.len() >= BOXES_MAX || own() >= BOXES_PER_WORKSPACE_MAX) {
            return Err(MailError::Unavailable);
        }
        let letters = boxes.get(&id).map(|mailbox| mailbox.letters.clone()).unwrap_or_default();
        let expires_ms = expires_ms.min(now_ms.saturating_add(LIFETIME_MS_MAX));
        let mailbox = Mailbox { workspace, token_hash, expires_ms, letters };
        let held = mailbox.letters_after(0);
        self.keep(&mut boxes, id, mailbox)?;
        Ok(held)
    }

    /// Puts a letter into a box; returns its place. The same letter twice is one letter.
    pub(crate) fn put(&self, id: BoxId, token: &[u8; 32], letter: &[u8]) -> Result<u32, MailError> {
        let mut boxes = self.lock();
        let mut mailbox = self.find(&boxes, id, token)?.clone();
        if letter.is_empty() || letter.len() > MAIL_MAX {
            return Err(MailError::Unavailable);
        }
        if let Some(known) = mailbox.letters.iter().position(|known| known == letter) {
            return Ok(slot(known));
        }
        if mailbox.letters.len() >= LETTERS_MAX {
            return Err(MailError::Full);
        }
        mailbox.letters.push(letter.to_vec());
        let place = slot(mailbox.letters.len() - 1);
        self.keep(&mut boxes, id, mailbox)?;
        drop(boxes);
        self.arrivals.send_modify(|count| *count += 1);
        Ok(place)
    }

    /// The letters of a box after a place.
    pub(crate) fn get(&self, id: BoxId, token: &[u8; 32], after: u32) -> Result<Vec<Letter>, MailError> {
        Ok(self.find(&self.lock(), id, token)?.letters_after(after))
    }

    /// The letters of a box after a place, for a session that showed before that it may have them.
    pub(crate) fn news(&self, id: BoxId, after: u32) -> Vec<Letter> {
        let boxes = self.lock();
        let mailbox = boxes.get(&id).filter(|mailbox| self.is_open(mailbox));
        mailbox.map(|mailbox| mailbox.letters_after(after)).unwrap_or_default()
    }

    /// Removes the boxes whose end has passed; returns how many are open then. Others get their turn in
    /// between.
    pub(crate) fn purge(&self) -> usize {
        let is_over = |mailbox: &Mailbox| !self.is_open(mailbox);
        let ended: Vec<BoxId> =
            self.lock().iter().filter(|(_, mailbox)| is_over(mailbox)).map(|(id, _)| *id).collect();
        for some in ended.chunks(PURGED_AT_ONCE) {
            let mut boxes = self.lock();
            for id in some {
                // What has another end meanwhile stays. What cannot be removed now is closed all the same,
                // and removed later.
                if boxes.get(id).is_some_and(is_over) && self.remove(*id).is_ok() {
                    boxes.remove(id);
                }
            }
        }
        if !ended.is_empty() {
            // What comes back after a loss of power is over, and removed again.
            let _ = self.storage.sync_folder("").map_err(unavailable);
        }
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BoxId, Mailbox>> {
        self.boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_open(&self, mailbox: &Mailbox) -> bool {
        self.clock.now_ms() < mailbox.expires_ms
    }

    fn find<'b>(
        &self,
        boxes: &'b HashMap<BoxId, Mailbox>,
        id: BoxId,
        token: &[u8; 32],
    ) -> Result<&'b Mailbox, MailError> {
        // Hashes are compared, so that the time it takes says nothing about the token.
        let token_hash = sha256(&[token]);
        let mailbox = boxes.get(&id).filter(|mailbox| mailbox.token_hash == token_hash);
        mailbox.filter(|mailbox| self.is_open(mailbox)).ok_or(MailError::NotOpen)
    }

    fn keep(
        &self,
        boxes: &mut HashMap<BoxId, Mailbox>,
        id: BoxId,
        mailbox: Mailbox,
    ) -> Result<(), MailError> {
        replace_file(&*self.storage, &name(id), &mailbox.encode()).map_err(unavailable)?;
        boxes.insert(id, mailbox);
        Ok(())
    }

    fn close(&self, boxes: &mut HashMap<BoxId, Mailbox>, id: BoxId) -> Result<(), MailError> {
        self.remove(id)?;
        self.storage.sync_folder("").map_err(unavailable)?;
        boxes.remove(&id);
        Ok(())
    }

    /// Removes the file of a box, if it is there.
    fn remove(&self, id: BoxId) -> Result<(), MailError> {
        match self.storage.remove(&name(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unavailable(error)),
            _ => Ok(()),
        }
    }
}

impl Mailbox {
    fn letters_after(&self, after: u32) -> Vec<Letter> {
        let places = self.letters.iter().enumerate().map(|(place, letter)| (slot(place), letter.clone()));
        places.filter(|(slot, _)| *slot > after).collect()
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(self.workspace.as_bytes());
        bytes.extend_from_slice(&self.token_hash);
        bytes.extend_from_slice(&self.expires_ms.to_le_bytes());
        for letter in &self.letters {
            let length = u16::try_from(letter.len()).expect("a letter has at most 4,096 bytes");
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(letter);
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (format, rest) = rest.split_first_chunk()?;
        let (workspace, rest) = rest.split_first_chunk()?;
        let (token_hash, rest) = rest.split_first_chunk()?;
        let (expires_ms, mut rest) = rest.split_first_chunk()?;
        if u32::from_le_bytes(*format) != FORMAT {
            return None;
        }
        let mut letters = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk() {
            let length = usize::from(u16::from_le_bytes(*length));
            let (letter, after) = after.split_at_checked(length)?;
            if letters.len() >= LETTERS_MAX || letter.is_empty() || letter.len() > MAIL_MAX {
                return None;
            }
            letters.push(letter.to_vec());
            rest = after;
        }
        let expires_ms = u64::from_le_bytes(*expires_ms);
        rest.is_empty().then_some(Self {
            workspace: WorkspaceId(*workspace),
            token_hash: *token_hash,
            expires_ms,
            letters,
        })
    }
}

fn slot(position: usize) -> u32 {
    u32::try_from(position + 1).expect("a box has at most 16 letters")
}

fn name(id: BoxId) -> String {
    format!("{:032x}", u128::from_be_bytes(id.0))
}

fn parse_name(name: &str) -> Option<BoxId> {
    let sound = name.len() == 32 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = u128::from_str_radix(name, 16).ok()?;
    sound.then(|| BoxId(number.to_be_bytes()))
}

fn unavailable(error: io::Error) -> MailError {
    tracing::error!(%error, "a mailbox could not be stored");
    MailError::Unavailable
}

#[cfg(test)]
mod tests;
