//! Roles, removals, and a lost device from the first to the last command: docs/members.md, played.

use serde_json::{Value, json};

use crate::share::{Relay, wait_for_request};
use crate::{Desk, Running, WORKSPACE};

/// Joins with the flags of an invite, approved by hand.
pub(crate) fn join(desk: &Desk, relay: &Relay, path: &str, profile: &str, flags: &[&str]) {
    let mut invite = vec!["invite", WORKSPACE, "--relay", &relay.url];
    invite.extend(flags);
    let invite = desk.run(&invite);
    let link = invite.done()["uri"].as_str().expect("a link");
    let joining =
        Running::new(&mut desk.command(&["join", path, link, "--profile", profile, "--wait", "60"]));
    desk.run(&["approve", WORKSPACE, &wait_for_request(desk)]).done();
    desk.run(&["sync", WORKSPACE]).done();
    joining.end().done();
}

pub(crate) fn sync(desk: &Desk, path: &str) {
    desk.run(&["sync", path]).done();
}

fn keys(desk: &Desk, path: &str) -> Vec<Value> {
    desk.run(&["query", path, "main/items"]).all().iter().map(|item| item["key"].clone()).collect()
}

#[test]
fn a_lost_device_is_removed_and_what_it_writes_is_shown_nowhere() {
    let desk = Desk::new();
    let relay = Relay::new(&desk, &["--open"]);
    desk.run(&["put", WORKSPACE, "main/items", "mine", "1"]).done();
    join(&desk, &relay, "phone.tide", "Ada", &["--my-device"]);
    desk.run(&["put", "phone.tide", "main/items", "by the phone", "2"]).done();
    sync(&desk, "phone.tide");
    sync(&desk, WORKSPACE);
    let devices = desk.run(&["devices", WORKSPACE]);
    let [one, other] = devices.all() else { panic!("{devices:?}") };
    let phone = if one["me"] == true { other } else { one };
    assert_eq!((&phone["name"], &phone["me"]), (&json!("Ada"), &json!(false)));
    let id = phone["device"].as_str().expect("an id");
    desk.run(&["remove-device", WORKSPACE, "abc"]).failed(1, "not_found", "there is no device `abc`");
    desk.run(&["remove-device", WORKSPACE, &id[..2]]).failed(2, "invalid_argument", "does not name one");
    let removed = desk.run(&["remove-device", WORKSPACE, &id[..8]]);
    let removed = removed.done();
    assert_eq!((&removed["device"], &removed["keys_renewed"]), (&json!(id), &json!(true)), "{removed}");
    assert_eq!(removed["advice"], Value::Null, "the first device is senior");
    sync(&desk, WORKSPACE);
    // Whoever has the phone goes on.
    desk.run(&["put", "phone.tide", "main/items", "by the thief", "3"]).done();
    desk.run(&["sync", "phone.tide"]).failed(1, "not_admitted", "");
    desk.run(&["put", WORKSPACE, "main/items", "not for the thief", "4"]).done();
    sync(&desk, WORKSPACE);
    let shown = ["by the phone", "mine", "not for the thief"];
    assert_eq!(keys(&desk, WORKSPACE), shown.map(|key| json!(key)));
    assert!(!keys(&desk, "phone.tide").contains(&json!("not for the thief")));
    assert_eq!(desk.run(&["excluded", WORKSPACE]).all(), &[] as &[Value]);
    assert_eq!(desk.run(&["devices", WORKSPACE]).all().len(), 1);
    desk.run(&["remove-device", WORKSPACE, id]).failed(1, "not_found", "");
}

#[test]
fn roles_are_given_by_name_and_members_are_removed_by_it() {
    let desk = Desk::new();
    let relay = Relay::new(&desk, &["--open"]);
    join(&desk, &relay, "bob.tide", "Bob", &[]);
    sync(&desk, WORKSPACE);
    desk.run(&["set-role", WORKSPACE, "Nobody", "reader"]).failed(1, "not_found", "no user `Nobody`");
    desk.run(&["set-role", WORKSPACE, "Ada", "reader"]).failed(1, "not_authorized", "last owner");
    assert_eq!(desk.run(&["set-role", WORKSPACE, "Bob", "reader"]).done()["role"], "reader");
    sync(&desk, WORKSPACE);
    sync(&desk, "bob.tide");
    desk.run(&["put", "bob.tide", "main/items", "a", "1"]).failed(1, "not_authorized", "");
    desk.run(&["remove-user", "bob.tide", "Ada"]).failed(1, "not_authorized", "ask a member above");
    let members = desk.run(&["members", WORKSPACE]);
    let bob = members.all().iter().find(|member| member["name"] == "Bob").expect("is a member");
    assert_eq!((&bob["role"], &bob["me"]), (&json!("reader"), &json!(false)));
    let removed = desk.run(&["remove-user", WORKSPACE, "Bob"]);
    assert_eq!(removed.done()["user"], bob["user"]);
    assert_eq!(desk.run(&["members", WORKSPACE]).all().len(), 1);
    let device = bob["devices"][0].as_str().expect("an id");
    desk.run(&["accept-excluded", WORKSPACE, device]).failed(1, "not_found", "excluded entries");
}
