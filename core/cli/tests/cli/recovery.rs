//! Losing things and getting them back: docs/recovery.md, played, with what goes wrong.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::share::Relay;
use crate::{Desk, WORKSPACE, files, program, run, say};

const ITEMS: &str = "main/todos";
const BACKUP: &str = "shelf";

fn put(desk: &Desk, path: &str, key: &str) {
    desk.run(&["put", path, ITEMS, key, "1"]).done();
}

fn keys(desk: &Desk, path: &str) -> Vec<Value> {
    desk.run(&["query", path, ITEMS]).all().iter().map(|item| item["key"].clone()).collect()
}

/// The workspace's id, and the words that the command prints with these flags.
fn words(desk: &Desk, flags: &[&str]) -> (String, Vec<String>) {
    let run = desk.run(&[&["recovery-words", WORKSPACE], flags].concat());
    let text = |name: &str| run.done()[name].as_str().expect("is there").to_owned();
    (text("workspace"), text("words").split(' ').map(ToOwned::to_owned).collect())
}

/// Words as a person may have typed them in, and what is said of them.
fn mistyped(right: &[String]) -> [(String, &'static str); 3] {
    let mut slip = right.to_vec();
    slip[6] = "valeys".into();
    [
        (right[..23].join(" "), "recovery words are 24, these are 23"),
        (slip.join(" "), "word 7 is not in the list of recovery words"),
        (vec!["abandon"; 24].join(" "), "do not fit together"),
    ]
}

/// Words that fit together and are of no workspace here.
fn foreign() -> String {
    format!("{}art", "abandon ".repeat(23))
}

/// A backup under a passphrase of its own, in the file `on the shelf`.
fn backup(desk: &Desk) -> Value {
    desk.write("on the shelf", "for the shelf\n");
    desk.run(&["backup", WORKSPACE, BACKUP, "--backup-passphrase-file", "on the shelf"]).done().clone()
}

fn restore(path: &str) -> [&str; 5] {
    ["restore", BACKUP, path, "--backup-passphrase-file", "on the shelf"]
}

#[test]
fn the_passphrase_is_changed_on_this_device() {
    let desk = Desk::empty();
    desk.write("old", "correct horse\n");
    desk.write("new", "battery staple\n");
    desk.write("empty", "\n");
    let command = |arguments: &[&str], file: &str| {
        let mut command = program();
        command.current_dir(desk.folder.path()).args(arguments).args(["--passphrase-file", file]);
        command
    };
    let json = |arguments: &[&str], file: &str| run(command(arguments, file).arg("--json"));
    let made = json(&["init", WORKSPACE, "--name", "Notes"], "old");
    let change = ["passphrase", WORKSPACE, "--new-passphrase-file", "new"];
    json(&change, "new").failed(1, "wrong_key", "the key does not open the vault");
    json(&["passphrase", WORKSPACE], "old").failed(2, "invalid_argument", "TIDELOG_NEW_PASSPHRASE");
    let nothing = ["passphrase", WORKSPACE, "--new-passphrase-file", "empty"];
    json(&nothing, "old").failed(2, "invalid_argument", "must not be empty");

    let told = "the new one opens the workspace on this device; backups keep the one they were made with\n";
    say(&mut command(&change, "old")).is(0, "", told);
    json(&["stats", WORKSPACE], "old").failed(1, "wrong_key", "");
    say(&mut command(&change, "old")).is(1, "", "tidelog: the key does not open the vault\n");
    // On to a raw key, which has no passphrase.
    let changed = json(&["passphrase", WORKSPACE, "--new-key-file", "key"], "new");
    assert_eq!(changed.done(), &json!({ "workspace": made.done()["workspace"], "changed": true }));
    json(&["stats", WORKSPACE], "new").failed(1, "wrong_key", "");
    assert_eq!(desk.run(&["stats", WORKSPACE]).done()["name"], "Notes");
}

#[test]
fn recovery_words_are_shown_until_they_were_typed_in() {
    let desk = Desk::new();
    let (id, right) = words(&desk, &[]);
    assert_eq!(right.len(), 24);
    let sheet = desk.say(&["recovery-words", WORKSPACE]);
    let rows: Vec<Vec<&str>> = sheet.out.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [8; 6], "{sheet:?}");
    assert_eq!(rows[1][..4], ["5", &right[4], "6", &right[5]]);
    assert!(sheet.err.ends_with(&format!("the workspace to recover, no secret: {id}\n")), "{sheet:?}");

    let confirm = ["confirm-recovery-words", WORKSPACE, "--words-file", "paper"];
    desk.run(&confirm).failed(1, "io", "cannot read the recovery words in paper");
    for (wrong, says) in mistyped(&right) {
        desk.write("paper", &wrong);
        desk.run(&confirm).failed(2, "invalid_argument", says);
    }
    desk.write("paper", &foreign());
    desk.run(&confirm).failed(1, "wrong_key", "not those of this workspace's root");
    let said = "tidelog: these are recovery words, but not those of this workspace's root\n";
    desk.say(&confirm).is(1, "", said);
    assert_eq!(words(&desk, &[]).1, right, "nothing was erased");

    // As they stand on the sheet, with their numbers, through a pipe.
    let mut child = desk.command(&confirm[..2]).stdin(Stdio::piped()).spawn().expect("the program runs");
    let mut pipe = child.stdin.take().expect("piped");
    pipe.write_all(sheet.out.to_uppercase().as_bytes()).expect("writes");
    drop(pipe);
    let confirmed = crate::Run::new(child.wait_with_output().expect("ends"));
    assert_eq!(confirmed.done(), &json!({ "workspace": id, "confirmed": true }));
    desk.run(&["recovery-words", WORKSPACE]).failed(1, "not_found", "does not keep the recovery words");
    desk.write("paper", &right.join("\n"));
    desk.say(&confirm).is(0, "", "the words are right, and now on paper only\n");
}

#[test]
fn a_backup_grows_and_comes_back_as_a_copy() {
    let desk = Desk::new();
    put(&desk, WORKSPACE, "1");
    let first = backup(&desk);
    assert_eq!((&first["key"], &first["copied"]), (&json!("own"), &first["bytes"]), "{first}");
    put(&desk, WORKSPACE, "2");
    let second = backup(&desk);
    let number = |value: &Value, name: &str| value[name].as_u64().expect("a number");
    assert_eq!(number(&second, "entries"), number(&first, "entries") + 1);
    assert_eq!(number(&second, "copied"), number(&second, "bytes") - number(&first, "bytes"));
    let (entries, bytes) = (&second["entries"], &second["bytes"]);
    let opens = "it opens with the backup's own passphrase\n";
    desk.say(&["backup", WORKSPACE, BACKUP, "--backup-passphrase-file", "on the shelf"]).is(
        0,
        &format!("{entries} entries, {bytes} bytes, 0 of them copied now\n"),
        opens,
    );
    desk.say(&["verify-backup", BACKUP]).is(
        0,
        &format!("{entries} entries, {bytes} bytes: all sound\n"),
        opens,
    );
    let checked = desk.run(&["verify-backup", BACKUP, "--backup-passphrase-file", "on the shelf"]);
    assert_eq!((&checked.done()["entries"], &checked.done()["problems"]), (entries, &json!([])));

    let restored = desk.run(&restore("copy.tide"));
    assert_eq!(restored.done(), &json!({ "entries": entries }));
    assert_eq!(keys(&desk, "copy.tide"), ["1", "2"]);
    let told = "it can be read, and written once it has met a peer: `tidelog sync`. If there is none, and\n\
                no other copy of the device is in use: `tidelog confirm-only-copy`.\n";
    desk.say(&restore("other.tide")).is(0, &format!("{entries} entries restored\n"), told);

    desk.run(&["put", "copy.tide", ITEMS, "3", "1"]).failed(1, "restored", "until it has met a peer");
    let confirm = ["confirm-only-copy", "copy.tide"];
    let goes_on = desk.run(&confirm).done().clone();
    assert_eq!((&goes_on["was_restored"], &goes_on["restored"]), (&json!(true), &json!(false)), "{goes_on}");
    assert_eq!(goes_on["workspace"], checked.done()["workspace"]);
    put(&desk, "copy.tide", "3");
    assert_eq!(desk.run(&confirm).done()["was_restored"], false);
    desk.say(&confirm).is(0, "", "this is no copy: nothing to do\n");
    desk.say(&["confirm-only-copy", "other.tide"]).is(0, "", "goes on as a new device of the same user\n");
    let members = desk.run(&["members", "copy.tide"]);
    assert_eq!(members.done()["devices"].as_array().map(Vec::len), Some(2), "{members:?}");
}

#[test]
fn nothing_is_overwritten_and_nothing_opens_with_another_passphrase() {
    let desk = Desk::new();
    put(&desk, WORKSPACE, "1");
    backup(&desk);
    desk.write("wrong", "for the attic\n");
    let wrong = ["restore", BACKUP, "again.tide", "--backup-passphrase-file", "wrong"];
    desk.run(&wrong).failed(1, "wrong_key", "the key does not open the vault");
    desk.say(&wrong).is(1, "", "tidelog: the key does not open the vault\n");
    // Without its own passphrase, the workspace's is tried.
    desk.run(&["restore", BACKUP, "again.tide"]).failed(1, "wrong_key", "");
    assert!(!desk.path("again.tide").exists());
    let check = ["verify-backup", BACKUP, "--backup-passphrase-file", "wrong"];
    desk.run(&check).failed(1, "wrong_key", "");

    put(&desk, WORKSPACE, "2");
    desk.run(&restore(WORKSPACE)).failed(1, "already_exists", "the folder is not empty");
    let said = "tidelog: the folder is not empty: restore into an empty one\n";
    desk.say(&restore(WORKSPACE)).is(1, "", said);
    assert_eq!(keys(&desk, WORKSPACE), ["1", "2"]);
    fs::create_dir(desk.path("letters")).expect("a folder");
    desk.write("letters/one", "Dear Bob");
    desk.run(&restore("letters")).failed(1, "already_exists", "the folder is not empty");
    assert_eq!(files(&desk.path("letters")), [desk.path("letters/one")]);

    desk.run(&["init", "other.tide", "--name", "Other"]).done();
    for (path, to, says) in [
        (WORKSPACE, "other.tide", "the folder holds a workspace"),
        ("other.tide", BACKUP, "a backup of another workspace"),
    ] {
        desk.run(&["backup", path, to]).failed(1, "already_exists", says);
    }
    desk.run(&["restore", "nowhere", "again.tide"]).failed(1, "not_a_workspace", "no backup in this folder");
    desk.run(&["verify-backup", "nowhere"]).failed(1, "not_a_workspace", "no backup in this folder");
    assert_eq!(desk.run(&["verify-backup", BACKUP]).done()["problems"], json!([]));
}

#[test]
fn a_damaged_backup_is_found_and_not_restored() {
    let desk = Desk::new();
    put(&desk, WORKSPACE, "1");
    let bytes = backup(&desk)["bytes"].clone();
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .open(desk.path(BACKUP).join("log/00000001.seg"))
        .expect("opens");
    let middle = bytes.as_u64().expect("a number") / 2;
    let mut there = [0; 4];
    file.seek(SeekFrom::Start(middle)).and_then(|_| file.read_exact(&mut there)).expect("reads");
    let other = there.map(|byte| !byte);
    file.seek(SeekFrom::Start(middle)).and_then(|_| file.write_all(&other)).expect("writes");
    drop(file);

    let found = desk.run(&["verify-backup", BACKUP]);
    assert_eq!(found.code, Some(4), "{found:?}");
    let problems = found.out[0]["problems"].as_array().expect("a list");
    assert_eq!(problems[0], "log/00000001.seg is not as it was written");
    let said = desk.say(&["verify-backup", BACKUP]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert_eq!(said.out, format!("{} entries, {bytes} bytes: damaged\n", found.out[0]["entries"]));
    assert!(said.err.contains("warning: log/00000001.seg is not as it was written\n"), "{said:?}");

    desk.run(&restore("again.tide")).failed(1, "corrupt", "segment 1 of the backup is damaged");
    let told = "tidelog: segment 1 of the backup is damaged: nothing was restored\n";
    desk.say(&restore("again.tide")).is(1, "", told);
    desk.run(&["stats", "again.tide"]).failed(1, "not_a_workspace", "");
    // The next backup sees that what it left is not there, and writes all of it.
    put(&desk, WORKSPACE, "2");
    let anew = backup(&desk);
    assert_eq!(anew["copied"], anew["bytes"], "{anew}");
    assert_eq!(desk.run(&["verify-backup", BACKUP]).done()["problems"], json!([]));
    desk.run(&restore("again.tide")).done();
    assert_eq!(keys(&desk, "again.tide"), ["1", "2"]);
}

#[test]
fn a_restored_workspace_goes_on_once_it_has_met_a_relay() {
    let desk = Desk::new();
    let relay = Relay::new(&desk, &["--open"]);
    put(&desk, WORKSPACE, "1");
    backup(&desk);
    put(&desk, WORKSPACE, "after the backup");
    desk.run(&["sync", WORKSPACE, &relay.url]).done();
    fs::rename(desk.path(WORKSPACE), desk.path("lost.tide")).expect("renames");

    desk.run(&restore(WORKSPACE)).done();
    assert_eq!(keys(&desk, WORKSPACE), ["1"]);
    let write = ["put", WORKSPACE, ITEMS, "and on", "1"];
    desk.run(&write).failed(1, "restored", "until it has met a peer");
    assert!(desk.run(&["sync", WORKSPACE, &relay.url]).done()["received"].as_u64() > Some(0));
    desk.run(&write).done();
    assert_eq!(keys(&desk, WORKSPACE), ["1", "after the backup", "and on"]);
    let members = desk.run(&["members", WORKSPACE]);
    let member = members.done();
    assert_eq!((&member["name"], &member["role"]), (&json!("Ada"), &json!("owner")));
    assert_eq!(member["devices"].as_array().map(Vec::len), Some(2), "{member}");
}

#[test]
fn an_owner_who_lost_every_device_comes_back_with_the_words() {
    let desk = Desk::new();
    let relay = Relay::new(&desk, &["--open"]);
    put(&desk, WORKSPACE, "1");
    let (id, right) = words(&desk, &[]);
    desk.run(&["sync", WORKSPACE, &relay.url]).done();
    // A raw key seals no backup: this one has no secrets.
    let opens =
        "it carries no secrets and comes back with the recovery words only: give a passphrase for it\n";
    let made = desk.say(&["backup", WORKSPACE, BACKUP]);
    assert_eq!((made.code, &*made.err), (Some(0), opens));
    assert_eq!(desk.run(&["backup", WORKSPACE, BACKUP]).done()["key"], "recovery_words");
    desk.run(&["restore", BACKUP, "new.tide"]).failed(1, "wrong_key", "the recovery words only");
    fs::remove_dir_all(desk.path(WORKSPACE)).expect("removes");

    let from_shelf = ["recover", "new.tide", "--from", BACKUP, "--words-file", "paper"];
    for (wrong, says) in mistyped(&right) {
        desk.write("paper", &wrong);
        desk.run(&from_shelf).failed(2, "invalid_argument", says);
    }
    let said = desk.say(&from_shelf);
    assert_eq!((said.code, &*said.out), (Some(2), ""), "{said:?}");
    assert!(said.err.starts_with("tidelog: the recovery words do not fit together"), "{said:?}");
    assert!(!desk.path("new.tide").exists());
    desk.write("paper", &foreign());
    desk.run(&from_shelf).failed(1, "wrong_key", "none that this workspace knows");

    desk.write("paper", &right.join(" "));
    desk.run(&["recover", "new.tide", "--words-file", "paper"]).failed(
        2,
        "invalid_argument",
        "--from FOLDER",
    );
    let at_relay =
        |path, id| ["recover", path, "--relay", &relay.url, "--workspace", id, "--words-file", "paper"];
    desk.run(&at_relay("new.tide", "1234")).failed(2, "invalid_argument", "64 hexadecimal digits");
    let nowhere = ["recover", "none.tide", "--from", "nowhere", "--words-file", "paper"];
    desk.run(&nowhere).failed(1, "not_a_workspace", "");
    desk.run(&["init", "other.tide", "--name", "Other"]).done();
    let over = ["recover", "other.tide", "--from", BACKUP, "--words-file", "paper"];
    desk.run(&over).failed(1, "already_exists", "holds another workspace");
    assert_eq!(desk.run(&["stats", "other.tide"]).done()["name"], "Other");

    // The attempt with other words is no obstacle.
    let recovered = desk.run(&at_relay("new.tide", &id));
    assert_eq!(recovered.done()["role"], "owner");
    assert_eq!(keys(&desk, "new.tide"), ["1"]);
    put(&desk, "new.tide", "2");
    let members = desk.run(&["members", "new.tide"]);
    let member = members.done();
    assert_eq!((&member["user"], &member["name"]), (&recovered.done()["user"], &json!("Ada")));
    assert_eq!(member["devices"].as_array().map(Vec::len), Some(2), "{member}");

    let said = desk.say(&["recover", "from-shelf.tide", "--from", BACKUP, "--words-file", "paper"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let user = member["user"].as_str().expect("an id");
    let who = format!(" entries recovered; this is a new device of the owner {user}\n");
    assert!(said.out.ends_with(&who), "{said:?}");
    assert_eq!(said.err, "the devices that were lost are members still: see `tidelog members`\n");
    assert_eq!(keys(&desk, "from-shelf.tide"), ["1"]);
}

#[test]
fn words_of_a_device_bring_its_user_back() {
    let desk = Desk::new();
    let relay = Relay::new(&desk, &["--open"]);
    put(&desk, WORKSPACE, "1");
    let (id, root) = words(&desk, &[]);
    let (_, right) = words(&desk, &["--device"]);
    assert!(right.len() == 24 && right != root);
    let shown = desk.say(&["recovery-words", WORKSPACE, "--device"]);
    assert_eq!((shown.code, shown.out.lines().count()), (Some(0), 6), "{shown:?}");
    assert!(shown.err.contains("other devices know them once this one has synced.\n"), "{shown:?}");
    desk.write("paper", &right.join(" "));
    let confirm = ["confirm-recovery-words", WORKSPACE, "--words-file", "paper"];
    desk.run(&confirm).failed(1, "wrong_key", "not those of this workspace's root");

    desk.run(&["sync", WORKSPACE, &relay.url]).done();
    let members = desk.run(&["members", WORKSPACE]);
    fs::remove_dir_all(desk.path(WORKSPACE)).expect("removes");
    let recovered = desk.run(&[
        "recover",
        "new.tide",
        "--relay",
        &relay.url,
        "--workspace",
        &id,
        "--words-file",
        "paper",
    ]);
    assert_eq!(recovered.done()["user"], members.done()["user"]);
    assert_eq!(keys(&desk, "new.tide"), ["1"]);
    put(&desk, "new.tide", "2");
    assert!(desk.run(&["sync", "new.tide", &relay.url]).done()["sent"].as_u64() > Some(0));
}
