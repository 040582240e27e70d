//! Where the key of a workspace comes from: a file, the environment or a prompt, never an argument.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use tidelog::Key;

use crate::{Failure, Result};

/// Environment variable with the passphrase.
const VARIABLE: &str = "TIDELOG_PASSPHRASE";
const RAW_KEY_LEN: usize = 32;

/// What the arguments say of the key.
#[derive(Debug)]
pub(crate) struct Source {
    passphrase_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

impl Source {
    pub(crate) fn new(passphrase_file: Option<PathBuf>, key_file: Option<PathBuf>) -> Self {
        Self { passphrase_file, key_file }
    }

    /// The key of an existing workspace.
    pub(crate) fn key(&self) -> Result<Key> {
        match self.given()? {
            Some(key) => Ok(key),
            None => Ok(Key::passphrase(prompt("Passphrase: ")?)),
        }
    }

    /// The key of a new workspace: at a prompt it is asked for twice.
    pub(crate) fn new_key(&self) -> Result<Key> {
        if let Some(key) = self.given()? {
            return Ok(key);
        }
        let passphrase = prompt("New passphrase: ")?;
        if passphrase != prompt("Again: ")? {
            return Err(Failure::usage("the two passphrases differ: nothing was made"));
        }
        Ok(Key::passphrase(passphrase))
    }

    fn given(&self) -> Result<Option<Key>> {
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
        Ok(std::env::var(VARIABLE).ok().map(Key::passphrase))
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

fn prompt(text: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "there is no terminal to ask for the passphrase: set {VARIABLE} or give --passphrase-file"
        )));
    }
    rpassword::prompt_password(text).map_err(|error| Failure::io("cannot read the passphrase", &error))
}
