//! `import`: the records of a file into a collection. Doing it again writes only what is missing or
//! changed, so an interrupted import is resumed by repeating it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::pin::{Pin, pin};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tidelog::{Collection, ErrorKind, Workspace};

use crate::args::{Format, Import};
use crate::data::open;
use crate::output::Output;
use crate::passphrase::Source;
use crate::target::Target;
use crate::{Failure, Outcome, Result};

/// Records handed to the engine at once, and their bytes as JSON: what an interrupted import still
/// finishes.
const BATCH: usize = 1_000;
const BATCH_BYTES: usize = 512 * 1024;
/// How files begin that gzip compressed.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Reasons for skipped records that are spelt out.
const SKIPS_NAMED: usize = 10;
/// Field with the key, if nothing else is said.
const KEY: &str = "id";

/// A record with its position in the file, from 1.
struct Record {
    position: u64,
    content: std::result::Result<Content, String>,
}

#[derive(Debug)]
enum Content {
    /// The key is in it, or made from it.
    Object(Map<String, Value>),
    /// An item with its key, as exported.
    Item(String, Value),
}

/// A record that can be written.
struct Item {
    position: u64,
    key: String,
    value: tidelog::Value,
}

pub(crate) async fn run(command: &Import, source: &Source, output: &Output) -> Result {
    let target = Target::of(&command.place)?;
    let records = read(command)?;
    let key = source.key()?;
    // One for the whole import, looked at before it begins: from here on no signal is lost, or ends
    // the program by itself.
    let mut stop = pin!(tokio::signal::ctrl_c());
    let mut interrupted = is_over(stop.as_mut()).await;
    let workspace = Workspace::open(&command.place.path, key).await?;
    let collection = open(&workspace, &target)?;
    let bar = output.progress(records.len() as u64, "importing");
    let field = command.key.as_deref().unwrap_or(KEY);
    let mut counts = Counts::default();
    let mut positions: HashMap<String, u64> = HashMap::new();
    let mut records = records.iter();
    while !interrupted && records.len() > 0 {
        let (mut items, mut bytes, before) = (Vec::new(), 0, records.len());
        while items.len() < BATCH && bytes < BATCH_BYTES {
            let Some(record) = records.next() else { break };
            match prepare(record, field, &mut positions) {
                Err(reason) => counts.skip(record.position, &reason, output),
                Ok((item, size)) => match collection.get(&item.key) {
                    Ok(held) if held.as_ref() == Some(&item.value) => counts.unchanged += 1,
                    Ok(_) => {
                        bytes += size;
                        items.push(item);
                    }
                    // The key is empty or too long.
                    Err(error) if error.kind() == ErrorKind::InvalidArgument => {
                        counts.skip(item.position, &error.to_string(), output);
                    }
                    Err(error) => return Err(error.into()),
                },
            }
        }
        interrupted = write(&collection, &items, &mut counts, stop.as_mut(), output).await?;
        bar.inc((before - records.len()) as u64);
    }
    bar.finish_and_clear();
    workspace.shutdown().await?;
    let Counts { written, unchanged, skipped } = counts;
    if interrupted && records.len() > 0 {
        let text = format!(
            "interrupted: {written} written, {unchanged} already there, {skipped} skipped; \
             repeat the command to go on with the other {}",
            records.len()
        );
        return Err(Failure { code: "cancelled", text });
    }
    if skipped > 0 && written + unchanged == 0 {
        return Err(Failure::usage(format!("none of the {skipped} records could be imported")));
    }
    output.result(&json!({ "written": written, "unchanged": unchanged, "skipped": skipped }), || {
        format!("{written} written, {unchanged} already there, {skipped} skipped")
    });
    Ok(Outcome::Done)
}

/// Writes these items, without those that do not fit into an entry. Returns whether it was told to
/// stop; what is counted as written then is written.
async fn write(
    collection: &Collection<tidelog::Value>,
    items: &[Item],
    counts: &mut Counts,
    mut stop: Pin<&mut impl Future>,
    output: &Output,
) -> Result<bool> {
    let mut parts = vec![items];
    while let Some(part) = parts.pop() {
        let all = part.iter().map(|item| (Some(item.key.clone()), item.value.clone()));
        match collection.put_many(all).await {
            Ok(_) => counts.written += part.len() as u64,
            // One of them is too large: the halves with it get smaller until it is alone. What was
            // written before it came up is written again.
            Err(error) if error.kind() == ErrorKind::TooLarge => match part {
                [item] => counts.skip(item.position, &error.to_string(), output),
                _ => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            },
            Err(error) => return Err(error.into()),
        }
        if is_over(stop.as_mut()).await {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a future is over by now. It must not be asked again after that.
async fn is_over(future: Pin<&mut impl Future>) -> bool {
    tokio::select! {
        biased;
        _ = future => true,
        () = std::future::ready(()) => false,
    }
}

#[derive(Default)]
struct Counts {
    written: u64,
    unchanged: u64,
    skipped: u64,
}

impl Counts {
    fn skip(&mut self, position: u64, reason: &str, output: &Output) {
        self.skipped += 1;
        if self.skipped <= SKIPS_NAMED as u64 {
            output.warning(&format!("record {position} skipped: {reason}"));
        } else if self.skipped == SKIPS_NAMED as u64 + 1 {
            output.warning("more records are skipped; only their number is given");
        }
    }
}

/// The item of a record, and the length of its value as JSON.
fn prepare(
    record: &Record,
    field: &str,
    positions: &mut HashMap<String, u64>,
) -> std::result::Result<(Item, usize), String> {
    let content = record.content.as_ref().map_err(Clone::clone)?;
    let (key, text) = match content {
        Content::Item(key, value) => (key.clone(), value.to_string()),
        Content::Object(object) => (key_of(object, field)?, Value::Object(object.clone()).to_string()),
    };
    if let Some(first) = positions.get(&key) {
        return Err(format!("its key `{key}` is that of record {first}"));
    }
    let value = tidelog::Value::from_json(&text).map_err(|error| error.to_string())?;
    positions.insert(key.clone(), record.position);
    Ok((Item { position: record.position, key, value }, text.len()))
}

fn key_of(object: &Map<String, Value>, field: &str) -> std::result::Result<String, String> {
    match object.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        None | Some(Value::Null) => Ok(content_key(object)),
        Some(Value::String(_)) => Err(format!("its `{field}` is empty")),
        Some(_) => Err(format!("its `{field}` is neither text nor a number")),
    }
}

/// A key for a record without one, the same whenever the same record comes: its fields in order,
/// hashed.
fn content_key(record: &Map<String, Value>) -> String {
    let hash = Sha256::digest(Value::Object(record.clone()).to_string());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All records of the file.
fn read(command: &Import) -> Result<Vec<Record>> {
    let name = command.file.display().to_string();
    let mut text = Vec::new();
    let read = if command.file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut text)
    } else {
        File::open(&command.file).and_then(|mut file| file.read_to_end(&mut text))
    };
    read.map_err(|error| Failure::io(&format!("cannot read {name}"), &error))?;
    if text.starts_with(&GZIP) {
        return Err(Failure::usage(format!("{name} is compressed: unpack it first, or pipe it in with `-`")));
    }
    let format = command.format.unwrap_or_else(|| match guess(&command.file, &text) {
        Format::Jsonl if command.key.is_none() && is_export(&text) => Format::Export,
        format => format,
    });
    match format {
        Format::Json => json_array(&text).map_err(|reason| Failure::usage(format!("{name}: {reason}"))),
        Format::Jsonl => Ok(json_lines(&text, object)),
        Format::Export => Ok(json_lines(&text, exported)),
        Format::Csv => csv_rows(&text).map_err(|reason| Failure::usage(format!("{name}: {reason}"))),
    }
}

fn guess(path: &Path, text: &[u8]) -> Format {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match (extension.to_ascii_lowercase().as_str(), text.trim_ascii_start().first()) {
        ("csv", _) => Format::Csv,
        ("jsonl" | "ndjson", _) => Format::Jsonl,
        (_, Some(b'{')) => Format::Jsonl,
        ("json", _) | (_, Some(b'[')) => Format::Json,
        _ => Format::Csv,
    }
}

/// Whether the first line is one of an export.
fn is_export(text: &[u8]) -> bool {
    let line = text.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(line).is_ok_and(|value| exported(value).is_ok())
}

fn json_array(text: &[u8]) -> std::result::Result<Vec<Record>, String> {
    let array: Vec<Value> = serde_json::from_slice(text).map_err(|error| {
        format!("not a JSON array of objects ({error}); for one object a line give --format jsonl")
    })?;
    let records = (1..).zip(array);
    Ok(records.map(|(position, value)| Record { position, content: object(value) }).collect())
}

fn json_lines(text: &[u8], read: impl Fn(Value) -> std::result::Result<Content, String>) -> Vec<Record> {
    let lines = (1..).zip(text.split(|byte| *byte == b'\n'));
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(position, line)| {
            let value = serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"));
            Record { position, content: value.and_then(&read) }
        })
        .collect()
}

fn csv_rows(text: &[u8]) -> std::result::Result<Vec<Record>, String> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let rows = (1..).zip(reader.records()).map(|(position, row)| {
        let fields = |row: csv::StringRecord| {
            header.iter().zip(row.iter()).map(|(name, cell)| (name.to_owned(), cell.into())).collect()
        };
        let content = row.map(|row| Content::Object(fields(row))).map_err(|error| error.to_string());
        Record { position, content }
    });
    Ok(rows.collect())
}

fn object(value: Value) -> std::result::Result<Content, String> {
    match value {
        Value::Object(object) => Ok(Content::Object(object)),
        _ => Err("not an object".to_owned()),
    }
}

fn exported(mut value: Value) -> std::result::Result<Content, String> {
    match value.as_object_mut().map(|line| (line.len(), line.remove("key"), line.remove("value"))) {
        Some((2, Some(Value::String(key)), Some(value))) => Ok(Content::Item(key, value)),
        _ => Err("not a line of an export, {\"key\": .., \"value\": ..}".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_guessed_by_name_then_by_content() {
        assert_eq!(guess(Path::new("a.csv"), b"["), Format::Csv);
        assert_eq!(guess(Path::new("a.json"), b" {"), Format::Jsonl);
        assert_eq!(guess(Path::new("a.json"), b" ["), Format::Json);
        assert_eq!(guess(Path::new("-"), b"a,b\n"), Format::Csv);
    }

    #[test]
    fn bad_records_are_named_and_the_others_stay() {
        let records = json_lines(b"{\"id\":1}\n\nnonsense\n[1]\n{\"id\":2}", object);
        let good: Vec<u64> =
            records.iter().filter(|record| record.content.is_ok()).map(|record| record.position).collect();
        assert_eq!(good, [1, 5]);
        assert_eq!(records.len(), 4);
        assert!(json_array(b"[1").is_err());
        let rows = csv_rows(b"a,b\n1,2\n3\n4,5").expect("reads");
        assert_eq!(rows.iter().filter(|row| row.content.is_err()).count(), 1);
    }

    #[test]
    fn keys_come_from_the_field_or_from_the_content() {
        let key = |text: &str| {
            let object: Map<String, Value> = serde_json::from_str(text).expect("JSON");
            key_of(&object, "id")
        };
        assert_eq!(key("{\"id\":\"a\"}").as_deref(), Ok("a"));
        assert_eq!(key("{\"id\":7}").as_deref(), Ok("7"));
        assert!(key("{\"id\":[]}").is_err());
        assert!(key("{\"id\":\"\"}").is_err());
        assert_eq!(key("{\"x\":1}"), key("{\"x\":1}"));
        assert_ne!(key("{\"x\":1}"), key("{\"x\":2}"));
    }

    #[test]
    fn only_lines_with_key_and_value_and_nothing_else_are_an_export() {
        assert!(is_export(b"\n{\"key\":\"a\",\"value\":1}\n{}"));
        for other in ["", "{}", "{\"key\":1,\"value\":1}", "{\"key\":\"a\",\"value\":1,\"x\":2}", "[1]"] {
            assert!(!is_export(other.as_bytes()), "{other}");
        }
    }
}
