//! `import`: the records of a file into a collection. Doing it again writes only what is missing or
//! changed, so an interrupted import is resumed by repeating it.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tidelog::Workspace;

use crate::args::{Format, Import};
use crate::data::from_json;
use crate::output::Output;
use crate::passphrase::Source;
use crate::target::Target;
use crate::{Failure, Outcome, Result};

/// Records handed to the engine at once.
const BATCH: usize = 1_000;
/// Reasons for skipped records that are spelt out.
const SKIPS_NAMED: usize = 10;

/// A record, or why there is none, with its position in the file, from 1.
type Record = (u64, std::result::Result<Map<String, Value>, String>);

pub(crate) async fn run(command: &Import, source: &Source, output: &Output) -> Result {
    let target = Target::parse(&command.target)?;
    let records = read(command)?;
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let options = tidelog::CollectionOptions::default().key_field(None);
    let collection =
        workspace.database(target.database).collection_with::<tidelog::Value>(target.collection, options);
    let bar = output.progress(records.len() as u64, "importing");
    let mut counts = Counts::default();
    let mut seen = HashSet::new();
    let mut interrupted = false;
    for batch in records.chunks(BATCH) {
        let mut items = Vec::new();
        for (position, record) in batch {
            match prepare(record, &command.key) {
                Err(reason) => counts.skip(*position, &reason, output),
                Ok((key, value)) => {
                    let same = collection.get(&key)?.as_ref() == Some(&value);
                    if counts.take(seen.insert(key.clone()), same) {
                        items.push((Some(key), value));
                    }
                }
            }
        }
        tokio::select! {
            biased;
            result = collection.put_many(items) => { result?; }
            _ = tokio::signal::ctrl_c() => {
                interrupted = true;
                break;
            }
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    workspace.shutdown().await?;
    if interrupted {
        let text = "interrupted: what was written stays; repeat the command to go on";
        return Err(Failure { code: "cancelled", text: text.into() });
    }
    let Counts { written, unchanged, repeated, skipped } = counts;
    let result =
        json!({ "written": written, "unchanged": unchanged, "repeated": repeated, "skipped": skipped });
    output.result(&result, || counts.text());
    Ok(Outcome::Done)
}

#[derive(Clone, Copy, Default)]
struct Counts {
    /// Items written.
    written: u64,
    unchanged: u64,
    /// Records that took the place of an earlier one of the same file.
    repeated: u64,
    skipped: u64,
}

impl Counts {
    /// Counts a record by whether its key is the first of its kind and its value the one that is there;
    /// returns whether it is to be written.
    fn take(&mut self, first: bool, same: bool) -> bool {
        match (first, same) {
            (_, true) => self.unchanged += 1,
            (true, false) => self.written += 1,
            (false, false) => self.repeated += 1,
        }
        !same
    }

    fn text(&self) -> String {
        let repeated = match self.repeated {
            0 => String::new(),
            count => format!("{count} with a key that came before (the last one counts), "),
        };
        format!(
            "{} written, {} already there, {repeated}{} skipped",
            self.written, self.unchanged, self.skipped
        )
    }

    fn skip(&mut self, position: u64, reason: &str, output: &Output) {
        self.skipped += 1;
        if self.skipped <= SKIPS_NAMED as u64 {
            output.warning(&format!("record {position} skipped: {reason}"));
        } else if self.skipped == SKIPS_NAMED as u64 + 1 {
            output.warning("more records are skipped; only their number is given");
        }
    }
}

/// The key and value of a record.
fn prepare(
    record: &std::result::Result<Map<String, Value>, String>,
    field: &str,
) -> std::result::Result<(String, tidelog::Value), String> {
    let record = record.as_ref().map_err(Clone::clone)?;
    let key = match record.get(field) {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        None | Some(Value::Null) => content_key(record),
        Some(_) => return Err(format!("its `{field}` is neither text nor a number")),
    };
    let value = from_json(&Value::Object(record.clone())).map_err(|failure| failure.text)?;
    Ok((key, value))
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
    match command.format.unwrap_or_else(|| guess(&command.file, &text)) {
        Format::Json => json_array(&text).map_err(|reason| Failure::usage(format!("{name}: {reason}"))),
        Format::Jsonl => Ok(json_lines(&text)),
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

fn json_array(text: &[u8]) -> std::result::Result<Vec<Record>, String> {
    let array: Vec<Value> = serde_json::from_slice(text).map_err(|error| {
        format!("not a JSON array of objects ({error}); for one object a line give --format jsonl")
    })?;
    Ok((1..).zip(array.into_iter().map(object)).collect())
}

fn json_lines(text: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    for (position, line) in (1..).zip(BufReader::new(text).split(b'\n').map_while(std::io::Result::ok)) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let value = serde_json::from_slice(&line).map_err(|error| format!("not JSON: {error}"));
        records.push((position, value.and_then(object)));
    }
    records
}

fn csv_rows(text: &[u8]) -> std::result::Result<Vec<Record>, String> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let rows = reader.records().map(|row| {
        let row = row.map_err(|error| error.to_string())?;
        Ok(header.iter().zip(row.iter()).map(|(name, cell)| (name.to_owned(), cell.into())).collect())
    });
    Ok((1..).zip(rows).collect())
}

fn object(value: Value) -> std::result::Result<Map<String, Value>, String> {
    match value {
        Value::Object(object) => Ok(object),
        _ => Err("not an object".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_takes_the_place_of_an_earlier_one_is_not_counted_as_written() {
        let mut counts = Counts::default();
        assert!(counts.take(true, false) && counts.take(false, false) && !counts.take(false, true));
        let text = counts.text();
        let expected =
            "1 written, 1 already there, 1 with a key that came before (the last one counts), 0 skipped";
        assert_eq!(text, expected);
        assert_eq!(Counts::default().text(), "0 written, 0 already there, 0 skipped");
    }

    #[test]
    fn formats_are_guessed_by_name_then_by_content() {
        assert_eq!(guess(Path::new("a.csv"), b"["), Format::Csv);
        assert_eq!(guess(Path::new("a.json"), b" {"), Format::Jsonl);
        assert_eq!(guess(Path::new("a.json"), b" ["), Format::Json);
        assert_eq!(guess(Path::new("-"), b"a,b\n"), Format::Csv);
    }

    #[test]
    fn bad_records_are_named_and_the_others_stay() {
        let records = json_lines(b"{\"id\":1}\n\nnonsense\n[1]\n{\"id\":2}");
        let good: Vec<u64> =
            records.iter().filter(|(_, record)| record.is_ok()).map(|(position, _)| *position).collect();
        assert_eq!(good, [1, 5]);
        assert_eq!(records.len(), 4);
        assert!(json_array(b"[1").is_err());
        assert_eq!(
            csv_rows(b"a,b\n1,2\n3\n4,5").expect("reads").iter().filter(|row| row.1.is_err()).count(),
            1
        );
    }

    #[test]
    fn keys_come_from_the_field_or_from_the_content() {
        let record = |text: &str| Ok(serde_json::from_str(text).expect("JSON"));
        assert_eq!(prepare(&record("{\"id\":\"a\"}"), "id").expect("a key").0, "a");
        assert_eq!(prepare(&record("{\"id\":7}"), "id").expect("a key").0, "7");
        assert!(prepare(&record("{\"id\":[]}"), "id").is_err());
        let made = prepare(&record("{\"x\":1}"), "id").expect("a key").0;
        assert_eq!(made, prepare(&record("{\"x\":1}"), "id").expect("a key").0);
        assert_ne!(made, prepare(&record("{\"x\":2}"), "id").expect("a key").0);
    }
}
