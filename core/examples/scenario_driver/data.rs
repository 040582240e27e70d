//! Words about items, documents and transactions.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};
use tidelog::{Collection, CollectionOptions, Database, Edit, Result, Value, Workspace};

use crate::words::{given, item, items, measured, ok, tell, text};
use crate::{Role, log, streams};

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
    #[serde(default)]
    done: bool,
}

pub(crate) fn database(workspace: &Workspace, c: &Json) -> Database {
    match c["circle"].as_str() {
        None => workspace.database(text(c, "database")),
        Some(circle) => workspace.database_in(text(c, "database"), circle.parse().expect("an id")),
    }
}
fn options(c: &Json) -> Result<CollectionOptions> {
    Ok(CollectionOptions::default().policy(given(&c["policy"])?).key_field(c["key_field"].as_str()))
}
fn collection<T: Serialize + DeserializeOwned>(d: &Database, c: &Json) -> Result<Collection<T>> {
    let found = d.collection_with(text(c, "in"), options(c)?);
    match c["of"].as_str() {
        None => Ok(found),
        Some("me") => found.own(),
        Some(_) => Ok(found.of(given(&c["of"])?)),
    }
}

pub(crate) async fn play(role: &mut Role, other: Option<&Workspace>, c: &Json) -> Result<Json> {
    let d = database(role.workspace(), c);
    let (key, value) = (text(c, "key"), given::<Value>(&c["value"]));
    match text(c, "op") {
        "names" => ok([d.name(), collection::<Value>(&d, c)?.name()]),
        "collections" => ok(d.collections()?.into_iter().map(|(name, _)| name).collect::<Vec<_>>()),
        "transaction" => transaction(&d, c).await,
        "put" if c["key"].is_null() => ok(collection(&d, c)?.put_value(&value?).await?),
        "put" => ok(collection(&d, c)?.put(key, &value?).await?),
        "put_many" => put_many(&collection(&d, c)?, c).await,
        "insert" => item(c, &collection(&d, c)?.insert_item(value?).await?),
        "get" => ok(collection::<Value>(&d, c)?.get(key)?),
        "get_raw" => ok(d.collection::<Record>(text(c, "in")).get_raw(key)?),
        "put_record" => {
            let mut record = c["record"].clone();
            record["big"] = text(&record, "big").parse::<i64>().expect("a number").into();
            ok(d.collection::<Record>(text(c, "in")).put_value(&given(&record)?).await?)
        }
        "get_record" => ok(d.collection::<Record>(text(c, "in")).get(key)?),
        "patch" => ok(collection::<Value>(&d, c)?.patch(key, &value?).await?),
        "update" => {
            let add: Option<i64> = given(&c["add"])?;
            let change = |now: Option<i64>| add.map(|add| now.unwrap_or(0) + add);
            ok(collection(&d, c)?.update(key, change).await?)
        }
        "delete" => ok(collection::<Value>(&d, c)?.delete(key).await?),
        "first" => collection(&d, c)?.first(&given(c)?)?.map_or_else(|| ok(()), |found| item(c, &found)),
        "all" => items(c, &collection(&d, c)?.all()?),
        "query" => {
            let page = collection(&d, c)?.page(&given(c)?)?;
            ok(json!({ "items": items(c, &page.items)?, "cursor": page.cursor }))
        }
        "count" => ok(collection::<Value>(&d, c)?.count(&given(c)?)?),
        "history" => ok(collection::<Value>(&d, c)?.history(key)?),
        "watch_workspace" => role.hear(c, streams::watch(role.workspace().watch(&given(c)?)?)),
        "watch_database" => role.hear(c, streams::watch(d.watch()?)),
        "watch" => {
            let watch = collection::<Value>(&d, c)?.watch(c["key"].as_str(), c["initial"] == true)?;
            role.hear(c, streams::watch(watch))
        }
        "live" => role.hear(c, streams::live(c, collection(&d, c)?.live(&given(c)?)?)),
        word if word.starts_with("doc_") => document(role, &d, c).await,
        _ => log::play(role.workspace(), other, c).await,
    }
}

async fn document(role: &mut Role, d: &Database, c: &Json) -> Result<Json> {
    let document = collection::<Value>(d, c)?.document(text(c, "key"))?;
    match text(c, "op") {
        "doc_get" => ok(document.get(text(c, "at"))?),
        "doc_text" => ok(document.text(text(c, "at"))?),
        "doc_edit" => {
            let mut edits = c["edits"].as_array().into_iter().flatten();
            ok(document.change(|document| edits.try_for_each(|e| edit(document, e))).await?)
        }
        "doc_heads" => ok(document.heads()?),
        "doc_history" => ok(document.history()?),
        _ => role.hear(c, streams::watch(document.watch())),
    }
}

fn edit(document: &mut Edit<'_>, e: &Json) -> Result<()> {
    let (at, position) = (text(e, "at"), given::<Option<_>>(&e["position"])?.unwrap_or(0));
    match text(e, "kind") {
        "set" => document.set(at, &given(&e["value"])?),
        "delete" => document.delete(at).map(drop),
        "insert" => document.insert(at, position, &given(&e["value"])?),
        "splice_text" => document.splice_text(at, position, given(&e["delete"])?, text(e, "text")),
        _ => document.increment(at, given(&e["by"])?),
    }
}

async fn put_many(collection: &Collection<Value>, c: &Json) -> Result<Json> {
    let new = c["items"].as_array().into_iter().flatten();
    let new = new.map(|item| Ok((given(&item["key"])?, given(&item["value"])?)));
    let summary = collection.put_many(new.collect::<Result<Vec<_>>>()?).await?;
    // In Rust it tells no progress: the call is over when all is done.
    let _ = tell(summary.items as u64, summary.items as u64);
    measured(summary)
}

async fn transaction(database: &Database, c: &Json) -> Result<Json> {
    let (mut transaction, mut answers) = (database.transaction(), Vec::new());
    for w in c["writes"].as_array().into_iter().flatten() {
        let mut inner = transaction.collection_with::<Value>(text(w, "in"), options(w)?);
        let (key, value) = (text(w, "key"), given(&w["value"])?);
        answers.push(match text(w, "op") {
            "put" if w["key"].is_null() => ok(inner.put_value(&value)?)?,
            "put" => ok(inner.put(key, &value)?)?,
            "insert" => item(w, &inner.insert_item(value)?)?,
            "patch" => ok(inner.patch(key, &value)?)?,
            "delete" => ok(inner.delete(key)?)?,
            _ => ok(inner.get(key)?)?,
        });
    }
    let committed = c["roll_back"] != true && transaction.commit().await?.is_some();
    ok(json!({ "answers": answers, "committed": committed }))
}
