//! Plays roles of the cross-language scenarios in Rust; the words are in `tests/words.json`.
//!
//! Here are the roles and the words that give them a workspace; `workspace.rs` has the words about
//! it, `data.rs` those about items and documents, `log.rs` those about logs.
#![allow(clippy::print_stdout, reason = "it answers on standard output")]
#![allow(clippy::unit_arg, reason = "a call that gives nothing is answered with null")]

mod data;
mod log;
mod streams;
mod words;
mod workspace;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value as Json, json};
use tidelog::{Environment, Key, Link, RecoverFrom, Result, Value, Workspace};
use tidelog_log::env::MovedClock;

use crate::words::{bytes, given, ok, tell, text};

/// One who takes part: a device with what it has open.
#[derive(Default)]
struct Role {
    workspace: Option<Workspace>,
    link: Option<Link>,
    streams: HashMap<String, streams::Told>,
}

impl Role {
    fn workspace(&self) -> &Workspace {
        self.workspace.as_ref().expect("scenarios open a workspace first")
    }
    fn hear(&mut self, c: &Json, told: streams::Told) -> Result<Json> {
        self.streams.insert(text(c, "stream").to_owned(), told);
        ok(())
    }
}

fn environment(c: &Json) -> Environment {
    let mut environment = Environment::folder(text(c, "path"));
    environment.clock = Arc::new(MovedClock);
    environment
}
/// Stores of the platform are for other languages: a program in Rust keeps its key where it likes.
fn key(c: &Json, which: &str) -> Option<Key> {
    if let Some(path) = c["key_file"].as_str() {
        let kept = std::fs::read(path).unwrap_or_else(|_| environment(c).random_key().to_vec());
        std::fs::write(path, &kept).expect("scenarios name a file");
        return Some(Key::raw(kept.try_into().expect("32 bytes")));
    }
    let passphrase = c[format!("{which}passphrase")].as_str().map(Key::passphrase);
    passphrase.or_else(|| Some(Key::raw([c[format!("{which}key_byte")].as_u64()?.try_into().ok()?; 32])))
}

async fn open(c: &Json) -> Result<Workspace> {
    let (here, own) = (environment(c), key(c, "").expect("the runner gives a key"));
    match text(c, "op") {
        "create" => Workspace::create_in(here, own, text(c, "name")).await,
        "join" => Workspace::join_in(here, own, text(c, "invite"), given(c)?).await,
        "finish_joining" => Workspace::finish_joining_in(here, own, bytes(&c["welcome"])?).await,
        "restore" => {
            let backup = key(c, "backup_").expect("scenarios give the key of a backup");
            Workspace::restore_in(text(c, "from"), here, backup, Some(own), tell).await
        }
        "recover" => {
            let from = match c["folder"].as_str() {
                Some(folder) => RecoverFrom::Folder(folder.into()),
                None => RecoverFrom::Relay { url: given(&c["relay"])?, workspace: given(&c["workspace"])? },
            };
            Workspace::recover_in(here, own, text(c, "words"), from).await
        }
        _ if c["create"].is_null() => Workspace::open_in(here, own).await,
        _ => Workspace::open_or_create_in(here, own, text(c, "create")).await,
    }
}

async fn answer(roles: &mut HashMap<String, Role>, c: &Json) -> Result<Json> {
    let other = roles.get(text(c, "other")).and_then(|role| role.workspace.clone());
    let role = roles.entry(text(c, "by").to_owned()).or_default();
    match text(c, "op") {
        "reset" => {
            for workspace in std::mem::take(roles).into_values().filter_map(|role| role.workspace) {
                workspace.shutdown().await?;
            }
            ok(())
        }
        "advance" => ok(MovedClock::advance(given(&c["ms"])?)),
        "ask_to_join" => {
            let (here, own) = (environment(c), key(c, "").expect("the runner gives a key"));
            let asked = Workspace::ask_to_join_in(here, own, text(c, "invite"), text(c, "profile"));
            ok(Value::Bytes(asked.await?))
        }
        "create" | "open" | "join" | "finish_joining" | "restore" | "recover" => {
            ok(role.workspace = Some(open(c).await?))
        }
        "verify_backup" => ok(Workspace::verify_backup(text(c, "from"), key(c, ""), tell).await?),
        "next" => {
            let told = role.streams.get_mut(text(c, "stream")).expect("scenarios begin a stream first");
            told.next().await.unwrap_or_else(|| ok(()))
        }
        "end" => role.hear(c, stream::empty().boxed_local()),
        _ => workspace::play(role, other.as_ref(), c).await,
    }
}

#[tokio::main]
async fn main() {
    let mut roles = HashMap::new();
    for line in io::stdin().lines() {
        let c = serde_json::from_str(&line.expect("reads")).expect("JSON");
        let said = match answer(&mut roles, &c).await {
            Ok(answer) => json!({ "ok": answer }),
            Err(error) => json!({ "error": error.kind(), "reason": error.to_string() }),
        };
        println!("{said}");
    }
}
