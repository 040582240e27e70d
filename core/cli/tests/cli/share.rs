//! Relays, invites and joining, with a relay that the program itself runs.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{Desk, Run, Running, WORKSPACE, program};

/// A relay that runs until it is dropped.
pub(crate) struct Relay {
    running: Running,
    pub(crate) url: String,
}

impl Relay {
    pub(crate) fn new(desk: &Desk, flags: &[&str]) -> Self {
        let data = desk.path("relay");
        let mut command = program();
        command.args(["serve-relay", "--listen", "127.0.0.1:0", "--log-level", "error", "--data"]);
        let mut running = Running::new(command.arg(data).args(flags));
        let line = running.line();
        let [_, _, address, _, key] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("no address: {line}")
        };
        Self { url: format!("{address}#{key}"), running }
    }

    /// The address without the key, or with another one.
    fn address(&self) -> &str {
        self.url.split('#').next().expect("an address")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.running.child.kill();
        let _ = self.running.child.wait();
    }
}

/// `sync --live` until it said something is wrong.
#[cfg(unix)]
fn live(desk: &Desk, url: &str) -> Run {
    use std::io::{BufRead as _, BufReader};
    let mut running = Running::new(&mut desk.command(&["sync", WORKSPACE, url, "--live"]));
    let mut err = BufReader::new(running.child.stderr.take().expect("piped"));
    let mut warning = String::new();
    err.read_line(&mut warning).expect("reads");
    running.interrupt();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut err, &mut rest).expect("reads");
    let mut run = running.end();
    run.err = crate::lines(&[warning.as_bytes(), &rest].concat());
    run
}

#[cfg(unix)]
#[test]
fn a_relay_that_cannot_be_used_is_told_why() {
    let desk = Desk::new();
    let relay = Relay::new(&desk, &[]);
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("ws://{}", listener.local_addr().expect("bound"))
    };
    let wrong = format!("{}#{}", relay.address(), "ab".repeat(32));
    for (url, code, says) in [
        (closed.as_str(), "network", "cannot reach the relay"),
        (&wrong, "relay_refused", "another key"),
        (&relay.url, "relay_refused", "does not take this workspace"),
    ] {
        desk.run(&["sync", WORKSPACE, url]).failed(1, code, says);
        live(&desk, url).failed(1, code, says);
    }
    desk.run(&["sync", WORKSPACE]).failed(2, "invalid_argument", "knows no relay");
    desk.run(&["sync", WORKSPACE, "http://x"]).failed(2, "invalid_argument", "");
}

#[cfg(unix)]
#[test]
fn a_link_that_was_live_ends_well() {
    let desk = Desk::new();
    let relay = Relay::new(&desk, &["--open"]);
    assert!(desk.run(&["sync", WORKSPACE, &relay.url]).done()["sent"].as_u64() > Some(0));
    let mut running = Running::new(&mut desk.command(&["sync", WORKSPACE, &relay.url, "--live"]));
    while !running.line().contains("\"live\"") {}
    running.interrupt();
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_relay_says_where_it_is_in_json_too() {
    let desk = Desk::new();
    let data = desk.path("relay");
    let mut command = program();
    command.args(["serve-relay", "--open", "--json", "--listen", "127.0.0.1:0", "--log-level", "error"]);
    let mut running = Running::new(command.arg("--data").arg(data));
    let said: serde_json::Value = serde_json::from_str(&running.line()).expect("one line of JSON");
    let url = format!("{}#{}", said["url"].as_str().expect("a URL"), said["key"].as_str().expect("a key"));
    let relay = Relay { running, url };
    assert!(desk.run(&["sync", WORKSPACE, &relay.url]).done()["sent"].as_u64() > Some(0));
}

#[test]
fn somebody_joins_is_approved_and_the_link_is_used_up() {
    let desk = Desk::new();
    let relay = Relay::new(&desk, &["--open"]);
    desk.run(&["put", WORKSPACE, "main/items", "a", "1"]).done();
    let invite = || {
        let invite = desk.run(&["invite", WORKSPACE, "--relay", &relay.url]);
        invite.done()["uri"].as_str().expect("a link").to_owned()
    };
    let link = invite();
    let join =
        |path: &str, link: &str| desk.command(&["join", path, link, "--profile", "Bob", "--wait", "60"]);
    let joining = Running::new(&mut join("bob.tide", &link));
    let request = wait_for_request(&desk);
    assert_eq!(desk.run(&["approve", WORKSPACE, &request]).done(), &json!({ "admitted": request }));
    desk.run(&["sync", WORKSPACE]).done();
    assert_eq!(joining.end().done()["name"], "Notes");
    assert_eq!(desk.run(&["get", "bob.tide", "main/items", "a"]).done(), &json!(1));

    let late = crate::run(&mut join("carol.tide", &link));
    late.failed(1, "invite_expired", "used up, expired or withdrawn");
    assert!(!desk.path("carol.tide/vault").exists());
    std::fs::write(desk.path("other-key"), [9; 32]).expect("writes");
    let link = invite();
    let joining = Running::new(program().current_dir(desk.folder.path()).args([
        "join",
        "carol.tide",
        &link,
        "--profile",
        "Carol",
        "--json",
        "--key-file",
        "other-key",
    ]));
    desk.run(&["approve", WORKSPACE, &wait_for_request(&desk)]).done();
    desk.run(&["sync", WORKSPACE]).done();
    assert_eq!(joining.end().done()["name"], "Notes");
}

/// The request of somebody who is joining now.
pub(crate) fn wait_for_request(desk: &Desk) -> String {
    let started = Instant::now();
    loop {
        let requests = desk.run(&["requests", WORKSPACE]);
        if let [request] = requests.all() {
            return request["request"].as_str().expect("an id").to_owned();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "nobody asks");
    }
}

#[test]
fn a_link_is_checked_before_anything_is_made() {
    let desk = Desk::new();
    let id = "ab".repeat(32);
    for link in
        ["https://example.org", &format!("tidelog:join?w={id}&s={id}&k={id}&h=&r=https://example.org")]
    {
        let refused = desk.run(&["join", "new.tide", link, "--profile", "Bob"]);
        refused.failed(1, "invite_invalid", "not an invite link");
        assert!(!desk.path("new.tide").exists());
    }
    // Nothing listens: nobody could be asked, and nothing of it stays in the way.
    let link = format!("tidelog:join?w={id}&s={id}&k={id}&h=&r=ws://127.0.0.1:1");
    let refused = desk.run(&["join", "new.tide", &link, "--profile", "Bob"]);
    refused.failed(1, "network", "cannot reach the relay");
    assert!(!desk.path("new.tide/vault").exists());
    desk.run(&["init", "new.tide", "--name", "New"]).done();
}
