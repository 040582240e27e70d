//! Replicas that do not know the same of a removal meet.

use std::sync::Arc;

use tidelog_log::crypto::noise::{Psk, RelaySecret};
use tidelog_log::env::SeededRandom;
use tidelog_log::frames::{BoxId, Closing, Code, MailError};
use tidelog_log::ids::{DeviceId, WorkspaceId};
use tidelog_log::log::{CHAIN_ENDS_MAX, Exclusion, Log};
use tidelog_log::session::{Bans, Direction, Host, Letter, Member, Replica, Role, Session, SessionError};
use tidelog_log::trie::Filter;
use zeroize::Zeroizing;

use super::world::{ADMIN, OTHER, OWNER, Place, STREAM, WRITER, World};

struct OneWorkspace(Arc<Log>, Bans);

impl Host for OneWorkspace {
    fn open(&self, _: &WorkspaceId, _: &DeviceId) -> Result<Arc<dyn Replica>, Closing> {
        Ok(self.0.clone())
    }

    fn bans(&self) -> &Bans {
        &self.1
    }

    fn mail_open(&self, _: &WorkspaceId, _: BoxId, _: [u8; 32], _: u64) -> Result<Vec<Letter>, MailError> {
        Err(MailError::Unavailable)
    }

    fn mail_put(&self, _: BoxId, _: &[u8; 32], _: Vec<u8>) -> Result<u32, MailError> {
        Err(MailError::Unavailable)
    }

    fn mail_get(&self, _: BoxId, _: &[u8; 32], _: u32) -> Result<Vec<Letter>, MailError> {
        Err(MailError::Unavailable)
    }
}

fn session(role: Role, seed: u64) -> Session {
    Session::new(role, Arc::new(SeededRandom::new(seed)), 0).expect("starts")
}

fn member(world: &World, place: &Place, device: u8) -> Member {
    Member {
        replica: place.log.clone(),
        signer: world.workspace.device(device),
        streams: Filter::All,
        bans: Arc::default(),
        direction: Direction::Both,
    }
}

fn peers(world: &World, one: (&Place, u8), other: (&Place, u8)) -> [Session; 2] {
    let psk = || Psk::new(Zeroizing::new([7; 32]));
    let role =
        |place, device, initiator| Role::Peer { initiator, psk: psk(), member: member(world, place, device) };
    [session(role(one.0, one.1, true), 1), session(role(other.0, other.1, false), 2)]
}

fn at_relay(world: &World, client: (&Place, u8), relay: &Place) -> [Session; 2] {
    let secret = Arc::new(RelaySecret::from_bytes([9; 32]));
    let key = secret.public();
    let client = Role::Client { relay: key, member: Some(member(world, client.0, client.1)) };
    let relay = Role::Relay { secret, host: Arc::new(OneWorkspace(relay.log.clone(), Bans::default())) };
    [session(client, 3), session(relay, 4)]
}

/// Carries messages until both are silent; the first error of each.
fn run(sessions: &mut [Session; 2]) -> [Option<SessionError>; 2] {
    let mut errors = [None, None];
    loop {
        let mut silent = true;
        for from in 0..2 {
            while let Some(message) = sessions[from].transmit() {
                silent = false;
                if let Err(error) = sessions[1 - from].receive(&message, 0) {
                    errors[1 - from].get_or_insert(error);
                }
            }
        }
        for (end, session) in sessions.iter_mut().enumerate() {
            if !session.is_over()
                && let Err(error) = session.poke(0)
            {
                errors[end].get_or_insert(error);
            }
        }
        if silent && sessions.iter().all(|session| !session.is_busy()) {
            return errors;
        }
    }
}

/// A workspace in which one replica knows of a removal, and another holds what was written past the
/// cut.
fn divided(seed: u64) -> (World, Place, Place) {
    let (mut world, head) = World::new(seed);
    let kept = world.write(WRITER, head);
    let common = world.entries.len();
    for _ in 0..5 {
        world.write(WRITER, head);
    }
    let op = world.remove(WRITER, vec![world.cut(kept)]);
    world.directory_entry(OWNER, &[head], vec![op]);
    let (knows, holds) = (world.replica(1), world.replica(2));
    knows.deliver(&world.entries[..common], 0);
    knows.deliver(&world.entries[world.entries.len() - 1..], 0);
    holds.deliver(&world.entries[..world.entries.len() - 1], 0);
    assert_eq!((knows.counting().len(), holds.counting().len()), (1, 6));
    (world, knows, holds)
}

fn assert_agree(errors: &[Option<SessionError>; 2], one: &Place, other: &Place) {
    assert!(errors.iter().all(Option::is_none), "{errors:?}");
    assert_eq!(one.root(), other.root());
    assert_eq!((one.counting().len(), other.counting().len()), (1, 1));
}

#[test]
fn two_members_who_know_different_things_of_a_removal_agree_in_the_end() {
    for (seed, knows_first) in [(30, true), (31, false)] {
        let (world, knows, holds) = divided(seed);
        let mut sessions = if knows_first {
            peers(&world, (&knows, ADMIN), (&holds, OTHER))
        } else {
            peers(&world, (&holds, OTHER), (&knows, ADMIN))
        };
        let errors = run(&mut sessions);
        assert_agree(&errors, &knows, &holds);
        assert!(sessions.iter().all(Session::is_synced));
    }
}

#[test]
fn a_client_and_a_relay_agree_whoever_of_them_knows_of_the_removal() {
    let (world, knows, holds) = divided(32);
    assert_agree(&run(&mut at_relay(&world, (&holds, OTHER), &knows)), &knows, &holds);
    let (world, knows, holds) = divided(33);
    assert_agree(&run(&mut at_relay(&world, (&knows, OTHER), &holds)), &knows, &holds);
}

#[test]
fn a_long_chain_to_a_cut_comes_in_parts_past_a_fork_that_only_one_replica_holds() {
    let (mut world, head) = World::new(36);
    let first = world.write(WRITER, head);
    let fork = world.write(WRITER, head);
    let forked = world.entries.len();
    world.rewind(WRITER, STREAM, first);
    // Each is signed, so that they are stored in several groups: only the last one holds the cut.
    let last = (0..300).map(|_| world.write(WRITER, head)).last().expect("some");
    let op = world.remove(WRITER, vec![world.cut(last)]);
    world.directory_entry(OWNER, &[head], vec![op]);
    let (knows, holds) = (world.replica(1), world.replica(2));
    knows.take(world.entries[..forked].to_vec());
    knows.take(world.entries[world.entries.len() - 1..].to_vec());
    holds.take(world.entries.iter().filter(|entry| entry.id() != fork).cloned().collect());
    assert_eq!((knows.counting().len(), holds.counting().len()), (2, 301));
    let errors = run(&mut peers(&world, (&knows, ADMIN), (&holds, OTHER)));
    assert!(errors.iter().all(Option::is_none), "{errors:?}");
    assert_eq!(knows.root(), holds.root());
    assert_eq!(knows.counting(), holds.counting());
    assert_eq!(knows.reason(fork), Some(Exclusion::Fork));
}

#[test]
fn a_long_chain_comes_with_its_cut_past_as_many_false_branches_as_are_held() {
    let (mut world, head) = World::new(37);
    let first = world.write(WRITER, head);
    let founding = world.entries.len();
    let last = (0..300).map(|_| world.write(WRITER, head)).last().expect("some");
    let op = world.remove(WRITER, vec![world.cut(last)]);
    world.directory_entry(OWNER, &[head], vec![op]);
    let (knows, holds) = (world.replica(1), world.replica(2));
    holds.take(world.entries.clone());
    knows.take(world.entries[..founding].to_vec());
    knows.take(world.entries[world.entries.len() - 1..].to_vec());
    for _ in 0..CHAIN_ENDS_MAX + 5 {
        world.rewind(WRITER, STREAM, first);
        let branch = world.write(WRITER, head);
        let made = world.entries.iter().filter(|entry| entry.id() == branch);
        knows.take(made.cloned().collect());
    }
    assert_eq!(knows.log.excluded().expect("reads").len(), CHAIN_ENDS_MAX);
    let errors = run(&mut peers(&world, (&knows, ADMIN), (&holds, OTHER)));
    assert!(errors.iter().all(Option::is_none), "{errors:?}");
    assert_eq!(knows.root(), holds.root());
    assert_eq!((knows.counting().len(), holds.counting().len()), (301, 301));
}

#[test]
fn a_removed_device_is_sent_away_by_relay_and_members_and_learns_why() {
    let (world, knows, holds) = divided(34);
    for mut sessions in
        [at_relay(&world, (&holds, WRITER), &knows), peers(&world, (&holds, WRITER), (&knows, ADMIN))]
    {
        let errors = run(&mut sessions);
        let removed = |error: &Option<SessionError>| match error {
            Some(SessionError::Closed(closing) | SessionError::ClosedByPeer(closing)) => {
                closing.code == Code::Removed
            }
            _ => false,
        };
        assert!(errors.iter().all(removed), "{errors:?}");
        assert_eq!((knows.counting().len(), holds.counting().len()), (1, 6), "nothing went either way");
    }
}

#[test]
fn a_live_session_of_a_device_ends_when_its_removal_lands_at_the_relay() {
    let (mut world, head) = World::new(35);
    let kept = world.write(WRITER, head);
    let (writer, relay) = (world.replica(1), world.relay(1));
    writer.deliver(&world.entries, 0);
    let mut sessions = at_relay(&world, (&writer, WRITER), &relay);
    let errors = run(&mut sessions);
    assert!(errors.iter().all(Option::is_none), "{errors:?}");
    assert_eq!(relay.root(), writer.root());
    let op = world.remove(WRITER, vec![world.cut(kept)]);
    world.directory_entry(OWNER, &[head], vec![op]);
    relay.take(world.entries[world.entries.len() - 1..].to_vec());
    let late = world.write(WRITER, head);
    writer.take(world.entries[world.entries.len() - 1..].to_vec());
    let ended = sessions[1].poke(0);
    assert!(
        matches!(&ended, Err(SessionError::Closed(closing)) if closing.code == Code::Removed),
        "{ended:?}"
    );
    run(&mut sessions);
    assert!(relay.log.entry(&late).expect("reads").is_none(), "what it wrote past the cut is not taken");
}
