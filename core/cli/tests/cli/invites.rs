//! Inviting and joining by files, with no relay; what is printed of it, and where.

use serde_json::json;

use crate::{Desk, WORKSPACE, program, run};

/// An invite without a relay; its link and its id.
fn invite(desk: &Desk, flags: &[&str]) -> (String, String) {
    let run = desk.run(&[&["invite", WORKSPACE, "--no-relay"], flags].concat());
    let text = |name: &str| run.done()[name].as_str().expect("is there").to_owned();
    (text("uri"), text("id"))
}

#[test]
fn somebody_joins_by_files_alone() {
    let desk = Desk::new();
    desk.run(&["put", WORKSPACE, "main/items", "a", "1"]).done();
    let (link, _) = invite(&desk, &[]);
    let ask = ["join", "bob.tide", &link, "--profile", "Bob", "--request-file", "bob.request"];
    assert_eq!(desk.run(&ask).done(), &json!({ "request_file": "bob.request" }));
    desk.run(&["get", "bob.tide", "main/items", "a"]).failed(1, "not_admitted", "not complete");

    let shown = desk.run(&["requests", WORKSPACE, "--request-file", "bob.request"]);
    let request = shown.done();
    assert_eq!((&request["profile"], &request["role"]), (&json!("Bob"), &json!("writer")));
    let approve = ["approve", WORKSPACE, "--request-file", "bob.request", "--welcome-file", "bob.welcome"];
    assert_eq!(desk.run(&approve).done(), &json!({ "admitted": request["request"] }));
    // What was lost on its way is made again.
    std::fs::remove_file(desk.path("bob.welcome")).expect("removes");
    desk.run(&approve).done();

    let finish = ["join", "bob.tide", "--welcome-file", "bob.welcome"];
    assert_eq!(desk.run(&finish).done()["name"], "Notes");
    assert_eq!(desk.run(&["get", "bob.tide", "main/items", "a"]).done(), &json!(1));
    desk.run(&finish).failed(1, "already_exists", "open it");
}

#[test]
fn files_that_are_not_what_they_should_be_are_told_so() {
    let desk = Desk::new();
    let (link, id) = invite(&desk, &["--uses", "2"]);
    let ask = |path: &str, file: &str| {
        desk.run(&["join", path, &link, "--profile", "Bob", "--request-file", file]).done().clone()
    };
    ask("bob.tide", "bob.request");
    desk.write("nothing", "nothing");
    let approve =
        |file: &str| desk.run(&["approve", WORKSPACE, "--request-file", file, "--welcome-file", "welcome"]);
    approve("nothing").failed(1, "invite_invalid", "no request to join");
    approve("missing").failed(1, "io", "cannot read the request file missing");
    approve("bob.request").done();
    ask("eve.tide", "eve.request");
    let finish = |path: &str, file: &str| desk.run(&["join", path, "--welcome-file", file]);
    finish("bob.tide", "nothing").failed(1, "invite_invalid", "not a welcome");
    finish("eve.tide", "welcome").failed(1, "invite_invalid", "another device");
    finish(WORKSPACE, "welcome").failed(1, "already_exists", "open it");
    let mut cut = std::fs::read(desk.path("welcome")).expect("reads");
    cut.pop();
    std::fs::write(desk.path("cut"), cut).expect("writes");
    finish("bob.tide", "cut").failed(1, "corrupt", "damaged or not whole");
    desk.run(&["withdraw", WORKSPACE, &id]).done();
    approve("eve.request").failed(1, "invite_expired", "was withdrawn");
    finish("bob.tide", "welcome").done();
}

#[test]
fn who_gives_no_name_has_that_of_the_system() {
    let desk = Desk::new();
    let asked = |flags: &[&str], users: &[(&str, &str)], file: &str| {
        let (link, _) = invite(&desk, flags);
        let folder = format!("{file}.tide");
        let mut ask = desk.command(&["join", &folder, &link, "--request-file", file]);
        for variable in ["USER", "LOGNAME", "USERNAME"] {
            ask.env_remove(variable);
        }
        run(ask.envs(users.iter().copied())).done();
        let approve = ["approve", WORKSPACE, "--request-file", file, "--welcome-file", "welcome"];
        let profile = desk.run(&["requests", WORKSPACE, "--request-file", file]).done()["profile"].clone();
        desk.run(&approve).done();
        desk.run(&["join", &folder, "--welcome-file", "welcome"]).done();
        let members = desk.run(&["members", &folder]);
        let me = members.all().iter().find(|member| member["me"] == true).expect("is a member");
        (profile, me["name"].clone())
    };
    let named = |name: &str| (json!(name), json!(name));
    assert_eq!(asked(&[], &[("USER", "bob"), ("LOGNAME", "other")], "one"), named("bob"));
    assert_eq!(asked(&[], &[("USER", " "), ("LOGNAME", "carol")], "two"), named("carol"));
    assert_eq!(asked(&[], &[], "three"), named("device"));
    // Another device of Ada's does not give her another name.
    assert_eq!(asked(&["--my-device"], &[("USER", "root")], "four"), (json!(""), json!("Ada")));
}

#[test]
fn invites_are_listed_until_they_are_used_or_withdrawn() {
    let desk = Desk::new();
    assert!(desk.run(&["invites", WORKSPACE]).all().is_empty());
    let (link, id) = invite(&desk, &["--role", "reader", "--uses", "3", "--expires", "2h", "--auto-approve"]);
    let invites = desk.run(&["invites", WORKSPACE]);
    let shown = invites.done();
    assert_eq!(shown["uri"], link);
    assert_eq!(
        (&shown["role"], &shown["uses_left"], &shown["auto_approve"], &shown["relay"]),
        (&json!("reader"), &json!(3), &json!(true), &json!(null))
    );
    invite(&desk, &["--my-device"]);
    let mut command = program();
    command.current_dir(desk.folder.path()).args(["invites", WORKSPACE, "--key-file", "key"]);
    let table = String::from_utf8(command.output().expect("runs").stdout).expect("UTF-8");
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("invite"), "{table}");
    assert!(lines[1].contains(&id) && lines[1].contains("reader") && lines[1].contains("at once"), "{table}");
    assert!(lines[2].contains("device of yours") && lines[2].contains("by files"), "{table}");
    assert!(!table.contains("tidelog:join"), "a table is no place for secrets: {table}");
    desk.run(&["withdraw", WORKSPACE, &id]).done();
    assert_eq!(desk.run(&["invites", WORKSPACE]).all().len(), 1);
    desk.run(&["withdraw", WORKSPACE, "nobody"]).failed(1, "not_found", "no such invite");
}

#[test]
fn what_an_invite_cannot_be_is_wrong_usage() {
    let desk = Desk::new();
    let run = |flags: &[&str]| desk.run(&[&["invite", WORKSPACE], flags].concat());
    run(&["--no-relay", "--expires", "31d"]).failed(2, "invalid_argument", "at most 30 days");
    run(&["--no-relay", "--expires", "2 weeks"]).failed(2, "invalid_argument", "a number with s, m, h or d");
    run(&["--no-relay", "--uses", "0"]).failed(2, "invalid_argument", "at least one use");
    run(&[]).failed(2, "invalid_argument", "--no-relay");
    run(&["--no-relay", "--relay", "ws://127.0.0.1:1"]).failed(2, "invalid_argument", "cannot be used with");
    let (link, _) = invite(&desk, &[]);
    let join = desk.run(&["join", "bob.tide", &link, "--profile", "Bob", "--wait", "1"]);
    join.failed(2, "invalid_argument", "names no relay");
    assert!(!desk.path("bob.tide").exists());
}

/// What a terminal shows; `script` gives the program one.
#[cfg(target_os = "linux")]
#[test]
fn the_code_to_scan_is_for_terminals_only() {
    const BLOCK: char = '\u{2588}';
    let desk = Desk::new();
    let line = format!("{} invite {WORKSPACE} --no-relay --key-file key", env!("CARGO_BIN_EXE_tidelog"));
    let on_terminal = |flags: &str| {
        let mut script = std::process::Command::new("script");
        script.current_dir(desk.folder.path()).stdin(std::process::Stdio::null());
        let shown = script.args(["-qec", &format!("{line} {flags}"), "/dev/null"]).output();
        String::from_utf8(shown.expect("script runs").stdout).expect("UTF-8")
    };
    let shown = on_terminal("");
    assert!(shown.contains(BLOCK) && shown.contains("tidelog:join?"), "{shown}");
    for flags in ["--no-qr", "--quiet", "--json"] {
        let shown = on_terminal(flags);
        assert!(!shown.contains(BLOCK) && shown.contains("tidelog:join?"), "{flags}: {shown}");
    }
    let mut command = program();
    command.current_dir(desk.folder.path()).args(["invite", WORKSPACE, "--no-relay", "--key-file", "key"]);
    let piped = command.output().expect("runs");
    let (out, err) = (String::from_utf8_lossy(&piped.stdout), String::from_utf8_lossy(&piped.stderr));
    assert!(out.starts_with("tidelog:join?") && out.lines().count() == 1, "{out}");
    assert!(!err.contains(BLOCK), "{err}");
}
