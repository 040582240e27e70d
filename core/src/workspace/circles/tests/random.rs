//! Random histories of a circle: exactly its members can open what was written in it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const WRITERS: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    Add(usize),
    Remove(usize),
    Write(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1..=WRITERS).prop_map(Step::Add),
        2 => (1..=WRITERS).prop_map(Step::Remove),
        3 => (0..=WRITERS).prop_map(Step::Write),
    ]
}

/// Per item, the key that it was first written under, and who is to hold that key.
type Written = BTreeMap<String, (KeyId, [bool; WRITERS + 1])>;

async fn play(history: History, steps: Vec<Step>) {
    let world = World::new(WRITERS).await;
    let circle = world.circle(CircleOptions { history, recoverable: true }, &[]).await;
    let mut members = [true, false, false, false];
    let mut written = Written::new();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Add(who) => {
                world.add(circle, who).await;
                members[who] = true;
                if history == History::Full {
                    written.values_mut().for_each(|(_, readers)| readers[who] = true);
                }
            }
            Step::Remove(who) if members[who] => {
                world.remove(circle, who).await;
                members[who] = false;
            }
            Step::Remove(who) => {
                let refused = world.devices[0].remove_from_circle(circle, world.user(who)).await;
                assert_eq!(kind(refused), ErrorKind::NotFound);
            }
            Step::Write(who) if members[who] => {
                let name = number.to_string();
                world.put(who, circle, &name, 1).await;
                written.insert(name, (world.writes_with(who, circle).expect("a key"), members));
            }
            Step::Write(who) => {
                assert_eq!(kind(world.items(who, circle).put("x", &1).await), ErrorKind::NotAuthorized);
            }
        }
        world.sync().await;
    }
    for (who, member) in members.into_iter().enumerate() {
        for (name, (key, readers)) in &written {
            assert_eq!(world.holds(who, key), readers[who], "{who} has the key of {name}");
            // Who is in it reads all, if need be restated; who left reads what it had.
            if member || readers[who] {
                assert_eq!(world.get(who, circle, name), Some(1), "{who} reads {name}");
            }
        }
        assert_eq!(world.devices[who].circles().expect("reads")[0].readable, member);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_members_open_what_was_written(
        full in any::<bool>(),
        steps in prop::collection::vec(step(), 1..14),
    ) {
        let history = if full { History::Full } else { History::FromJoin };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("starts");
        runtime.block_on(play(history, steps));
    }
}
