//! Items, errors and exit codes.

use std::fs;

use serde_json::json;

use crate::{Desk, Running, WORKSPACE, files, program, run};

const ITEMS: &str = "main/items";

#[test]
fn every_command_prints_json_lines_and_nothing_else() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["put", WORKSPACE, ITEMS, "a", "{\"n\": 1}"]).done(), &json!({ "written": "a" }));
    assert_eq!(desk.run(&["get", WORKSPACE, ITEMS, "a"]).done(), &json!({ "n": 1 }));
    let item = json!({ "key": "a", "value": { "n": 1 } });
    assert_eq!(desk.run(&["query", WORKSPACE, ITEMS]).done(), &item);
    assert_eq!(desk.run(&["query", WORKSPACE, ITEMS, "--count"]).done(), &json!(1));
    assert_eq!(desk.run(&["export", WORKSPACE, ITEMS]).done(), &item);
    let version = desk.run(&["history", WORKSPACE, ITEMS, "a"]);
    assert_eq!((&version.done()["by"], &version.done()["did"]), (&json!("Ada"), &json!("put")));
    assert_eq!(desk.run(&["delete", WORKSPACE, ITEMS, "a"]).done(), &json!({ "deleted": "a" }));
    assert!(!desk.run(&["log", WORKSPACE]).all().is_empty());
    assert_eq!(desk.run(&["stats", WORKSPACE]).done()["name"], "Notes");
    assert_eq!(desk.run(&["verify", WORKSPACE]).done()["damaged"], 0);
    assert!(desk.run(&["requests", WORKSPACE]).all().is_empty());
}

#[test]
fn members_and_authors_have_whole_ids() {
    let desk = Desk::new();
    let members = desk.run(&["members", WORKSPACE]);
    let member = members.done();
    assert_eq!(
        (&member["name"], &member["role"], &member["me"]),
        (&json!("Ada"), &json!("owner"), &json!(true))
    );
    let device = member["devices"][0].as_str().expect("a device");
    assert_eq!(device.len(), 64);
    let log = desk.run(&["log", WORKSPACE]);
    assert!(log.all().iter().any(|entry| entry["author"] == device), "{log:?}");
}

#[test]
fn what_is_not_there_has_an_exit_code_of_its_own() {
    let desk = Desk::new();
    for command in ["get", "delete", "history"] {
        desk.run(&[command, WORKSPACE, ITEMS, "a"]).failed(3, "not_found", "there is no item `a`");
    }
}

#[test]
fn wrong_usage_is_told_in_json_too() {
    let desk = Desk::new();
    desk.run(&["no-such-command"]).failed(2, "invalid_argument", "no-such-command");
    desk.run(&["get", WORKSPACE]).failed(2, "invalid_argument", "required");
    desk.run(&["get", WORKSPACE, "items", "a"]).failed(2, "invalid_argument", "main/movies");
    desk.run(&["put", WORKSPACE, ITEMS, "a", "hello"]).failed(2, "invalid_argument", "text needs quotes");
    let wide = desk.run(&["put", WORKSPACE, ITEMS, "a", "12345678901234567890"]);
    wide.failed(2, "invalid_value", "64 bits");
    desk.run(&["put", WORKSPACE, ITEMS, "", "1"]).failed(2, "invalid_argument", "key");
    desk.run(&["watch", WORKSPACE, ""]).failed(2, "invalid_argument", "name");
    assert!(desk.run(&["query", WORKSPACE, ITEMS]).all().is_empty(), "nothing was written");
}

#[test]
fn what_is_no_workspace_is_told_apart() {
    let desk = Desk::new();
    desk.run(&["stats", "elsewhere"]).failed(1, "not_a_workspace", "no workspace");
    desk.run(&["init", WORKSPACE, "--name", "Again"]).failed(1, "already_exists", "already holds");
    fs::write(desk.path("key"), [8; 32]).expect("writes");
    desk.run(&["stats", WORKSPACE]).failed(1, "wrong_key", "");
    fs::write(desk.path("key"), "short").expect("writes");
    desk.run(&["stats", WORKSPACE]).failed(2, "invalid_argument", "32 bytes");
}

#[test]
fn the_passphrase_comes_from_the_environment_or_a_file() {
    let desk = Desk::empty();
    let command = |arguments: &[&str]| {
        let mut command = program();
        command.current_dir(desk.folder.path()).args(arguments).arg("--json");
        command
    };
    let init = ["init", WORKSPACE, "--name", "Notes"];
    run(&mut command(&init)).failed(2, "invalid_argument", "TIDELOG_PASSPHRASE");
    run(command(&init).env("TIDELOG_PASSPHRASE", "correct horse")).done();
    desk.write("passphrase", "correct horse\n");
    run(&mut command(&["stats", WORKSPACE, "--passphrase-file", "passphrase"])).done();
    run(command(&["stats", WORKSPACE]).env("TIDELOG_PASSPHRASE", "wrong")).failed(1, "wrong_key", "");
}

#[test]
fn damage_has_an_exit_code_of_its_own() {
    let desk = Desk::new();
    for key in ["a", "b", "c", "d", "e", "f"] {
        desk.run(&["put", WORKSPACE, ITEMS, key, &format!("\"{}\"", "text ".repeat(400))]).done();
    }
    let [segment] = &desk.log_files()[..] else { panic!("one segment") };
    let mut bytes = fs::read(segment).expect("reads");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("not empty");
    bytes[used * 2 / 3] ^= 1;
    fs::write(segment, bytes).expect("writes");
    let found = desk.run(&["verify", WORKSPACE]);
    assert_eq!(found.code, Some(4), "{found:?}");
    assert!(found.out[0]["damaged"].as_u64() > Some(0), "{found:?}");
}

/// More than a pipe holds is printed, so the program is in the middle of it when it is told to stop.
#[cfg(unix)]
#[test]
fn a_watch_that_prints_is_ended_by_ctrl_c() {
    let desk = Desk::new();
    let text = "text ".repeat(50);
    let row = |number| json!({ "id": format!("{number}"), "text": text }).to_string();
    desk.write("rows.jsonl", &(0..1_000).map(row).collect::<Vec<_>>().join("\n"));
    desk.run(&["import", WORKSPACE, ITEMS, "rows.jsonl"]).done();
    let mut running = Running::new(&mut desk.command(&["watch", WORKSPACE, "--initial"]));
    running.line();
    running.interrupt();
    assert_eq!(running.end().code, Some(0));
}

#[cfg(unix)]
#[test]
fn the_files_of_a_workspace_are_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    for file in files(&desk.path(WORKSPACE)).into_iter().chain(desk.log_files()) {
        let metadata = fs::metadata(&file).expect("is there");
        if metadata.is_file() && !file.ends_with("lock") {
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{}", file.display());
        }
    }
    assert!(
        ["vault", "state.salt", "state.redb"].iter().all(|name| desk.path(WORKSPACE).join(name).exists())
    );
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_read_only() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let desk = Desk::new();
    let protect = |path: &std::path::Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets");
    };
    // Nothing is forbidden to root: then the program runs as somebody else, who cannot see into the
    // build folder.
    let root = fs::metadata(desk.folder.path()).expect("is there").uid() == 0;
    let copy = desk.path("program");
    let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_tidelog")).arg(&copy).status();
    assert!(copied.expect("cp runs").success());
    for folder in [desk.folder.path().to_owned(), desk.path(WORKSPACE), desk.path(WORKSPACE).join("log")] {
        for file in files(&folder).iter().filter(|path| path.is_file()) {
            if root {
                chown(file, Some(NOBODY), Some(NOBODY)).expect("changes the owner");
            }
            protect(file, 0o555);
        }
    }
    let folders = [desk.path(WORKSPACE).join("log"), desk.path(WORKSPACE), desk.folder.path().to_owned()];
    folders.iter().for_each(|folder| protect(folder, 0o555));
    let attempt = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&copy);
        command.current_dir(desk.folder.path()).args(arguments).args(["--json", "--key-file", "key"]);
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        run(command.stdin(std::process::Stdio::null()))
    };
    let put = attempt(&["put", WORKSPACE, ITEMS, "a", "1"]);
    let init = attempt(&["init", "other.tide", "--name", "Other"]);
    folders.iter().for_each(|folder| protect(folder, 0o755));
    put.failed(1, "read_only", "get the right to write");
    init.failed(1, "read_only", "get the right to write");
}
