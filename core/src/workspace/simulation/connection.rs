//! Two sessions and the wire between them.

use std::collections::VecDeque;
use std::sync::Arc;

use tidelog_log::env::{Random as _, SeededRandom};
use tidelog_log::session::{Role, Session, SessionError};
use tidelog_log::trie::Filter;

use super::Dice;

/// One end of a connection, and the messages on their way to it.
struct End {
    node: usize,
    session: Session,
    inbox: VecDeque<Vec<u8>>,
    /// Up to which own arrival the other side was found to hold everything, as it said.
    checked: u64,
}

pub(super) struct Connection {
    ends: [End; 2],
    /// The streams that both hold.
    pub(super) filter: Filter,
    /// Whether somebody in between changed something: then it may end in any error.
    pub(super) tampered: bool,
    /// Whether the first end only leaves a letter.
    letters: bool,
}

impl Connection {
    pub(super) fn new(
        nodes: [usize; 2],
        initiator: Role,
        responder: Role,
        filter: Filter,
        seed: u64,
        now_ms: u64,
    ) -> Self {
        let letters = matches!(initiator, Role::Client { member: None, .. });
        let end = |node, role, seed| {
            let random = Arc::new(SeededRandom::new(seed));
            let session = Session::new(role, random, now_ms).expect("good keys");
            End { node, session, inbox: VecDeque::new(), checked: 0 }
        };
        let ends = [end(nodes[0], initiator, seed), end(nodes[1], responder, seed + 1)];
        Self { ends, filter, tampered: false, letters }
    }

    pub(super) fn nodes(&self) -> [usize; 2] {
        self.ends.each_ref().map(|end| end.node)
    }

    pub(super) fn session(&mut self, end: usize) -> &mut Session {
        &mut self.ends[end].session
    }

    pub(super) fn checked(&self, end: usize) -> u64 {
        self.ends[end].checked
    }

    pub(super) fn set_checked(&mut self, end: usize, arrival: u64) {
        let checked = &mut self.ends[end].checked;
        *checked = (*checked).max(arrival);
    }

    /// Hands over the next message to one end, if there is one.
    pub(super) fn deliver(&mut self, end: usize, now_ms: u64) -> Option<Result<(), SessionError>> {
        let end = &mut self.ends[end];
        let message = end.inbox.pop_front()?;
        Some(end.session.receive(&message, now_ms))
    }

    /// Puts what the ends have to say on its way.
    pub(super) fn collect(&mut self) {
        for end in [0, 1] {
            while let Some(message) = self.ends[end].session.transmit() {
                self.ends[1 - end].inbox.push_back(message);
            }
        }
    }

    /// An end that has more to do than its last turn had time for.
    pub(super) fn busy_end(&self) -> Option<usize> {
        (0..2).find(|end| self.ends[*end].session.is_busy())
    }

    /// An end that has something to take.
    pub(super) fn next_end(&self) -> Option<usize> {
        (0..2).find(|end| !self.ends[*end].inbox.is_empty())
    }

    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().any(|end| end.session.is_over())
    }

    /// Whether both sides hold the same, or the letter is left.
    pub(super) fn is_done(&self) -> bool {
        self.letters || self.ends.iter().all(|end| end.session.is_synced())
    }

    /// Garbage, a flipped bit, a repetition, another order or a loss in the middle of a connection.
    pub(super) fn tamper(&mut self, dice: &Dice) {
        let inbox = &mut self.ends[dice.below(2)].inbox;
        self.tampered = true;
        match dice.below(5) {
            0 => {
                let mut garbage = vec![0; dice.below(200)];
                dice.0.fill(&mut garbage);
                inbox.push_back(garbage);
            }
            1 => {
                if let Some(message) = inbox.front_mut().filter(|message| !message.is_empty()) {
                    let at = dice.below(message.len());
                    message[at] ^= 1 << dice.below(8);
                }
            }
            2 => {
                if let Some(message) = inbox.front().cloned() {
                    inbox.push_front(message);
                }
            }
            3 => inbox.make_contiguous().reverse(),
            _ => drop(inbox.pop_front()),
        }
    }
}
