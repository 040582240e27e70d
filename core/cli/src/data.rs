//! Commands on items: `put, get, delete, query, export, history, watch, log`.

use std::pin::pin;

use serde_json::{Value, json};
use tidelog::{Collection, Notice, Query, WatchOptions, Workspace};

use crate::args;
use crate::circles::find;
use crate::output::Output;
use crate::passphrase::Source;
use crate::target::{Target, filter};
use crate::{Failure, Outcome, Result};

/// Items fetched at once while exporting.
const PAGE: usize = 1_000;

pub(crate) async fn put(command: &args::Put, source: &Source, output: &Output) -> Result {
    let item = &command.item;
    let target = Target::of(&item.place)?;
    let text = if command.value == "-" {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| Failure::io("cannot read standard input", &error))?
    } else {
        command.value.clone()
    };
    serde_json::from_str::<Value>(&text).map_err(|error| {
        Failure::usage(format!("the value is not JSON: {error}; text needs quotes, like '\"hello\"'"))
    })?;
    let value = tidelog::Value::from_json(&text)?;
    let workspace = Workspace::open(&item.place.path, source.key()?).await?;
    open(&workspace, &target)?.put(&item.key, &value).await?;
    workspace.shutdown().await?;
    output.done(&json!({ "written": item.key }), "written");
    Ok(Outcome::Done)
}

pub(crate) async fn get(command: &args::Item, source: &Source, output: &Output) -> Result {
    let target = Target::of(&command.place)?;
    let workspace = Workspace::open(&command.place.path, source.key()?).await?;
    let value = open(&workspace, &target)?.get(&command.key)?;
    workspace.shutdown().await?;
    match value {
        Some(value) => {
            output.value(&to_json(&value));
            Ok(Outcome::Done)
        }
        None => Ok(not_there(&command.key, output)),
    }
}

pub(crate) async fn delete(command: &args::Item, source: &Source, output: &Output) -> Result {
    let target = Target::of(&command.place)?;
    let workspace = Workspace::open(&command.place.path, source.key()?).await?;
    let was_there = open(&workspace, &target)?.delete(&command.key).await?;
    workspace.shutdown().await?;
    if was_there {
        output.done(&json!({ "deleted": command.key }), "deleted");
        Ok(Outcome::Done)
    } else {
        Ok(not_there(&command.key, output))
    }
}

pub(crate) async fn query(command: &args::Query, source: &Source, output: &Output) -> Result {
    let target = Target::of(&command.place)?;
    let condition = command.condition.as_deref().map(filter).transpose()?;
    let workspace = Workspace::open(&command.place.path, source.key()?).await?;
    let collection = open(&workspace, &target)?;
    let mut query = Query::new().sort(command.sort.iter().cloned());
    if let Some(condition) = &condition {
        query = query.filter(condition)?;
    }
    query.limit = command.limit;
    query.offset = command.offset;
    if command.count {
        let count = collection.count(&query)?;
        output.result(&json!(count), || count.to_string());
    } else {
        for item in collection.query(&query)? {
            print_item(&item.key, &item.value, output);
        }
    }
    workspace.shutdown().await?;
    Ok(Outcome::Done)
}

pub(crate) async fn export(command: &args::Export, source: &Source, output: &Output) -> Result {
    let target = Target::of(&command.place)?;
    let workspace = Workspace::open(&command.place.path, source.key()?).await?;
    let collection = open(&workspace, &target)?;
    let mut query = Query::new();
    query.limit = Some(PAGE);
    loop {
        let page = collection.page(&query)?;
        for item in page.items {
            let line = json!({ "key": item.key, "value": to_json(&item.value) });
            output.result(&line, || line.to_string());
        }
        match page.cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => break,
        }
    }
    workspace.shutdown().await?;
    Ok(Outcome::Done)
}

pub(crate) async fn history(command: &args::Item, source: &Source, output: &Output) -> Result {
    let target = Target::of(&command.place)?;
    let workspace = Workspace::open(&command.place.path, source.key()?).await?;
    let versions = open(&workspace, &target)?.history(&command.key)?;
    let members = workspace.members()?;
    let rows: Vec<Vec<Value>> = versions
        .iter()
        .map(|version| {
            let member = members.iter().find(|member| Some(member.user) == version.user);
            let name = member.and_then(|member| member.profile.clone());
            vec![
                json!(time(version.hlc_ms)),
                json!(name.unwrap_or_else(|| output.id(&version.author))),
                json!(version.kind.name()),
                version.value.as_ref().map_or(Value::Null, to_json),
                json!(version.entry.to_string()),
            ]
        })
        .collect();
    workspace.shutdown().await?;
    if rows.is_empty() {
        return Ok(not_there(&command.key, output));
    }
    output.table(&["time", "by", "did", "value", "entry"], &rows);
    Ok(Outcome::Done)
}

pub(crate) async fn watch(command: &args::Watch, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let circle = command.circle.as_deref().map(|circle| find(&workspace, circle)).transpose()?;
    let options = WatchOptions { pattern: command.pattern.clone(), initial: command.initial };
    let mut watch = workspace.watch(&options)?;
    let urls = match &command.live {
        None => Vec::new(),
        Some(url) => crate::share::relays(&workspace, url.as_deref())?,
    };
    let links = urls.iter().map(|url| workspace.connect(url)).collect::<tidelog::Result<Vec<_>>>()?;
    output.note("watching; Ctrl-C ends it");
    // One for all changes, and looked at first: a signal that comes while one is printed is not lost.
    let mut stop = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => break,
            notice = watch.next() => match notice {
                None => break,
                Some(Notice::Lagged(lost)) => output.warning(&format!("{lost} changes were too fast to print")),
                Some(Notice::Event(event)) if circle.is_none() || event.circle == circle => {
                    let database = event.database.clone().unwrap_or_default();
                    let line = json!({
                        "database": database,
                        "circle": event.circle.map(|circle| circle.to_string()),
                        "collection": event.collection,
                        "key": event.key,
                        "did": event.kind.name(),
                        "value": event.new.as_ref().map(to_json),
                        "time": time(event.hlc_ms),
                        "local": event.local,
                    });
                    output.result(&line, || {
                        let value = event.new.as_ref().map(|value| to_json(value).to_string());
                        let circle = event.circle.map(|circle| format!(" in {circle}")).unwrap_or_default();
                        let target = format!("{database}/{}{circle}", event.collection);
                        format!("{} {target} {} {}", event.kind.name(), event.key, value.unwrap_or_default())
                    });
                }
                Some(Notice::Event(_)) => {}
            },
        }
    }
    for link in &links {
        link.stop().await;
    }
    workspace.shutdown().await?;
    Ok(Outcome::Done)
}

pub(crate) async fn log(command: &args::Log, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let entries = workspace.recent_entries(command.limit)?;
    let rows: Vec<Vec<Value>> = entries
        .iter()
        .map(|entry| {
            vec![
                json!(entry.arrival),
                json!(entry.kind),
                json!(entry.database),
                json!(entry.circle.map(|circle| circle.to_string())),
                json!(output.id(&entry.author)),
                json!(entry.seq),
                json!(entry.bytes),
                json!(entry.id.to_string()),
            ]
        })
        .collect();
    workspace.shutdown().await?;
    output.table(&["arrival", "kind", "database", "circle", "author", "seq", "bytes", "id"], &rows);
    Ok(Outcome::Done)
}

/// The collection as it was made, whatever its policy.
pub(crate) fn open(workspace: &Workspace, target: &Target<'_>) -> Result<Collection<tidelog::Value>> {
    let database = match target.circle {
        None => workspace.database(target.database),
        Some(circle) => workspace.database_in(target.database, find(workspace, circle)?),
    };
    let known = database.collections()?.into_iter().find(|(name, _)| name == target.collection);
    let mut options = tidelog::CollectionOptions::default().key_field(None);
    if let Some((_, policy)) = known {
        options = options.policy(policy);
    }
    Ok(database.collection_with(target.collection, options))
}

fn print_item(key: &str, value: &tidelog::Value, output: &Output) {
    let value = to_json(value);
    output.result(&json!({ "key": key, "value": value }), || format!("{key}\t{value}"));
}

fn not_there(key: &str, output: &Output) -> Outcome {
    let text = format!("there is no item `{key}`");
    if output.is_json() {
        output.failure(&Failure { code: "not_found", text });
    } else {
        output.note(&text);
    }
    Outcome::NotThere
}

/// A value of the engine as JSON; bytes are in base64.
pub(crate) fn to_json(value: &tidelog::Value) -> Value {
    let text = value.to_json().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A time in milliseconds since 1970 as RFC 3339 in UTC.
pub(crate) fn time(ms: u64) -> String {
    let days = ms / 86_400_000;
    let (hours, minutes) = (ms / 3_600_000 % 24, ms / 60_000 % 60);
    let (seconds, millis) = (ms / 1_000 % 60, ms % 1_000);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar. Counts in eras of 400
/// years that start in March, so that the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / DAYS_PER_ERA, shifted % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_rfc_3339() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(time(1_798_761_600_000), "2027-01-01T00:00:00.000Z");
    }
}
