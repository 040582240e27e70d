//! Plays roles of the cross-language scenarios: reads a command as a JSON line, calls the public API,
//! answers with a JSON line `{"ok": value}` or `{"error": code}`. The words are in
//! `tests/words.json`.
#![allow(clippy::print_stdout, reason = "it answers on standard output")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers of scenarios are small")]

use std::collections::HashMap;
use std::io::BufRead as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};
use tidelog::{
    Circle, CircleOptions, Collection, CollectionOptions, Database, Direction, Document, Edit, EntryId, Environment, History, InviteOptions,
    Item, JoinOptions, Key, KeyPolicy, Link, LinkEvent, LinkEvents, LinkState, Live, Notice, Policy, Query, RecoverFrom,
    Result, Role as Right, SyncReport, UserId, Value, Version, Watch, WatchOptions, Workspace,
};
use tidelog_log::env::{Clock, Random as _, SystemClock, SystemRandom};

static AHEAD_MS: AtomicU64 = AtomicU64::new(0);

/// The system's clock, moved forward by `advance`.
#[derive(Debug)]
struct MovedClock;

impl Clock for MovedClock {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms() + AHEAD_MS.load(Ordering::SeqCst)
    }
}

/// Dates, UUIDs and decimals are text in Rust.
#[derive(Serialize, Deserialize)]
struct Record {
    id: String,
    title: String,
    when: Option<String>,
    uid: String,
    price: String,
    big: i64,
    data: Value,
    done: bool,
}

#[allow(clippy::large_enum_variant, reason = "there are few")]
enum Stream {
    Watch(Watch),
    /// With the command it was begun by, and whether its first result is told.
    Live(Live<Value>, Json, bool),
    Link(LinkEvents),
    Ended,
}

fn text<'c>(c: &'c Json, field: &str) -> &'c str {
    c[field].as_str().unwrap_or_default()
}
fn texts<T: std::str::FromStr>(c: &Json, field: &str) -> Vec<T> {
    c[field].as_array().into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
}
fn number(c: &Json, field: &str) -> usize {
    c[field].as_u64().unwrap_or(0) as usize
}
fn value(json: &Json) -> Result<Value> {
    Value::from_json(&json.to_string())
}
fn plain(value: Option<&Value>) -> Json {
    value.map_or(Json::Null, |value| {
        serde_json::from_str(&value.to_json().expect("stored values are JSON")).expect("JSON")
    })
}
fn item(c: &Json, item: &Item<Value>) -> Json {
    let value = plain(Some(&item.value));
    if c["key_field"].is_null() { json!({ "key": item.key, "value": value }) } else { value }
}
fn items(c: &Json, found: &[Item<Value>]) -> Json {
    found.iter().map(|found| item(c, found)).collect()
}
fn versions(versions: &[Version]) -> Json {
    let version = |v: &Version| {
        let user = v.user.map(|user| user.to_string());
        json!({ "kind": v.kind.name(), "value": plain(v.value.as_ref()), "local": v.local, "user": user,
            "author": v.author.to_string(), "entry": v.entry.to_string() })
    };
    versions.iter().map(version).collect()
}
fn report(r: SyncReport) -> Json {
    json!({ "sent": r.sent, "received": r.received, "bytes_sent": r.bytes_sent,
        "bytes_received": r.bytes_received, "round_trips": r.round_trips })
}
const fn state_name(state: LinkState) -> &'static str {
    match state {
        LinkState::Offline => "offline",
        LinkState::Connecting => "connecting",
        LinkState::CatchingUp => "catching-up",
        LinkState::Live => "live",
    }
}
fn event(notice: Option<Notice>) -> Json {
    match notice {
        None => Json::Null,
        Some(Notice::Lagged(lost)) => json!({ "lost": lost }),
        Some(Notice::Event(e)) => json!({ "kind": e.kind.name(), "database": e.database,
            "collection": e.collection, "owner": e.owner.map(|owner| owner.to_string()), "key": e.key,
            "old": plain(e.old.as_ref()), "new": plain(e.new.as_ref()), "local": e.local,
            "author": e.author.to_string(), "entry": e.entry.to_string() }),
    }
}

/// Stores of the platform are for other languages: a program in Rust keeps its key where it likes.
fn key(c: &Json) -> Key {
    if let Some(path) = c["key_file"].as_str() {
        let kept = std::fs::read(path).unwrap_or_else(|_| {
            let mut made = vec![0; 32];
            SystemRandom.fill(&mut made);
            made
        });
        std::fs::write(path, &kept).expect("scenarios name a file");
        return Key::raw(kept.try_into().expect("32 bytes"));
    }
    key_if_any(c, "").unwrap_or_else(|| Key::raw([7; 32]))
}
fn key_if_any(c: &Json, which: &str) -> Option<Key> {
    let passphrase = c[format!("{which}passphrase")].as_str().map(Key::passphrase);
    passphrase.or_else(|| Some(Key::raw([c[format!("{which}key_byte")].as_u64()? as u8; 32])))
}
fn environment(c: &Json) -> Environment {
    let mut environment = Environment::folder(text(c, "path"));
    environment.clock = Arc::new(MovedClock);
    environment
}
fn options(c: &Json) -> CollectionOptions {
    let documents = c["policy"] == "document" || text(c, "op").starts_with("doc_");
    let policy = if documents { Policy::Document } else { Policy::Lww };
    CollectionOptions::default().policy(policy).key_field(c["key_field"].as_str())
}
fn query(c: &Json) -> Result<Query> {
    let mut query = Query::new().sort(texts::<String>(c, "sort")).offset(number(c, "offset"));
    if !c["where"].is_null() {
        query = query.filter(&c["where"])?;
    }
    query.limit = c["limit"].as_u64().map(|limit| limit as usize);
    query.cursor = c["cursor"].as_str().map(str::to_owned);
    query.ids = c["ids"].is_array().then(|| texts(c, "ids"));
    Ok(query)
}

fn edit(document: &mut Edit<'_>, e: &Json) -> Result<()> {
    let (at, position) = (text(e, "at"), number(e, "position"));
    match text(e, "kind") {
        "set" => document.set(at, &value(&e["value"])?),
        "delete" => document.delete(at).map(drop),
        "insert" => document.insert(at, position, &value(&e["value"])?),
        "splice_text" => document.splice_text(at, position, number(e, "delete"), text(e, "text")),
        _ => document.increment(at, e["by"].as_i64().expect("a number")),
    }
}

#[derive(Default)]
struct Role {
    workspace: Option<Workspace>,
    link: Option<Link>,
    streams: HashMap<String, Stream>,
}

impl Role {
    fn workspace(&self) -> &Workspace {
        self.workspace.as_ref().expect("scenarios open a workspace first")
    }
    fn link(&self) -> &Link {
        self.link.as_ref().expect("scenarios connect first")
    }
    fn database(&self, c: &Json) -> Database {
        database(self.workspace(), c)
    }
    fn collection<T: Serialize + DeserializeOwned>(&self, c: &Json) -> Result<Collection<T>> {
        let found = self.database(c).collection_with(text(c, "in"), options(c));
        match c["of"].as_str() {
            None => Ok(found),
            Some("me") => found.own(),
            Some(user) => Ok(found.of(user.parse().expect("scenarios name users by id"))),
        }
    }
    fn records(&self, c: &Json) -> Result<Collection<Record>> {
        self.collection(&json!({ "by": c["by"], "in": c["in"], "key_field": "id" }))
    }
    fn document(&self, c: &Json) -> Result<Document> {
        self.collection::<Value>(c)?.document(text(c, "key"))
    }

    fn hear(&mut self, c: &Json, stream: Stream) -> Json {
        self.streams.insert(text(c, "stream").to_owned(), stream);
        Json::Null
    }

    async fn transaction(&self, c: &Json) -> Result<Json> {
        let mut transaction = self.database(c).transaction();
        let mut answers = Vec::new();
        for w in c["writes"].as_array().into_iter().flatten() {
            let mut collection = transaction.collection_with::<Value>(text(w, "in"), options(w));
            let (key, new) = (text(w, "key"), value(&w["value"])?);
            answers.push(match text(w, "op") {
                "put" if w["key"].is_null() => json!(collection.put_value(&new)?),
                "put" => json!(collection.put(key, &new)?),
                "insert" => item(w, &collection.insert_item(new)?),
                "patch" => json!(collection.patch(key, &new)?),
                "delete" => json!(collection.delete(key)?),
                _ => plain(collection.get(key)?.as_ref()),
            });
        }
        let rolled_back = c["roll_back"] == true;
        let committed = !rolled_back && transaction.commit().await?.is_some();
        Ok(json!({ "answers": answers, "committed": committed }))
    }

    async fn next(&mut self, c: &Json) -> Result<Json> {
        Ok(match self.streams.get_mut(text(c, "stream")).expect("scenarios begin a stream first") {
            Stream::Ended => Json::Null,
            Stream::Watch(watch) => event(watch.next().await),
            Stream::Live(live, c, true) => live.next().await?.map_or(Json::Null, |found| items(c, found)),
            Stream::Live(live, c, begun) => {
                *begun = true;
                items(c, live.current())
            }
            Stream::Link(events) => json!(events.next().await.map(|event| match event {
                LinkEvent::State(state) => state_name(state),
                LinkEvent::Progress(_) => "progress",
                LinkEvent::Failed { .. } => "failed",
                LinkEvent::Lagged(_) => "lagged",
            })),
        })
    }
}

fn database(workspace: &Workspace, c: &Json) -> Database {
    let name = c["database"].as_str().unwrap_or("main");
    match c["circle"].as_str() {
        None => workspace.database(name),
        Some(circle) => workspace.database_in(name, circle.parse().expect("scenarios name circles by id")),
    }
}

fn right(c: &Json) -> Option<Right> {
    Right::ALL.into_iter().find(|role| c["role"] == role.to_string())
}

fn circle(circle: &Circle) -> Json {
    let history = if circle.history == History::Full { "full" } else { "from_join" };
    let member = |(user, role): &(UserId, Right)| json!({ "user": user.to_string(), "role": role.to_string() });
    json!({ "id": circle.id.to_string(), "name": circle.name, "history": history, "recoverable": circle.recoverable,
        "members": circle.members.iter().map(member).collect::<Vec<_>>(), "readable": circle.readable })
}

fn transfer(report: SyncReport) -> Json {
    json!({ "received": report.received, "sent": report.sent })
}

/// Plays one command of the role that `by` names. Words about another role get its workspace.
#[rustfmt::skip]
async fn play(role: &mut Role, other: Option<Workspace>, c: &Json) -> Result<Json> {
    let id = text(c, "key");
    let log = || role.database(c).log();
    let other_log = || {
        let other = other.as_ref().expect("scenarios name a role");
        database(other, c).log()
    };
    Ok(match text(c, "op") {
        "create" => json!(role.workspace = Some(Workspace::create_in(environment(c), key(c), text(c, "name")).await?)),
        "open" => json!(role.workspace = Some(match c["create"].as_str() {
            Some(name) => Workspace::open_or_create_in(environment(c), key(c), name).await?,
            None => Workspace::open_in(environment(c), key(c)).await?,
        })),
        "join" => {
            let options = JoinOptions { profile: text(c, "profile").into(), timeout_ms: c["timeout_ms"].as_u64() };
            json!(role.workspace = Some(Workspace::join_in(environment(c), key(c), text(c, "invite"), options).await?))
        }
        "shutdown" => json!(role.workspace().shutdown().await?),
        "identity" => json!({ "id": role.workspace().id().to_string(), "name": role.workspace().name()? }),
        "me" => {
            let me = role.workspace().me()?;
            json!({ "user": me.user.to_string(), "device": me.device.to_string(), "role": me.role.to_string(), "profile": me.profile })
        }
        "set_profile" => json!(role.workspace().set_profile(text(c, "name")).await?),
        "members" => role.workspace().members()?.iter().map(|m| json!({
            "user": m.user.to_string(), "role": m.role.to_string(), "profile": m.profile, "me": m.me,
            "devices": m.devices.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })).collect(),
        "devices" => role.workspace().devices().iter().map(|d| json!({
            "device": d.device.to_string(), "user": d.user.to_string(), "added_by": d.added_by.to_string(), "me": d.me,
        })).collect(),
        "invite" => {
            let mut options = InviteOptions::new(text(c, "relay"));
            options.auto_approve = c["auto_approve"] == true;
            options.same_user = c["same_user"] == true;
            options.uses = c["uses"].as_u64().map_or(options.uses, |uses| uses as u32);
            options.expires_in_ms = c["expires_in_ms"].as_u64().unwrap_or(options.expires_in_ms);
            options.role = right(c).unwrap_or(options.role);
            let invite = role.workspace().invite(options).await?;
            json!({ "id": invite.id, "uri": invite.uri })
        }
        "invites" => role.workspace().invites().iter().map(|i| json!({ "id": i.id, "uri": i.uri })).collect(),
        "withdraw" => json!(role.workspace().withdraw(text(c, "id"))?),
        "requests" => role.workspace().requests().await?.iter().map(|r| json!({
            "id": r.id, "profile": r.profile, "device": r.device.to_string(), "role": r.role.to_string(),
        })).collect(),
        "approve" => json!(role.workspace().approve(text(c, "id")).await?),
        "databases" => match c["circle"].as_str() {
            None => json!(role.workspace().databases()?),
            Some(circle) => json!(role.workspace().databases_in(circle.parse().expect("an id"))?),
        },
        "create_circle" => {
            let history = if c["history"] == "from_join" { History::FromJoin } else { History::Full };
            let options = CircleOptions { history, recoverable: c["recoverable"] != false };
            circle(&role.workspace().create_circle(text(c, "name"), options).await?)
        }
        "circles" => role.workspace().circles()?.iter().map(circle).collect(),
        "add_to_circle" | "remove_from_circle" => {
            let (circle, user) = (text(c, "circle").parse().expect("an id"), text(c, "user").parse().expect("an id"));
            match right(c) {
                Some(right) => json!(role.workspace().add_to_circle(circle, user, right).await?),
                None => json!(role.workspace().remove_from_circle(circle, user).await?),
            }
        }
        "policy" => {
            let policy = role.workspace().policy();
            json!({ "rotate_days": policy.rotate_days, "rotate_entries": policy.rotate_entries })
        }
        "set_policy" => {
            let (days, entries) = (number(c, "rotate_days"), number(c, "rotate_entries"));
            let policy = KeyPolicy { rotate_days: days as u16, rotate_entries: entries as u32 };
            json!(role.workspace().set_policy(policy).await?)
        }
        "stats" => {
            let s = role.workspace().stats()?;
            json!({ "entries": s.entries, "log_bytes": s.log_bytes, "streams": s.streams, "chains": s.chains,
                "users": s.users, "devices": s.devices, "root": s.root.to_string() })
        }
        "verify" => {
            let told = Arc::new(Mutex::new((0, 0)));
            let tell = Arc::clone(&told);
            let progress = move |done, total| {
                *tell.lock().expect("no panic") = (done, total);
                ControlFlow::Continue(())
            };
            let r = role.workspace().verify(progress).await?;
            let (done, total) = *told.lock().expect("no panic");
            json!({ "entries": r.entries, "bytes": r.bytes, "signatures": r.signatures, "damaged": r.damaged,
                "problems": r.problems, "done": done, "total": total })
        }
        "change_passphrase" => {
            let new = key_if_any(c, "new_").expect("scenarios give a new key");
            json!(role.workspace().change_passphrase(key_if_any(c, "old_"), new).await?)
        }
        "recovery_words" => json!(role.workspace().recovery_words()?),
        "confirm_recovery_words" => json!(role.workspace().confirm_recovery_words(text(c, "words")).await?),
        "add_recovery_device" => json!(role.workspace().add_recovery_device().await?),
        "backup" => {
            let told = Arc::new(Mutex::new((0, 0)));
            let tell = Arc::clone(&told);
            let progress = move |done, total| {
                *tell.lock().expect("no panic") = (done, total);
                ControlFlow::Continue(())
            };
            let r = role.workspace().backup(text(c, "to"), key_if_any(c, "backup_"), progress).await?;
            let (done, total) = *told.lock().expect("no panic");
            json!({ "entries": r.entries, "bytes": r.bytes, "copied": r.copied, "key": r.key.name(), "done": done, "total": total })
        }
        "verify_backup" => {
            let key = key_if_any(c, "backup_");
            let i = Workspace::verify_backup(text(c, "from"), key, |_, _| ControlFlow::Continue(())).await?;
            json!({ "workspace": i.workspace.to_string(), "entries": i.entries, "bytes": i.bytes, "key": i.key.name(), "problems": i.problems })
        }
        "restore" => {
            let backup = key_if_any(c, "backup_").expect("scenarios give the key of a backup");
            let go_on = |_, _| ControlFlow::Continue(());
            json!(role.workspace = Some(Workspace::restore_in(text(c, "from"), environment(c), backup, Some(key(c)), go_on).await?))
        }
        "recover" => {
            let from = match c["folder"].as_str() {
                Some(folder) => RecoverFrom::Folder(folder.into()),
                None => RecoverFrom::Relay { url: text(c, "relay").into(), workspace: text(c, "workspace").parse().expect("an id") },
            };
            json!(role.workspace = Some(Workspace::recover_in(environment(c), key(c), text(c, "words"), from).await?))
        }
        "restored" => json!(role.workspace().restored()),
        "confirm_only_copy" => json!(role.workspace().confirm_only_copy().await?),
        "sync" => report(role.workspace().sync(text(c, "relay")).await?),
        "sync_with" => report(role.workspace().sync_with(&other.expect("scenarios name a role")).await?),
        "connect" => json!(role.link = Some(role.workspace().connect(text(c, "relay"))?)),
        "wait_live" => json!(role.link().wait_live(Duration::from_millis(number(c, "timeout_ms") as u64)).await?),
        "link_state" => {
            let p = role.link().progress();
            json!({ "state": state_name(role.link().state()), "pending": role.link().pending(),
                "last_error": role.link().last_error().map(|error| error.kind().code()),
                "progress": { "received": p.received, "received_total": p.received_total, "sent": p.sent,
                    "sent_total": p.sent_total, "bytes_received": p.bytes_received, "bytes_sent": p.bytes_sent } })
        }
        "stop" => match &role.link {
            Some(link) => json!(link.stop().await),
            None => Json::Null,
        },
        "names" => json!([role.database(c).name(), role.collection::<Value>(c)?.name()]),
        "collections" => role.database(c).collections()?.into_iter().map(|(name, _)| name).collect(),
        "transaction" => role.transaction(c).await?,
        "put" if c["key"].is_null() => json!(role.collection(c)?.put_value(&value(&c["value"])?).await?),
        "put" => json!(role.collection(c)?.put(id, &value(&c["value"])?).await?),
        "put_many" => {
            let given = c["items"].as_array().into_iter().flatten();
            let new: Vec<_> = given.map(|item| Ok((item["key"].as_str().map(str::to_owned), value(&item["value"])?))).collect::<Result<_>>()?;
            let summary = role.collection::<Value>(c)?.put_many(new).await?;
            json!({ "items": summary.items, "entries": summary.entries, "done": summary.items, "total": summary.items })
        }
        "insert" => item(c, &role.collection(c)?.insert_item(value(&c["value"])?).await?),
        "get" => plain(role.collection(c)?.get(id)?.as_ref()),
        "get_raw" => plain(role.collection(&json!({ "in": c["in"], "key_field": "id" }))?.get(id)?.as_ref()),
        "put_record" => {
            let mut record = c["record"].clone();
            record["big"] = text(&record, "big").parse::<i64>().expect("a number").into();
            record["data"] = json!({ "$bytes": record["data"] });
            if record["done"].is_null() { record["done"] = false.into(); }
            let record: Record = tidelog::from_value(value(&record)?)?;
            json!(role.records(c)?.put_value(&record).await?)
        }
        "get_record" => match role.records(c)?.get(id)? {
            None => Json::Null,
            Some(record) => {
                let mut texts = plain(Some(&tidelog::to_value(&record)?));
                texts["big"] = record.big.to_string().into();
                texts["data"] = texts["data"]["$bytes"].take();
                texts
            }
        },
        "patch" => json!(role.collection::<Value>(c)?.patch(id, &value(&c["value"])?).await?),
        "update" => {
            let add = c["add"].as_i64();
            let change = |now: Option<i64>| add.map(|add| now.unwrap_or(0) + add);
            json!(role.collection::<i64>(c)?.update(id, change).await?)
        }
        "delete" => json!(role.collection::<Value>(c)?.delete(id).await?),
        "first" => role.collection(c)?.first(&query(c)?)?.map_or(Json::Null, |found| item(c, &found)),
        "all" => items(c, &role.collection(c)?.all()?),
        "query" => {
            let page = role.collection(c)?.page(&query(c)?)?;
            json!({ "items": items(c, &page.items), "cursor": page.cursor })
        }
        "count" => json!(role.collection::<Value>(c)?.count(&query(c)?)?),
        "history" => versions(&role.collection::<Value>(c)?.history(id)?),
        "doc_get" => plain(role.document(c)?.get(text(c, "at"))?.as_ref()),
        "doc_text" => json!(role.document(c)?.text(text(c, "at"))?),
        "doc_edit" => {
            let edits = c["edits"].as_array().into_iter().flatten();
            json!(role.document(c)?.change(|document| edits.into_iter().try_for_each(|e| edit(document, e))).await?)
        }
        "doc_heads" => json!(role.document(c)?.heads()?),
        "doc_history" => versions(&role.document(c)?.history()?),
        "entry_ids" => log().entry_ids()?.iter().map(ToString::to_string).collect(),
        "missing" => log().missing(&texts(c, "ids"))?.iter().map(ToString::to_string).collect(),
        "entries" => {
            let ids: Vec<EntryId> = texts(c, "ids");
            let held = log().entries(&ids)?;
            let lacks = ids.iter().zip(&held).filter(|(_, held)| held.is_none()).map(|(id, _)| id.to_string());
            let bytes = held.iter().flatten().map(|entry| plain(Some(&Value::Bytes(entry.clone()))));
            json!({ "missing": lacks.collect::<Vec<_>>(), "entries": bytes.collect::<Vec<_>>() })
        }
        "append" => json!(log().append(value(&c["entry"])?.as_bytes().expect("bytes"))?),
        "changes_since" => {
            let changes = log().changes_since(c["cursor"].as_str(), c["limit"].as_u64().map_or(usize::MAX, |l| l as usize))?;
            let items = changes.items.iter().map(|change| json!({
                "kind": change.kind.name(), "collection": change.collection, "owner": change.owner.map(|owner| owner.to_string()),
                "key": change.key, "entry": change.entry.to_string(), "author": change.author.to_string(), "arrival": change.arrival,
            }));
            json!({ "items": items.collect::<Vec<_>>(), "cursor": changes.cursor })
        }
        "pull_from" => json!({ "received": log().pull_from(&other_log())?, "sent": 0 }),
        "push_to" => json!({ "received": 0, "sent": log().push_to(&other_log())? }),
        "log_sync_with" => {
            let (received, sent) = log().sync_with(&other_log())?;
            json!({ "received": received, "sent": sent })
        }
        "pull_from_relay" => transfer(role.workspace().exchange(&log(), text(c, "relay"), Direction::Pull).await?),
        "push_to_relay" => transfer(role.workspace().exchange(&log(), text(c, "relay"), Direction::Push).await?),
        "log_sync_with_relay" => transfer(role.workspace().exchange(&log(), text(c, "relay"), Direction::Both).await?),
        "watch_workspace" => {
            let pattern = c["pattern"].as_str().unwrap_or("**").to_owned();
            let options = WatchOptions { pattern, initial: c["initial"] == true };
            role.hear(c, Stream::Watch(role.workspace().watch(&options)?))
        }
        "watch_database" => role.hear(c, Stream::Watch(role.database(c).watch()?)),
        "watch" => role.hear(c, Stream::Watch(role.collection::<Value>(c)?.watch(c["key"].as_str(), c["initial"] == true)?)),
        "doc_watch" => role.hear(c, Stream::Watch(role.document(c)?.watch())),
        "live" => role.hear(c, Stream::Live(role.collection(c)?.live(&query(c)?)?, c.clone(), false)),
        "link_events" => role.hear(c, Stream::Link(role.link().events())),
        "next" => role.next(c).await?,
        "end" => role.hear(c, Stream::Ended),
        other => panic!("unknown word {other}"),
    })
}

#[tokio::main]
async fn main() {
    let mut roles: HashMap<String, Role> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let c: Json = serde_json::from_str(&line.expect("reads")).expect("JSON");
        let played = match text(&c, "op") {
            "reset" => {
                for role in std::mem::take(&mut roles).into_values() {
                    if let Some(workspace) = &role.workspace {
                        workspace.shutdown().await.expect("shuts down");
                    }
                }
                Ok(Json::Null)
            }
            "advance" => {
                AHEAD_MS.fetch_add(number(&c, "ms") as u64, Ordering::SeqCst);
                Ok(Json::Null)
            }
            _ => {
                let other = roles.get(text(&c, "other")).and_then(|role| role.workspace.clone());
                play(roles.entry(text(&c, "by").into()).or_default(), other, &c).await
            }
        };
        let answer = match played {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error.kind().code(), "reason": error.to_string() }),
        };
        println!("{answer}");
    }
}
