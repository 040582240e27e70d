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

/// What happens while not everybody knows of everything.
#[derive(Debug, Clone, Copy)]
enum Apart {
    Step(Step),
    Meet(usize, usize),
}

fn apart() -> impl Strategy<Value = Apart> {
    prop_oneof![
        3 => step().prop_map(Apart::Step),
        2 => (0..=WRITERS, 0..=WRITERS).prop_map(|(one, two)| Apart::Meet(one, two)),
    ]
}

/// A write: its key, whom its writer took for members, and how many of the circle's changes it knew.
struct Sealed {
    key: KeyId,
    known: [bool; WRITERS + 1],
    told: usize,
}

async fn play_apart(history: History, steps: Vec<Apart>) {
    let world = World::new(WRITERS).await;
    let circle = world.circle(CircleOptions { history, recoverable: true }, &[1]).await;
    // Who came and who left, in order, by the one device that changes it; and how much of it each device knows.
    let mut changes = vec![(1, true)];
    let mut told = [1; WRITERS + 1];
    let mut sealed: Vec<Sealed> = Vec::new();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Apart::Meet(one, two) if one != two => {
                world.devices[one].sync_with(&world.devices[two]).await.expect("syncs");
                let most = told[one].max(told[two]);
                (told[one], told[two]) = (most, most);
            }
            Apart::Meet(..) => {}
            Apart::Step(Step::Add(who)) => {
                world.add(circle, who).await;
                changes.push((who, true));
                told[0] = changes.len();
            }
            Apart::Step(Step::Remove(who)) => {
                // Perhaps it is not in it.
                let removed = world.devices[0].remove_from_circle(circle, world.user(who)).await;
                assert!(removed.is_ok() || kind(removed) == ErrorKind::NotFound);
                changes.push((who, false));
                told[0] = changes.len();
            }
            Apart::Step(Step::Write(who)) => {
                let seen = world.devices[who].circles().expect("reads").remove(0);
                let member = |number| seen.members.iter().any(|member| member.user == world.user(number));
                let known: [bool; WRITERS + 1] = std::array::from_fn(member);
                let mut members = [true, false, false, false];
                changes[..told[who]].iter().for_each(|&(who, is)| members[who] = is);
                assert_eq!(known, members, "{who} takes for members who was when it last heard of it");
                let written = world.items(who, circle).put(&number.to_string(), &1).await;
                if known[who] && seen.readable {
                    written.expect("a member writes");
                    let key = world.writes_with(who, circle).expect("a key");
                    sealed.push(Sealed { key, known, told: told[who] });
                } else {
                    assert_eq!(kind(written), ErrorKind::NotAuthorized);
                }
            }
        }
    }
    world.sync().await;
    for Sealed { key, known, told } in sealed {
        for (who, known) in known.into_iter().enumerate() {
            let holds = world.holds(who, &key);
            assert!(holds || !known, "{who} is in what the writer took for the circle");
            // Who came unknown to the writer got the key that it still wrote with, and keeps it.
            let came = history == History::Full && changes[told..].contains(&(who, true));
            assert!(known || came || !holds, "{who} was not, and came with no history");
        }
    }
    let roots = world.devices.iter().map(|device| device.stats().expect("reads").root);
    assert!(roots.clone().all(|root| Some(root) == roots.clone().next()), "all hold the same");
}

#[tokio::test]
async fn who_came_and_left_unknown_to_the_writer_keeps_the_key_that_it_came_by() {
    let steps = [Step::Add(2), Step::Remove(2), Step::Write(1)].map(Apart::Step);
    play_apart(History::Full, steps.to_vec()).await;
    play_apart(History::FromJoin, steps.to_vec()).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_members_open_what_was_written(
        full in any::<bool>(),
        steps in prop::collection::vec(step(), 1..14),
    ) {
        let history = if full { History::Full } else { History::FromJoin };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("starts");
        runtime.block_on(play(history, steps));
    }

    #[test]
    fn nobody_opens_what_was_written_by_whoever_knew_that_it_left(
        full in any::<bool>(),
        steps in prop::collection::vec(apart(), 1..24),
    ) {
        let history = if full { History::Full } else { History::FromJoin };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("starts");
        runtime.block_on(play_apart(history, steps));
    }
}
