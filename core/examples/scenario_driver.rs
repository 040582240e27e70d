//! Plays one role of the cross-language scenarios: reads a command as a JSON line, calls the public
//! API, answers with a JSON line `{"ok": value}` or `{"error": code}`. See `tests/test_scenarios.py`.

#![allow(clippy::print_stdout, reason = "it answers on standard output")]

use std::io::BufRead as _;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tidelog::{
    Collection, CollectionOptions, Document, InviteOptions, JoinOptions, Key, Link, Policy, Query, Result,
    Role, Value, Workspace,
};

const KEY: [u8; 32] = [7; 32];

#[derive(Default)]
struct Driver {
    workspace: Option<Workspace>,
    link: Option<Link>,
}

fn text<'c>(command: &'c Json, field: &str) -> &'c str {
    command[field].as_str().unwrap_or_default()
}

fn value(json: &Json) -> Result<Value> {
    Value::from_json(&json.to_string())
}

fn plain(value: &Value) -> Result<Json> {
    Ok(serde_json::from_str(&value.to_json()?).expect("the engine writes JSON"))
}

impl Driver {
    fn workspace(&self) -> &Workspace {
        self.workspace.as_ref().expect("scenarios open a workspace first")
    }

    fn collection(&self, command: &Json) -> Result<Collection<Value>> {
        let policy = if command["policy"] == "document" { Policy::Document } else { Policy::Lww };
        let options = CollectionOptions::default().policy(policy).key_field(None);
        let collection = self.workspace().database("main").collection_with(text(command, "in"), options);
        match command["of"].as_str() {
            None => Ok(collection),
            Some("me") => collection.own(),
            Some(user) => Ok(collection.of(user.parse().expect("scenarios name users by id"))),
        }
    }

    fn document(&self, command: &Json) -> Result<Document> {
        self.collection(command)?.document(text(command, "key"))
    }

    fn query(command: &Json) -> Result<Query> {
        let sort = command["sort"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let mut query = Query::new().sort(sort);
        if !command["where"].is_null() {
            query = query.filter(&command["where"])?;
        }
        query.limit = command["limit"].as_u64().map(|limit| usize::try_from(limit).expect("small"));
        Ok(query)
    }

    async fn run(&mut self, command: &Json) -> Result<Json> {
        let path = text(command, "path");
        let key = text(command, "key");
        let number = |field: &str| usize::try_from(command[field].as_u64().unwrap_or(0)).expect("small");
        Ok(match text(command, "op") {
            "create" => {
                self.workspace = Some(Workspace::create(path, Key::raw(KEY), text(command, "name")).await?);
                Json::Null
            }
            "open" => {
                let wrong = command["wrong_key"] == true;
                let key = Key::raw(if wrong { [8; 32] } else { KEY });
                self.workspace = Some(Workspace::open(path, key).await?);
                Json::Null
            }
            "join" => {
                let options =
                    JoinOptions { profile: text(command, "profile").into(), timeout_ms: Some(60_000) };
                self.workspace =
                    Some(Workspace::join(path, Key::raw(KEY), text(command, "invite"), options).await?);
                Json::Null
            }
            "invite" => {
                let mut options = InviteOptions::new(text(command, "relay"));
                options.auto_approve = true;
                options.role = if command["role"] == "reader" { Role::Reader } else { Role::Writer };
                json!(self.workspace().invite(options).await?.uri)
            }
            "connect" => {
                let link = self.workspace().connect(text(command, "relay"))?;
                link.wait_live(Duration::from_secs(60)).await?;
                self.link = Some(link);
                Json::Null
            }
            "disconnect" => {
                if let Some(link) = self.link.take() {
                    link.stop().await;
                }
                Json::Null
            }
            "sync" => {
                self.workspace().sync(text(command, "relay")).await?;
                Json::Null
            }
            "close" => {
                self.workspace().shutdown().await?;
                Json::Null
            }
            "put" => {
                self.collection(command)?.put(key, &value(&command["value"])?).await?;
                Json::Null
            }
            "patch" => {
                self.collection(command)?.patch(key, &value(&command["value"])?).await?;
                Json::Null
            }
            "get" => match self.collection(command)?.get(key)? {
                Some(value) => plain(&value)?,
                None => Json::Null,
            },
            "delete" => json!(self.collection(command)?.delete(key).await?),
            "count" => json!(self.collection(command)?.count(&Self::query(command)?)?),
            "query" => {
                let items = self.collection(command)?.query(&Self::query(command)?)?;
                json!(items.into_iter().map(|item| item.key).collect::<Vec<_>>())
            }
            "transaction" => {
                let mut transaction = self.workspace().database("main").transaction();
                for put in command["puts"].as_array().into_iter().flatten() {
                    let options = CollectionOptions::default().key_field(None);
                    let mut collection = transaction.collection_with::<Value>(text(put, "in"), options);
                    collection.put(text(put, "key"), &value(&put["value"])?)?;
                }
                transaction.commit().await?;
                Json::Null
            }
            "splice" => {
                let document = self.document(command)?;
                document
                    .splice_text(
                        text(command, "at"),
                        number("position"),
                        number("delete"),
                        text(command, "text"),
                    )
                    .await?;
                Json::Null
            }
            "text" => json!(self.document(command)?.text(text(command, "at"))?),
            "set" => {
                self.document(command)?.set(text(command, "at"), &value(&command["value"])?).await?;
                Json::Null
            }
            "increment" => {
                let by = command["amount"].as_i64().unwrap_or(1);
                self.document(command)?.increment(text(command, "at"), by).await?;
                Json::Null
            }
            "look" => match self.document(command)?.get(text(command, "at"))? {
                Some(value) => plain(&value)?,
                None => Json::Null,
            },
            "history" => {
                let versions = self.collection(command)?.history(key)?;
                json!(versions.iter().map(|version| version.kind.name()).collect::<Vec<_>>())
            }
            "changes" => {
                let log = self.workspace().database("main").log();
                let changes = log.changes_since(command["cursor"].as_str(), 1_000)?;
                let keys = changes.items.iter().map(|change| change.key.clone());
                let mut keys: Vec<_> = keys.filter(|key| !key.is_empty()).collect();
                keys.sort();
                json!({ "keys": keys, "cursor": changes.cursor })
            }
            "entries" => json!(self.workspace().database("main").log().entry_ids()?.len()),
            "me" => json!(self.workspace().me()?.user.to_string()),
            "members" => {
                let mut roles: Vec<_> =
                    self.workspace().members()?.iter().map(|member| member.role.to_string()).collect();
                roles.sort();
                json!(roles)
            }
            "root" => json!(self.workspace().stats()?.root.to_string()),
            other => panic!("unknown operation {other}"),
        })
    }
}

#[tokio::main]
async fn main() {
    let mut driver = Driver::default();
    for line in std::io::stdin().lock().lines() {
        let command: Json = serde_json::from_str(&line.expect("reads")).expect("JSON");
        let answer = match driver.run(&command).await {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error.kind().code(), "reason": error.to_string() }),
        };
        println!("{answer}");
    }
}
