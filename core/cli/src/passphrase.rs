//! Where the key of a workspace comes from: a file, the environment or a prompt, never an argument.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use tidelog::Key;

use crate::{Failure, Result};

/// Environment variable with the passphrase.
const VARIABLE: &str = "TIDELOG_PASSPHRASE";
/// Environment variable with the passphrase that is to take its place.
const NEW_VARIABLE: &str = "TIDELOG_NEW_PASSPHRASE";
/// Environment variable with the passphrase of a backup.
const BACKUP_VARIABLE: &str = "TIDELOG_BACKUP_PASSPHRASE";
const RAW_KEY_LEN: usize = 32;

/// What the arguments say of the key.
#[derive(Debug)]
pub(crate) struct Source {
    passphrase_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    variable: &'static str,
}

impl Source {
    pub(crate) fn new(passphrase_file: Option<PathBuf>, key_file: Option<PathBuf>) -> Self {
        Self { passphrase_file, key_file, variable: VARIABLE }
    }

    /// Where the key comes from that is to take the place of the present one.
    pub(crate) fn new_one(passphrase_file: Option<PathBuf>, key_file: Option<PathBuf>) -> Self {
        Self { passphrase_file, key_file, variable: NEW_VARIABLE }
    }

    /// Where the passphrase of a backup comes from, if it has one of its own.
    pub(crate) fn of_backup(passphrase_file: Option<PathBuf>) -> Self {
        Self { passphrase_file, key_file: None, variable: BACKUP_VARIABLE }
    }

    /// The key of an existing workspace.
    pub(crate) fn key(&self) -> Result<Key> {
        match self.given()? {
            Some(key) => Ok(key),
            None => Ok(Key::passphrase(self.prompt("Passphrase: ")?)),
        }
    }

    /// The key of a new workspace: at a prompt it is asked for twice.
    pub(crate) fn new_key(&self) -> Result<Key> {
        if let Some(key) = self.given()? {
            return Ok(key);
        }
        let passphrase = self.prompt("New passphrase: ")?;
        if passphrase != self.prompt("Again: ")? {
            return Err(Failure::usage("the two passphrases differ: nothing was made"));
        }
        Ok(Key::passphrase(passphrase))
    }

    /// The key, if it is given without a prompt.
    pub(crate) fn given(&self) -> Result<Option<Key>> {
        if let Some(path) = &self.key_file {
            let bytes = std::fs::read(path).map_err(|error| {
                Failure::io(&format!("cannot read the key file {}", path.display()), &error)
            })?;
            return raw_key(&bytes).map(Some);
        }
        if let Some(path) = &self.passphrase_file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::io(&format!("cannot read the passphrase file {}", path.display()), &error)
            })?;
            let line = text.lines().next().unwrap_or_default();
            return Ok(Some(Key::passphrase(line)));
        }
        Ok(std::env::var(self.variable).ok().map(Key::passphrase))
    }

    fn prompt(&self, text: &str) -> Result<String> {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(format!(
                "there is no terminal to ask for the passphrase: set {} or give it in a file",
                self.variable
            )));
        }
        rpassword::prompt_password(text).map_err(|error| Failure::io("cannot read the passphrase", &error))
    }
}

fn raw_key(bytes: &[u8]) -> Result<Key> {
    let raw: Option<[u8; RAW_KEY_LEN]> = bytes.try_into().ok().or_else(|| {
        let text = std::str::from_utf8(bytes).ok()?.trim();
        let digits = text.parse::<tidelog::EntryId>().ok()?;
        Some(digits.0)
    });
    raw.map(Key::raw)
        .ok_or_else(|| Failure::usage("the key file must hold 32 bytes, or 64 lower-case hexadecimal digits"))
}
