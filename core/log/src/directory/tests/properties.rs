//! Properties of the fold over random histories, against the naive one.

use super::super::members::Members;
use super::super::rank::LAST;
use super::super::*;
use super::naive::{Naive, Rules};
use super::random::{
    Act, DEVICES, History, ROOT, SEQ_MAX, STREAM, USERS, circle, data_id, device, equivocal_histories,
    header, histories, id, key_of, user,
};
use crate::ids::{CircleId, KeyId, UserId};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// Directories compared with the naive fold; `PROPTEST_CASES` asks for more.
const DIRECTORIES_MIN: u32 = 10_000;
/// Directories tried before a switched-off rule must have been noticed.
const MUTANT_TRIES: usize = 4_000;

/// Everything that is compared: who stands how where, circles, and which data entries count.
#[derive(Debug, PartialEq)]
struct Outcome {
    roles: Vec<Option<Role>>,
    circles: Vec<Option<Role>>,
    accepted: Vec<bool>,
}

fn accepts(directory: &Directory, number: usize, seq: u64, auth: usize, key_id: KeyId) -> bool {
    let mut header = header(number, seq, auth);
    header.key_id = key_id;
    let within = |cut: Option<(u64, EntryId)>| {
        cut.is_some_and(|(last, id)| {
            assert_eq!(id, data_id(number, last));
            seq <= last
        })
    };
    let may = directory.may_write(&device(number), &id(auth), &key_id);
    (may.is_ok() || within(directory.granted(&device(number), &STREAM)))
        && directory
            .limits(&device(number), &STREAM)
            .iter()
            .all(|limit| !directory.binds(limit, &header) || within(limit.cut))
}

fn keys(history: &History) -> Vec<usize> {
    let publishes = |node: &usize| history.0[node - 1].acts.iter().any(|act| matches!(act, Act::Key { .. }));
    (1..history.len()).filter(publishes).chain([0]).collect()
}

fn folded(history: &History, directory: &Directory) -> Outcome {
    let held = history.held();
    let nodes = || (0..history.len()).filter(|&node| held[node]);
    let roles_at = nodes().flat_map(|node| (0..DEVICES).map(move |number| (node, number)));
    let roles = roles_at.map(|(node, number)| directory.role_at(&device(number), &id(node)));
    let now = (0..DEVICES).map(|number| directory.role(&device(number)));
    let circles = (0..2).flat_map(|number| (0..USERS).map(move |one| (number, one)));
    let circles =
        circles.map(|(number, one)| directory.role_in_circle(&user(one), &circle(number))).collect();
    let mut accepted = Vec::new();
    for (node, number, key) in triples(history) {
        accepted.extend((1..=SEQ_MAX).map(|seq| accepts(directory, number, seq, node, key_of(key))));
    }
    Outcome { roles: roles.chain(now).collect(), circles, accepted }
}

/// Directory entries, devices and keys to judge data entries by. Old entries tell little.
fn triples(history: &History) -> Vec<(usize, usize, usize)> {
    let held = history.held();
    let nodes: Vec<_> = (5..history.len()).filter(|&node| held[node]).collect();
    let keys = keys(history);
    let mut triples = Vec::new();
    for &node in &nodes {
        for number in (node % 2..2 * USERS).step_by(2) {
            triples.push((node, number, keys[(node + number) % keys.len()]));
        }
    }
    triples
}

fn by_the_book(history: &History, rules: Rules) -> Outcome {
    let mut naive = Naive::new(history, rules);
    let held = history.held();
    let mut roles = Vec::new();
    for node in (0..history.len()).filter(|&node| held[node]) {
        let view = naive.upto(node);
        roles.extend((0..DEVICES).map(|number| naive.standing(number, view).map(|(_, role)| role)));
    }
    let everything = naive.everything();
    roles.extend((0..DEVICES).map(|number| naive.standing(number, everything).map(|(_, role)| role)));
    let circles = (0..2).flat_map(|number| (0..USERS).map(move |one| (number, one)));
    let circles = circles.map(|(number, one)| naive.circle_role(number, one, everything)).collect();
    let mut accepted = Vec::new();
    for (node, number, key) in triples(history) {
        accepted.extend((1..=SEQ_MAX).map(|seq| naive.accepts(number, seq, node, key)));
    }
    Outcome { roles, circles, accepted }
}

/// Everything else that a directory can be asked.
fn rest(history: &History, directory: &Directory) -> impl PartialEq + std::fmt::Debug + use<> {
    let devices: Vec<_> = (0..DEVICES)
        .map(|number| {
            let id = device(number);
            (directory.device(&id), directory.is_removed(&id), directory.limits(&id, &STREAM))
        })
        .collect();
    let epochs: Vec<_> = [CircleId::WORKSPACE, circle(0), circle(1)]
        .iter()
        .map(|circle| {
            let valid: Vec<_> = directory.epochs(circle).into_iter().map(|epoch| epoch.entry).collect();
            let known: Vec<_> = directory.known_epochs(circle).into_iter().map(|epoch| epoch.entry).collect();
            (valid, known, directory.next_epoch(circle), directory.recipients(circle))
        })
        .collect();
    let granted: Vec<_> = (0..DEVICES).map(|number| directory.granted(&device(number), &STREAM)).collect();
    (
        folded(history, directory),
        directory.heads(),
        directory.users(),
        directory.circles(),
        devices,
        epochs,
        granted,
    )
}

/// Who stands how, and whose data counts, as asked about entries that every replica comes to hold.
fn standing(
    history: &History,
    offered: &[bool],
    directory: &Directory,
) -> impl PartialEq + std::fmt::Debug + use<> {
    let nodes = || (0..history.len()).filter(|&node| offered[node]);
    let devices: Vec<_> = (0..DEVICES)
        .map(|number| {
            let device = device(number);
            let limits = directory.limits(&device, &STREAM);
            let data = nodes().flat_map(|node| (1..=SEQ_MAX).map(move |seq| (node, seq)));
            let accepted: Vec<bool> =
                data.map(|(node, seq)| accepts(directory, number, seq, node, KeyId::ZERO)).collect();
            let roles: Vec<_> = nodes().map(|node| directory.role_at(&device, &id(node))).collect();
            let now = (directory.device(&device), directory.owner_of(&device), directory.is_removed(&device));
            (now, limits, directory.granted(&device, &STREAM), accepted, roles)
        })
        .collect();
    let of_users: Vec<_> = (0..USERS).map(|number| directory.devices_of(&user(number))).collect();
    (directory.heads(), directory.users(), directory.circles(), of_users, devices)
}

fn config(cases: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(cases), ..asked }
}

proptest! {
    #![proptest_config(config(DIRECTORIES_MIN))]

    #[test]
    fn the_fold_agrees_with_the_naive_one(history in histories(10), seed: u64) {
        let directory = history.fold(seed);
        prop_assert_eq!(folded(&history, &directory), by_the_book(&history, Rules::ALL));
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn long_histories_agree_too(history in histories(30), seed: u64) {
        let directory = history.fold(seed);
        prop_assert_eq!(folded(&history, &directory), by_the_book(&history, Rules::ALL));
    }

    #[test]
    fn every_order_of_arrival_gives_the_same_state(history in histories(20), seed: u64) {
        let expected = rest(&history, &history.fold(0));
        for order in 1..4 {
            prop_assert_eq!(&rest(&history, &history.fold(seed.wrapping_add(order).max(1))), &expected);
        }
    }

    #[test]
    fn what_is_restored_is_what_was_held(history in histories(20)) {
        let (restored, held) = (history.restored(), history.fold(0));
        prop_assert_eq!(rest(&history, &restored), rest(&history, &held));
        prop_assert!((0..DEVICES).all(|number| restored.public_key(&device(number)) == held.public_key(&device(number))));
    }

    #[test]
    fn what_nothing_that_counts_builds_on_changes_nothing(history in equivocal_histories(14), seed: u64) {
        let all = history.fold(seed);
        let offered = |node| all.counts(&id(node)) || all.is_built_on(&id(node));
        let offered: Vec<bool> = (0..history.len()).map(offered).collect();
        let without = history.fold_of(&offered, seed.wrapping_add(1).max(1), None);
        prop_assert_eq!(standing(&history, &offered, &all), standing(&history, &offered, &without));
    }

    #[test]
    fn whose_entries_count_otherwise_is_judged_again(history in equivocal_histories(14), seed: u64) {
        let mut missed = Vec::new();
        let mut look = |before: &Directory, after: &Directory| {
            let touched = after.clone().take_touched();
            let held: Vec<usize> = (0..history.len()).filter(|&node| before.contains(&id(node))).collect();
            let of = |directory: &Directory, number| -> Vec<bool> {
                let data = held.iter().flat_map(|&node| (1..=SEQ_MAX).map(move |seq| (node, seq)));
                data.map(|(node, seq)| accepts(directory, number, seq, node, KeyId::ZERO)).collect()
            };
            let otherwise = (0..DEVICES).filter(|&number| of(before, number) != of(after, number));
            missed.extend(otherwise.filter(|&number| !touched.contains(&device(number))));
        };
        history.fold_of(&history.held(), seed, Some(&mut look));
        prop_assert_eq!(missed, Vec::<usize>::new());
    }

    #[test]
    fn nothing_a_removed_device_did_aside_from_its_removal_counts(history in histories(20)) {
        let directory = history.fold(0);
        let members = &directory.0.members;
        let dag = &directory.0.dag;
        for deed in members.deeds.iter().filter(|deed| deed.counts_at(LAST)) {
            let removed = match &deed.act {
                members::Act::RemoveDevice { .. } | members::Act::RemoveUser { .. } => {
                    members.targets(&deed.act)
                }
                _ => continue,
            };
            let remover = members.standings[deed.node].authority.at(LAST).expect("it counts");
            for node in (0..dag.len()).filter(|&node| removed.contains(&dag.node(node).author)) {
                let authority = members.standings[node].authority.at(LAST);
                let before = dag.is_in_past(node, deed.node);
                let after = dag.past(node).contains(dag.node(deed.node));
                let outranked = authority.is_some_and(|author| author.user != remover.user && author.class < remover.class);
                prop_assert!(before || !(after || outranked) || authority.is_none());
            }
        }
    }

    #[test]
    fn lower_classes_change_nothing_that_higher_ones_did(history in histories(20), kept in 6usize..20) {
        let kept = kept.min(history.len());
        let (before, after) = (history.first(kept).fold(0), history.fold(0));
        let (old, new) = (&before.0.members, &after.0.members);
        // The highest class that any of the later entries was given, at whatever level.
        let highest = (0..after.0.dag.len())
            .filter(|&node| before.0.dag.find(&after.0.dag.node(node).id).is_none())
            .flat_map(|node| (0..=LAST).filter_map(move |level| new.standings[node].authority.at(level)))
            .map(|author| author.class)
            .max();
        for (node, standing) in old.standings.iter().enumerate() {
            let authority = standing.authority.at(LAST);
            let again = after.0.dag.find(&before.0.dag.node(node).id).expect("held");
            if authority.is_some_and(|author| Some(author.class) > highest) {
                prop_assert_eq!(new.standings[again].authority.at(LAST), authority);
                let counts = |members: &Members, node| {
                    members.deeds_of(node).map(|deed| deed.counts_at(LAST)).collect::<Vec<_>>()
                };
                prop_assert_eq!(counts(new, again), counts(old, node));
            }
        }
    }

    #[test]
    fn every_member_can_always_write(history in histories(20)) {
        let directory = history.fold(0);
        for number in (0..DEVICES).filter(|&number| directory.role(&device(number)) >= Some(Role::Writer)) {
            let parents: Vec<_> = directory.0.members.heads.iter().map(|(node, _)| *node).collect();
            prop_assert!(parents.len() <= PARENTS_MAX);
            let mut fold = directory.0.as_ref().clone();
            let merge = EntryId([1; 32]);
            fold.apply(merge, device(number), &parents, vec![]);
            let merged = Directory(Arc::new(fold));
            prop_assert_eq!(merged.may_write(&device(number), &merge, &KeyId::ZERO), Ok(()));
            prop_assert_eq!(merged.auth_for(&device(number), None, &KeyId::ZERO), Some(merge));
        }
    }
}

/// Whether some random history tells the fold from the naive one without a rule.
fn is_noticed(rules: Rules) -> bool {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    (0..MUTANT_TRIES).any(|_| {
        let history = histories(14).new_tree(&mut runner).expect("generates").current();
        folded(&history, &history.fold(0)) != by_the_book(&history, rules)
    })
}

#[test]
fn the_loss_of_any_rule_is_noticed() {
    let all = Rules::ALL;
    for (name, rules) in [
        ("R2", Rules { strong_removal: false, ..all }),
        ("R3", Rules { removal_is_final: false, ..all }),
        ("R5", Rules { higher_class_decides: false, ..all }),
        ("R1", Rules { class_is_checked: false, ..all }),
        ("rank", Rules { seniority: false, ..all }),
        ("circles", Rules { removal_beats_addition_in_circles: false, ..all }),
        ("amendments", Rules { amendments: false, ..all }),
        ("demotions", Rules { demotions_bind: false, ..all }),
    ] {
        assert!(is_noticed(rules), "without {name} nothing changes");
    }
}

#[test]
fn the_root_is_never_removed() {
    let history = History(vec![]);
    let directory = history.fold(0);
    assert!(!directory.is_removed(&device(ROOT)));
    assert_eq!(directory.owner_of(&device(ROOT)), None::<UserId>);
}
