//! The floor: the least that any program with these promises must do, with the same crates and
//! nothing else. Figures of the engine are given as ratios to it, taken in the same run.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use ed25519_dalek::{Signer as _, SigningKey};
use redb::{Database, Durability, TableDefinition};
use sha2::{Digest as _, Sha256};

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("items");

/// Seals and hashes each record, signs once and syncs once for each group, and keeps the records in
/// redb without a sync of its own.
pub(crate) fn write(folder: &Path, records: &[Vec<u8>], group: usize) {
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from([1; 32]));
    let signing = SigningKey::from_bytes(&[2; 32]);
    let mut log = File::create(folder.join("floor.log")).expect("creates");
    let state = Database::create(folder.join("floor.redb")).expect("creates");
    let mut number = 0_u64;
    for group in records.chunks(group) {
        let mut bytes = Vec::new();
        let mut transaction = state.begin_write().expect("begins");
        transaction.set_durability(Durability::None).expect("allowed");
        {
            let mut table = transaction.open_table(TABLE).expect("opens");
            let mut hash = [0; 32];
            for record in group {
                number += 1;
                let mut nonce = [0; 12];
                nonce[..8].copy_from_slice(&number.to_le_bytes());
                let sealed = cipher.encrypt(&Nonce::from(nonce), record.as_slice()).expect("seals");
                hash = Sha256::digest(&sealed).into();
                bytes.extend_from_slice(&hash);
                bytes.extend_from_slice(&sealed);
                table.insert(number.to_be_bytes().as_slice(), record.as_slice()).expect("inserts");
            }
            bytes.extend_from_slice(&signing.sign(&hash).to_bytes());
        }
        log.write_all(&bytes).expect("writes");
        log.sync_data().expect("syncs");
        transaction.commit().expect("commits");
    }
}

/// One durable redb commit for each record.
pub(crate) fn commit_each(folder: &Path, records: &[Vec<u8>]) {
    let state = Database::create(folder.join("commits.redb")).expect("creates");
    for (number, record) in (0_u64..).zip(records) {
        let transaction = state.begin_write().expect("begins");
        let mut table = transaction.open_table(TABLE).expect("opens");
        table.insert(number.to_be_bytes().as_slice(), record.as_slice()).expect("inserts");
        drop(table);
        transaction.commit().expect("commits");
    }
}
