//! Printing: results to standard output, everything else to standard error.

use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::{Value, json};

use crate::Failure;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A result: as JSON, or the text given for people.
    pub(crate) fn result(&self, value: &Value, text: impl FnOnce() -> String) {
        let line = if self.json { value.to_string() } else { text() };
        write_out(&line);
    }

    /// A result that is JSON either way; indented for people.
    pub(crate) fn value(&self, value: &Value) {
        self.result(value, || format!("{value:#}"));
    }

    /// Rows: as one JSON object each, or as aligned columns under a heading.
    pub(crate) fn table(&self, heading: &[&str], rows: &[Vec<Value>]) {
        if self.json {
            for row in rows {
                let object: serde_json::Map<String, Value> =
                    heading.iter().map(|name| (*name).to_owned()).zip(row.iter().cloned()).collect();
                write_out(&Value::Object(object).to_string());
            }
            return;
        }
        let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
        let head: Vec<String> = heading.iter().map(ToString::to_string).collect();
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                std::iter::once(&head).chain(&cells).map(|row| row[column].chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in std::iter::once(&head).chain(&cells) {
            let line: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            write_out(line.join("  ").trim_end());
        }
    }

    /// The id of a device: whole in JSON, its beginning for people.
    pub(crate) fn id(&self, id: &tidelog::DeviceId) -> String {
        let text = id.to_string();
        if self.json { text } else { text[..8].to_owned() }
    }

    /// Something people want to know that is not a result.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            write_err(text);
        }
    }

    /// Something that went wrong without ending the command.
    pub(crate) fn warning(&self, text: &str) {
        if self.json {
            write_err(&json!({ "warning": text }).to_string());
        } else {
            write_err(&format!("warning: {text}"));
        }
    }

    /// What was done: as JSON, or as a note for people.
    pub(crate) fn done(&self, value: &Value, text: &str) {
        if self.json {
            write_out(&value.to_string());
        } else {
            self.note(text);
        }
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            write_err(&json!({ "error": failure.code, "message": failure.text }).to_string());
        } else {
            write_err(&format!("tidelog: {}", failure.text));
        }
    }

    /// A progress bar on a terminal; nothing elsewhere.
    pub(crate) fn progress(&self, total: u64, what: &str) -> ProgressBar {
        if self.quiet || self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {speed} {eta}")
            .expect("the template is valid")
            .with_key("speed", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
                // A bar that cannot be drawn is no failure.
                let _ = write!(text, "{:.0}/s", state.per_sec());
            });
        ProgressBar::new(total).with_style(style).with_message(what.to_owned())
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A reader that closed the pipe has seen enough: that is no failure.
fn write_out(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

fn write_err(line: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "{line}");
}
