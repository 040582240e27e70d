//! `errors.json`: the kinds of errors and their names in each language.

use serde_json::json;

use crate::ErrorKind;

/// The bindings add one kind that the engine cannot meet.
const FORKED: (&str, &str) = ("Forked", "forked");

#[test]
fn error_kinds_have_their_published_names() {
    let kinds = ErrorKind::ALL.iter().map(|kind| (format!("{kind:?}"), kind.code().to_owned()));
    let errors: Vec<_> = kinds
        .chain([(FORKED.0.to_owned(), FORKED.1.to_owned())])
        .map(|(kind, code)| {
            json!({
                "kind": kind,
                "python": format!("{kind}Error"),
                "js": code,
                "kotlin": format!("TidelogException.{kind}"),
                "swift": format!("{}{}", kind[..1].to_lowercase(), &kind[1..]),
                "code": code,
            })
        })
        .collect();
    super::golden("errors.json", &json!({ "errors": errors }));
}
