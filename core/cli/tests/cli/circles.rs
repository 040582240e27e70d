//! Circles from the first to the last command.

use serde_json::{Value, json};

use crate::members::{join, sync};
use crate::share::Relay;
use crate::{Desk, Running, WORKSPACE, program};

const BOB: &str = "bob.tide";

/// A workspace with Bob, and with a circle that he is not in.
fn with_circle(flags: &[&str]) -> (Desk, Relay, String) {
    let desk = Desk::new();
    let relay = Relay::new(&desk, &["--open"]);
    join(&desk, &relay, BOB, "Bob", &[]);
    meet(&desk);
    let mut create = vec!["create-circle", WORKSPACE, "Board"];
    create.extend(flags);
    let id = desk.run(&create).done()["circle"].as_str().expect("an id").to_owned();
    (desk, relay, id)
}

/// Both devices meet the relay, so that each knows what the other does.
fn meet(desk: &Desk) {
    for path in [WORKSPACE, BOB, WORKSPACE] {
        sync(desk, path);
    }
}

fn got(desk: &Desk, path: &str, flags: &[&str]) -> Value {
    let mut get = vec!["get", path, "minutes/items", "a"];
    get.extend(flags);
    desk.run(&get).done().clone()
}

#[test]
fn members_of_a_circle_read_its_databases_and_others_do_not() {
    let (desk, _relay, id) = with_circle(&[]);
    desk.run(&["put", WORKSPACE, "minutes/items", "a", "1"]).done();
    desk.run(&["put", WORKSPACE, "minutes/items", "a", "2", "--circle", "Board"]).done();
    meet(&desk);
    assert_eq!(got(&desk, WORKSPACE, &[]), 1, "a database of that name that all share is another one");
    assert_eq!(got(&desk, WORKSPACE, &["--circle", "Board"]), 2);
    assert_eq!(got(&desk, WORKSPACE, &["--circle", &id]), 2);
    assert_eq!(got(&desk, BOB, &[]), 1);
    let seen = desk.run(&["circles", BOB]);
    let seen = seen.done();
    assert_eq!([&seen["name"], &seen["databases"]], [&Value::Null, &Value::Null]);
    assert_eq!((&seen["circle"], &seen["members"][0]["name"]), (&json!(id), &json!("Ada")));
    desk.run(&["get", BOB, "minutes/items", "a", "--circle", "Board"]).failed(1, "not_found", "no circle");
    desk.run(&["get", BOB, "minutes/items", "a", "--circle", &id]).failed(1, "not_authorized", "");

    desk.run(&["add-to-circle", BOB, &id, "Bob", "writer"]).failed(1, "not_authorized", "");
    desk.run(&["add-to-circle", WORKSPACE, "Broad", "Bob", "writer"]).failed(1, "not_found", "`Broad`");
    desk.run(&["add-to-circle", WORKSPACE, "Board", "Rob", "writer"]).failed(1, "not_found", "`Rob`");
    let added = desk.run(&["add-to-circle", WORKSPACE, "Board", "Bob", "writer"]);
    assert_eq!([&added.done()["circle"], &added.done()["role"]], [&json!(id), &json!("writer")]);
    meet(&desk);
    assert_eq!(got(&desk, BOB, &["--circle", "Board"]), 2, "all history is for newcomers");
    desk.run(&["put", BOB, "minutes/items", "a", "3", "--circle", "Board"]).done();
    meet(&desk);
    assert_eq!(got(&desk, WORKSPACE, &["--circle", "Board"]), 3);
    let circle = desk.run(&["circles", WORKSPACE]);
    let circle = circle.done();
    assert_eq!([&circle["name"], &circle["history"]], [&json!("Board"), &json!("full")]);
    assert_eq!((&circle["recoverable"], &circle["databases"]), (&json!(true), &json!(["minutes"])));
    let members = circle["members"].as_array().expect("a list").iter();
    let mut members: Vec<_> = members.map(|member| json!([member["name"], member["role"]])).collect();
    members.sort_by_key(Value::to_string);
    assert_eq!(members, [json!(["Ada", "writer"]), json!(["Bob", "writer"])]);

    let removed = desk.run(&["remove-from-circle", WORKSPACE, "Board", "Bob"]);
    assert_eq!(removed.done()["circle"], json!(id));
    desk.run(&["remove-from-circle", WORKSPACE, "Board", "Bob"]).failed(1, "not_found", "not in the circle");
    desk.run(&["put", WORKSPACE, "minutes/items", "a", "4", "--circle", "Board"]).done();
    meet(&desk);
    assert_eq!(got(&desk, WORKSPACE, &["--circle", "Board"]), 4);
    desk.run(&["put", BOB, "minutes/items", "a", "5", "--circle", &id]).failed(1, "not_authorized", "");
}

#[test]
fn every_command_on_a_collection_takes_a_circle() {
    let (desk, _relay, id) = with_circle(&["--not-recoverable"]);
    let circle = desk.run(&["circles", WORKSPACE]);
    assert_eq!(circle.done()["recoverable"], json!(false));
    let board = ["--circle", "Board"];
    let run = |arguments: &[&str]| desk.run(&[arguments, &board].concat());
    desk.write("rows.jsonl", "{\"id\":\"a\",\"year\":1999}\n{\"id\":\"b\",\"year\":2000}\n");
    assert_eq!(run(&["import", WORKSPACE, "main/films", "rows.jsonl"]).done()["written"], 2);
    assert_eq!(run(&["query", WORKSPACE, "main/films", "year = 1999"]).done()["key"], "a");
    assert_eq!(run(&["export", WORKSPACE, "main/films"]).all().len(), 2);
    assert_eq!(run(&["delete", WORKSPACE, "main/films", "b"]).done()["deleted"], "b");
    let history = run(&["history", WORKSPACE, "main/films", "b"]);
    assert_eq!(history.all().iter().map(|row| row["did"].clone()).collect::<Vec<_>>(), ["put", "delete"]);
    assert_eq!(desk.run(&["query", WORKSPACE, "main/films"]).all(), &[] as &[Value]);
    let log = desk.run(&["log", WORKSPACE, "--limit", "1"]);
    assert_eq!([&log.done()["database"], &log.done()["circle"]], [&json!("main"), &json!(id)]);
}

#[test]
#[cfg(unix)]
fn a_watch_tells_the_circle_and_keeps_to_one_if_told() {
    let (desk, _relay, id) = with_circle(&[]);
    desk.run(&["put", WORKSPACE, "main/items", "shared", "1"]).done();
    desk.run(&["put", WORKSPACE, "main/items", "ours", "2", "--circle", "Board"]).done();
    let seen = |flags: &[&str], lines: usize| {
        let watch = [&["watch", WORKSPACE, "--initial"], flags].concat();
        let mut running = Running::new(&mut desk.command(&watch));
        let lines: Vec<Value> =
            (0..lines).map(|_| serde_json::from_str(&running.line()).expect("JSON")).collect();
        running.interrupt();
        assert_eq!(running.end().all(), &[] as &[Value]);
        lines.into_iter().map(|line| json!([line["key"], line["circle"]])).collect::<Vec<_>>()
    };
    assert_eq!(seen(&["--circle", "Board"], 1), [json!(["ours", id])]);
    let mut all = seen(&[], 2);
    all.sort_by_key(Value::to_string);
    assert_eq!(all, [json!(["ours", id]), json!(["shared", null])]);
}

#[test]
fn a_newcomer_to_a_circle_without_history_reads_what_is_there() {
    let (desk, _relay, _) = with_circle(&["--history", "from-join"]);
    desk.run(&["put", WORKSPACE, "minutes/items", "a", "1", "--circle", "Board"]).done();
    desk.run(&["put", WORKSPACE, "minutes/items", "a", "2", "--circle", "Board"]).done();
    desk.run(&["add-to-circle", WORKSPACE, "Board", "Bob", "reader"]).done();
    meet(&desk);
    assert_eq!(got(&desk, BOB, &["--circle", "Board"]), 2);
    let history = desk.run(&["history", BOB, "minutes/items", "a", "--circle", "Board"]);
    assert_eq!(history.all().iter().map(|row| row["value"].clone()).collect::<Vec<_>>(), [2]);
    assert_eq!(desk.run(&["circles", BOB]).done()["history"], "from_join");
    desk.run(&["put", BOB, "minutes/items", "a", "3", "--circle", "Board"]).failed(1, "not_authorized", "");
}

#[test]
fn the_policy_is_printed_and_set_by_an_owner() {
    let (desk, _relay, _) = with_circle(&[]);
    let default = json!({ "rotate_days": 90, "rotate_entries": 1 << 20 });
    assert_eq!(*desk.run(&["policy", WORKSPACE]).done(), default);
    let set = json!({ "rotate_days": 7, "rotate_entries": 1 << 20 });
    assert_eq!(*desk.run(&["policy", WORKSPACE, "--rotate-days", "7"]).done(), set);
    meet(&desk);
    assert_eq!(*desk.run(&["policy", BOB]).done(), set);
    desk.run(&["policy", BOB, "--rotate-entries", "0"]).failed(1, "not_authorized", "ask an owner");
}

#[test]
fn people_get_a_table_of_circles() {
    let (desk, _relay, id) = with_circle(&[]);
    let mut command = program();
    command.current_dir(desk.folder.path()).args(["circles", WORKSPACE, "--key-file", "key"]);
    let output = command.output().expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let [head, row] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert!(head.starts_with("name   history  recoverable  members"), "{text}");
    assert!(row.starts_with("Board  full     recoverable  Ada (writer)"), "{text}");
    assert!(row.ends_with(&id), "{text}");
}
