//! A second fold, by the book and without any cleverness: sets are bits, everything is worked out
//! from scratch by recursion, and each rule can be switched off to see that its loss is noticed.

use std::collections::HashMap;

use super::super::Role;
use super::random::{Act, History, ROOT, USERS};

/// Which rules are in force.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) strong_removal: bool,
    pub(super) removal_is_final: bool,
    pub(super) higher_class_decides: bool,
    pub(super) class_is_checked: bool,
    pub(super) seniority: bool,
    pub(super) removal_beats_addition_in_circles: bool,
    pub(super) amendments: bool,
    pub(super) demotions_bind: bool,
}

impl Rules {
    pub(super) const ALL: Self = Self {
        strong_removal: true,
        removal_is_final: true,
        higher_class_decides: true,
        class_is_checked: true,
        seniority: true,
        removal_beats_addition_in_circles: true,
        amendments: true,
        demotions_bind: true,
    };
}

/// User (none for the root), class, depth.
pub(super) type Rank = (Option<usize>, u8, u8);

/// Where a rank stands in the order of evaluation; depths beyond three are equal.
fn place(rank: Rank) -> u8 {
    if rank.1 == 4 { 0 } else { 1 + (3 - rank.1) * 4 + rank.2 }
}

const PLACES: u8 = 17;
const END: u8 = PLACES - 1;

/// An operation: entry and position.
type Op = (usize, usize);

pub(super) struct Naive<'h> {
    history: &'h History,
    pasts: Vec<u64>,
    held: Vec<bool>,
    rules: Rules,
    ranks: HashMap<(usize, u8), Option<Rank>>,
    counting: HashMap<(Op, u8), bool>,
}

fn has(set: u64, node: usize) -> bool {
    set >> node & 1 == 1
}

impl<'h> Naive<'h> {
    pub(super) fn new(history: &'h History, rules: Rules) -> Self {
        Self {
            history,
            pasts: history.pasts(),
            held: history.held(),
            rules,
            ranks: HashMap::new(),
            counting: HashMap::new(),
        }
    }

    /// An entry and its past.
    pub(super) fn upto(&self, node: usize) -> u64 {
        self.pasts[node] | 1 << node
    }

    pub(super) fn everything(&self) -> u64 {
        (0..self.held.len()).filter(|&node| self.held[node]).fold(0, |all, node| all | 1 << node)
    }

    fn author(&self, node: usize) -> usize {
        if node == 0 { ROOT } else { self.history.0[node - 1].author }
    }

    fn act(&self, op: Op) -> Act {
        self.history.0[op.0 - 1].acts[op.1]
    }

    /// All operations of held entries in a set, oldest first.
    fn ops(&self, set: u64) -> Vec<Op> {
        (1..self.held.len())
            .filter(|&node| self.held[node] && has(set, node))
            .flat_map(|node| (0..self.history.0[node - 1].acts.len()).map(move |index| (node, index)))
            .collect()
    }

    fn aside(&self, one: usize, other: usize) -> bool {
        one != other && !has(self.pasts[one], other) && !has(self.pasts[other], one)
    }

    /// The author's rank where it acts, as seen at a place of the evaluation.
    fn raw_rank(&mut self, node: usize, at: u8) -> Option<Rank> {
        if let Some(rank) = self.ranks.get(&(node, at)) {
            return *rank;
        }
        let rank = self.rank(self.author(node), self.pasts[node], at);
        self.ranks.insert((node, at), rank);
        rank
    }

    fn decided_before(&mut self, node: usize, at: u8) -> bool {
        (0..at).any(|earlier| self.raw_rank(node, earlier).is_some_and(|rank| place(rank) <= earlier))
    }

    /// What counts at a place stays as it was decided at an earlier one.
    fn settled(&mut self, node: usize, at: u8) -> u8 {
        (0..at)
            .find(|&earlier| self.raw_rank(node, earlier).is_some_and(|rank| place(rank) <= earlier))
            .unwrap_or(at)
    }

    /// The author's rank, unless it has none or its entry is void.
    pub(super) fn authority(&mut self, node: usize, at: u8) -> Option<Rank> {
        let at = self.settled(node, at);
        let rank = self.raw_rank(node, at)?;
        let author = self.author(node);
        if !self.rules.strong_removal || author == ROOT {
            return Some(rank);
        }
        for op in self.ops(u64::MAX) {
            let is_of_author = match self.act(op) {
                Act::RemoveDevice { device, .. } => device == author,
                Act::RemoveUser { user, .. } | Act::SetRole { user, .. } => Some(user) == rank.0,
                _ => false,
            };
            if !is_of_author
                || !self.aside(op.0, node)
                || !self.decided_before(op.0, at)
                || !self.counts(op, at)
            {
                continue;
            }
            let lowers = match self.act(op) {
                Act::SetRole { .. } => self.demotes(op, at),
                _ => true,
            };
            let Some(remover) = self.authority(op.0, at) else { continue };
            let by_senior = self.rules.seniority
                && matches!(self.act(op), Act::RemoveDevice { .. })
                && (remover.1 > rank.1 || (remover.1 == rank.1 && remover.2 < rank.2));
            let stronger = if remover.0 == rank.0 { by_senior } else { remover.1 > rank.1 };
            if lowers && stronger {
                return None;
            }
        }
        Some(rank)
    }

    fn demotes(&mut self, op: Op, at: u8) -> bool {
        let Act::SetRole { user, role, .. } = self.act(op) else { return false };
        let at = self.settled(op.0, at);
        self.role(user, self.pasts[op.0], at).is_some_and(|before| role < before)
    }

    /// The rank of a device in a set of entries.
    fn rank(&mut self, device: usize, set: u64, at: u8) -> Option<Rank> {
        if device == ROOT {
            return Some((None, 4, 0));
        }
        let user = device % USERS;
        let mut depth = None;
        for op in self.ops(set) {
            let names = match self.act(op) {
                Act::AddUser { user: added, .. } => added == device,
                Act::AddDevice { device: added } => added == device,
                _ => false,
            };
            if !names || !self.counts(op, at) || self.is_removed_after(device, op.0, set, at) {
                continue;
            }
            let by = self.authority(op.0, at).expect("what counts has an author");
            let own = matches!(self.act(op), Act::AddDevice { .. }) && by.0 == Some(user);
            let here = if own { (by.2 + 1).min(3) } else { 0 };
            depth = Some(depth.map_or(here, |depth: u8| depth.min(here)));
        }
        let depth = depth?;
        Some((Some(user), self.role(user, set, at)? as u8, depth))
    }

    /// Whether a removal of a device undoes its addition by an entry.
    fn is_removed_after(&mut self, device: usize, added: usize, set: u64, at: u8) -> bool {
        self.ops(set).into_iter().any(|op| {
            let removes = match self.act(op) {
                Act::RemoveDevice { device: removed, .. } => removed == device,
                Act::RemoveUser { user, .. } => user == device % USERS,
                _ => false,
            };
            let returns = !self.rules.removal_is_final && has(self.pasts[added], op.0);
            removes && !returns && self.counts(op, at)
        })
    }

    fn gives_role(&self, op: Op) -> Option<(usize, Role)> {
        match self.act(op) {
            Act::AddUser { user, role, .. } | Act::SetRole { user, role, .. } => Some((user, role)),
            _ => None,
        }
    }

    pub(super) fn role(&mut self, user: usize, set: u64, at: u8) -> Option<Role> {
        let given: Vec<(usize, u8, Role)> = self
            .ops(set)
            .into_iter()
            .filter_map(|op| {
                let (_, role) = self.gives_role(op).filter(|(of, _)| *of == user)?;
                self.counts(op, at).then(|| self.authority(op.0, at)).flatten().map(|by| (op.0, by.1, role))
            })
            .collect();
        let heads: Vec<_> = given
            .iter()
            .filter(|(node, ..)| !given.iter().any(|(later, ..)| has(self.pasts[*later], *node)))
            .collect();
        let highest = heads.iter().map(|(_, class, _)| *class).max()?;
        heads.iter().filter(|(_, class, _)| *class == highest).map(|(.., role)| *role).min()
    }

    /// Whether an operation on users and devices counts.
    pub(super) fn counts(&mut self, op: Op, at: u8) -> bool {
        let at = self.settled(op.0, at);
        if let Some(counts) = self.counting.get(&(op, at)) {
            return *counts;
        }
        let counts = match self.authority(op.0, at) {
            Some(by) => self.allowed(op, by, at),
            None => false,
        };
        self.counting.insert((op, at), counts);
        counts
    }

    fn allowed(&mut self, op: Op, by: Rank, at: u8) -> bool {
        let past = self.pasts[op.0];
        let checked = self.rules.class_is_checked;
        let own = |user: usize| by.0 == Some(user);
        let below = |role: Option<Role>| role.is_some_and(|role| (role as u8) < by.1 || !checked);
        match self.act(op) {
            Act::AddUser { user, role, .. } => {
                let known = self.ops(past).into_iter().any(|other| {
                    self.gives_role(other).is_some_and(|(of, _)| of == user)
                        && self.counts(other, at)
                        && self.authority(other.0, at).is_some_and(|other| other.1 >= by.1)
                });
                below(Some(role)) && !known && !self.overruled(op, user, by.1, at)
            }
            Act::SetRole { user, role, .. } => {
                let now = self.role(user, past, at);
                now.is_some()
                    && (own(user) || below(now))
                    && below(Some(role))
                    && !self.overruled(op, user, by.1, at)
            }
            Act::AddDevice { device } => {
                let user = device % USERS;
                let by_root = by.0.is_none();
                self.role(user, past, at).is_some() && (own(user) || by_root || !checked)
            }
            Act::RemoveUser { user, .. } => {
                let now = self.role(user, past, at);
                now.is_some() && (own(user) || below(now))
            }
            Act::RemoveDevice { device, .. } => {
                let user = device % USERS;
                let certified = self.ops(past).into_iter().any(|other| match self.act(other) {
                    Act::AddUser { user, .. } => user == device,
                    Act::AddDevice { device: added } => added == device,
                    _ => false,
                });
                let now = self.role(user, past, at);
                certified && (own(user) || below(now) || (now.is_none() && by.1 >= 2))
            }
            Act::Amend { .. }
            | Act::CircleNew { .. }
            | Act::CircleAdd { .. }
            | Act::CircleRemove { .. }
            | Act::Key { .. } => false,
            Act::SecondUser { .. } => unreachable!("the naive fold knows of one user for each device"),
        }
    }

    fn overruled(&mut self, op: Op, user: usize, class: u8, at: u8) -> bool {
        self.rules.higher_class_decides
            && self.ops(u64::MAX).into_iter().any(|other| {
                self.gives_role(other).is_some_and(|(of, _)| of == user)
                    && self.aside(other.0, op.0)
                    && self.decided_before(other.0, at)
                    && self.counts(other, at)
                    && self.authority(other.0, at).is_some_and(|other| other.1 > class)
            })
    }

    /// What a device may do in the end in a set of entries.
    pub(super) fn standing(&mut self, device: usize, set: u64) -> Option<(usize, Role)> {
        let (user, class, _) = self.rank(device, set, END)?;
        Some((user?, Role::ALL[usize::from(class)]))
    }

    /// Who decided an operation on a circle, if it counts. Operations earlier in the entry count.
    fn circle_op(&mut self, op: Op) -> Option<Rank> {
        let by = self.authority(op.0, END)?;
        let before: Vec<Op> = self.ops(self.upto(op.0)).into_iter().filter(|other| *other < op).collect();
        let before: Vec<Op> =
            before.into_iter().filter(|other| other.0 == op.0 || has(self.pasts[op.0], other.0)).collect();
        let made = |naive: &mut Self, circle| {
            before.iter().any(|other| {
                naive.act(*other) == Act::CircleNew { circle } && naive.circle_op(*other).is_some()
            })
        };
        let role = self.role_before(op);
        let counts = match self.act(op) {
            Act::CircleNew { circle } => !made(self, circle) && by.1 >= 2 && by.0.is_some(),
            Act::CircleAdd { circle, user, role: given } => {
                let in_circle = by.0.is_some_and(|own| self.circle_role_of(circle, own, &before).is_some());
                let is_in = self.circle_role_of(circle, user, &before).is_some();
                made(self, circle)
                    && (by.1 >= 3 || in_circle)
                    && (given as u8) < by.1
                    && (!is_in || by.0 == Some(user) || role.is_none_or(|role| (role as u8) < by.1))
            }
            Act::CircleRemove { circle, user, .. } => {
                made(self, circle) && (by.0 == Some(user) || role.is_none_or(|role| (role as u8) < by.1))
            }
            _ => false,
        };
        counts.then_some(by)
    }

    /// The role in the workspace of the user that an operation is about.
    fn role_before(&mut self, op: Op) -> Option<Role> {
        match self.act(op) {
            Act::CircleAdd { user, .. } | Act::CircleRemove { user, .. } => {
                self.role(user, self.pasts[op.0], END)
            }
            _ => None,
        }
    }

    fn circle_role_of(&mut self, circle: usize, user: usize, ops: &[Op]) -> Option<Role> {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for &op in ops {
            let by = self.circle_op(op);
            match (self.act(op), by) {
                (Act::CircleNew { circle: of }, Some(by)) if of == circle && by.0 == Some(user) => {
                    added.push((op.0, by.1, Role::Writer));
                }
                (Act::CircleAdd { circle: of, user: one, role }, Some(by)) if of == circle && one == user => {
                    added.push((op.0, by.1, role));
                }
                (Act::CircleRemove { circle: of, user: one, .. }, Some(_)) if of == circle && one == user => {
                    removed.push(op.0);
                }
                _ => {}
            }
        }
        let beats = self.rules.removal_beats_addition_in_circles;
        let knows = |node: usize, other: usize| has(self.pasts[node], other);
        added.retain(|(node, ..)| {
            removed.iter().all(|&removal| knows(*node, removal) || (!beats && !knows(removal, *node)))
        });
        let heads: Vec<_> =
            added.iter().filter(|(node, ..)| !added.iter().any(|(later, ..)| knows(*later, *node))).collect();
        let highest = heads.iter().map(|(_, class, _)| *class).max()?;
        heads.iter().filter(|(_, class, _)| *class == highest).map(|(.., role)| *role).min()
    }

    /// The role of a user in a circle; nobody is in one who is not in the workspace.
    pub(super) fn circle_role(&mut self, circle: usize, user: usize, set: u64) -> Option<Role> {
        let gone = self.ops(set).into_iter().any(|op| {
            matches!(self.act(op), Act::RemoveUser { user: removed, .. } if removed == user)
                && self.counts(op, END)
        });
        let role = self.role(user, set, END).filter(|_| !gone)?;
        let ops = self.ops(set);
        Some(self.circle_role_of(circle, user, &ops)?.min(role))
    }

    /// The circles that a key (named by the entry that publishes it) is of, in a set.
    fn circles_of(&self, key: usize, set: u64) -> Vec<Option<usize>> {
        let named = |node: usize, circle: usize| {
            self.ops(self.upto(node)).into_iter().any(|op| self.act(op) == Act::CircleNew { circle })
        };
        let mut circles = Vec::new();
        if has(set, key) && self.held[key] && key > 0 {
            for act in &self.history.0[key - 1].acts {
                if let Act::Key { circle } = act {
                    // Of two in one entry with one key the first is taken.
                    if circle.is_none_or(|circle| named(key, circle)) {
                        circles.push(*circle);
                        break;
                    }
                }
            }
        }
        circles
    }

    /// R6: whether data entry `seq` of a device under a directory entry and a key is accepted.
    pub(super) fn accepts(&mut self, device: usize, seq: u64, auth: usize, key: usize) -> bool {
        let view = self.upto(auth);
        let circles = self.circles_of(key, view);
        let writes = match self.standing(device, view) {
            Some((user, role)) if role >= Role::Writer => {
                circles.is_empty()
                    || circles.iter().any(|circle| match circle {
                        None => true,
                        Some(circle) => {
                            self.circle_role(*circle, user, view).is_some_and(|role| role >= Role::Writer)
                        }
                    })
            }
            _ => false,
        };
        let granted = self.granted(device).is_some_and(|cut| seq <= cut);
        (writes || granted) && self.within_cuts(device, seq, view, key)
    }

    fn granted(&mut self, device: usize) -> Option<u64> {
        let mut cuts = Vec::new();
        for op in self.ops(u64::MAX) {
            let Act::Amend { device: named, cut } = self.act(op) else { continue };
            let past = self.pasts[op.0];
            let by_admin = self.authority(op.0, END).is_some_and(|by| by.1 >= 2);
            if named != device || !by_admin {
                continue;
            }
            let additions: Vec<Op> = self
                .ops(past)
                .into_iter()
                .filter(|other| match self.act(*other) {
                    Act::AddUser { user, .. } => user == device,
                    Act::AddDevice { device: added } => added == device,
                    _ => false,
                })
                .collect();
            if !additions.is_empty() && !additions.iter().any(|other| self.counts(*other, END)) {
                cuts.push(cut);
            }
        }
        cuts.into_iter().max()
    }

    fn within_cuts(&mut self, device: usize, seq: u64, view: u64, key: usize) -> bool {
        let user = device % USERS;
        let all = self.ops(u64::MAX);
        for &op in &all {
            let cut = match self.act(op) {
                Act::RemoveDevice { device: removed, cut } if removed == device && self.counts(op, END) => {
                    cut
                }
                Act::RemoveUser { user: removed, cut } if removed == user && self.counts(op, END) => cut,
                Act::SetRole { user: demoted, role: Role::Reader, cut }
                    if demoted == user
                        && self.rules.demotions_bind
                        && self.counts(op, END)
                        && self.demotes(op, END) =>
                {
                    let undone = self.ops(view).into_iter().any(|later| {
                        self.gives_role(later).is_some_and(|(of, role)| of == user && role >= Role::Writer)
                            && has(self.pasts[later.0], op.0)
                            && self.counts(later, END)
                    });
                    if undone {
                        continue;
                    }
                    cut
                }
                Act::CircleRemove { circle, user: removed, cut }
                    if removed == user && self.circle_op(op).is_some() =>
                {
                    let undone = self.ops(view).into_iter().any(|later| {
                        matches!(self.act(later), Act::CircleAdd { circle: of, user: one, .. } if of == circle && one == user)
                            && has(self.pasts[later.0], op.0)
                            && self.circle_op(later).is_some()
                    });
                    if undone || !self.circles_of(key, view).contains(&Some(circle)) {
                        continue;
                    }
                    cut
                }
                _ => continue,
            };
            let amended = self.amended(op, device, &all);
            if amended.into_iter().chain(cut).max().is_none_or(|cut| seq > cut) {
                return false;
            }
        }
        true
    }

    /// The cuts that amend that of a removal.
    fn amended(&mut self, removal: Op, device: usize, all: &[Op]) -> Vec<u64> {
        let mut cuts = Vec::new();
        let Some(remover) = self.authority(removal.0, END) else { return cuts };
        for &op in all {
            let Act::Amend { device: named, cut } = self.act(op) else { continue };
            let Some(by) = self.authority(op.0, END) else { continue };
            let may = if remover.0 == Some(device % USERS) {
                by.0 == remover.0 || by.1 > remover.1
            } else {
                by.1 >= remover.1
            };
            if self.rules.amendments && named == device && may && has(self.pasts[op.0], removal.0) {
                cuts.push(cut);
            }
        }
        cuts
    }
}
