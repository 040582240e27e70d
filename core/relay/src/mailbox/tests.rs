//! What mailboxes keep, and what they refuse.

use proptest::prelude::*;
use tidelog_log::env::ManualClock;
use tidelog_log::storage::{FolderStorage, MemoryStorage};

use super::*;

const NOW_MS: u64 = 1_000_000;
const MINE: WorkspaceId = WorkspaceId([1; 32]);
const OTHER: WorkspaceId = WorkspaceId([2; 32]);
const BOX: BoxId = BoxId([3; 16]);
const TOKEN: [u8; 32] = [4; 32];

fn token_hash() -> [u8; 32] {
    sha256(&[&TOKEN])
}

struct Desk {
    storage: Arc<dyn Storage>,
    clock: Arc<ManualClock>,
    mail: Mailboxes,
}

impl Desk {
    fn new() -> Self {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let mail =
            Mailboxes::load(Arc::clone(&storage), Arc::clone(&clock) as Arc<dyn Clock>).expect("loads");
        Self { storage, clock, mail }
    }

    fn opened() -> Self {
        let desk = Self::new();
        desk.mail.open(MINE, BOX, token_hash(), NOW_MS + 1000).expect("opens");
        desk
    }

    fn reloaded(&self) -> Mailboxes {
        Mailboxes::load(Arc::clone(&self.storage), Arc::clone(&self.clock) as Arc<dyn Clock>).expect("loads")
    }

    fn files(&self) -> usize {
        self.storage.list("").expect("lists").len()
    }
}

#[test]
fn nothing_is_stored_without_an_open_box() {
    let desk = Desk::new();
    assert_eq!(desk.mail.put(BOX, &TOKEN, b"letter"), Err(MailError::NotOpen));
    assert_eq!(desk.files(), 0);
}

#[test]
fn a_letter_is_there_for_both_sides_also_after_a_restart() {
    let desk = Desk::opened();
    assert_eq!(desk.mail.put(BOX, &TOKEN, b"one"), Ok(1));
    assert_eq!(desk.mail.put(BOX, &TOKEN, b"two"), Ok(2));
    let letters = vec![(1, b"one".to_vec()), (2, b"two".to_vec())];
    for mail in [&desk.mail, &desk.reloaded()] {
        assert_eq!(mail.get(BOX, &TOKEN, 0), Ok(letters.clone()));
        assert_eq!(mail.news(BOX, 1), letters[1..].to_vec());
        assert_eq!(mail.open(MINE, BOX, token_hash(), NOW_MS + 1000), Ok(letters.clone()));
    }
}

#[test]
fn a_wrong_token_finds_no_box() {
    let desk = Desk::opened();
    assert_eq!(desk.mail.put(BOX, &[5; 32], b"letter"), Err(MailError::NotOpen));
    assert_eq!(desk.mail.get(BOX, &[5; 32], 0), Err(MailError::NotOpen));
}

#[test]
fn a_box_belongs_to_the_workspace_that_opened_it() {
    let desk = Desk::opened();
    assert_eq!(desk.mail.open(OTHER, BOX, token_hash(), NOW_MS + 9), Err(MailError::Unavailable));
    assert_eq!(desk.mail.open(OTHER, BOX, token_hash(), 0), Err(MailError::Unavailable));
    assert_eq!(desk.mail.open(MINE, BOX, [9; 32], NOW_MS + 9), Err(MailError::Unavailable));
    assert_eq!(desk.mail.get(BOX, &TOKEN, 0), Ok(Vec::new()));
}

#[test]
fn opening_again_moves_the_end_and_keeps_the_letters() {
    let desk = Desk::opened();
    desk.mail.put(BOX, &TOKEN, b"letter").expect("room");
    desk.mail.open(MINE, BOX, token_hash(), NOW_MS + 5000).expect("opens");
    desk.clock.advance(4999);
    assert_eq!(desk.mail.get(BOX, &TOKEN, 0).map(|letters| letters.len()), Ok(1));
}

#[test]
fn a_box_ends_at_its_end_and_its_file_goes() {
    let desk = Desk::opened();
    desk.mail.put(BOX, &TOKEN, b"letter").expect("room");
    desk.clock.advance(999);
    assert_eq!(desk.mail.purge(), 1);
    desk.clock.advance(1);
    assert_eq!(desk.mail.get(BOX, &TOKEN, 0), Err(MailError::NotOpen));
    assert_eq!(desk.mail.put(BOX, &TOKEN, b"more"), Err(MailError::NotOpen));
    assert_eq!(desk.mail.purge(), 0);
    assert_eq!(desk.files(), 0);
}

#[test]
fn an_end_in_the_past_closes_a_box_at_once() {
    let desk = Desk::opened();
    desk.mail.open(MINE, BOX, token_hash(), 0).expect("closes");
    assert_eq!(desk.mail.get(BOX, &TOKEN, 0), Err(MailError::NotOpen));
    assert_eq!(desk.files(), 0);
}

#[test]
fn an_end_too_far_ahead_is_moved_to_the_limit() {
    let desk = Desk::new();
    desk.mail.open(MINE, BOX, token_hash(), u64::MAX).expect("opens");
    desk.clock.advance(LIFETIME_MS_MAX - 1);
    assert_eq!(desk.mail.purge(), 1);
    desk.clock.advance(1);
    assert_eq!(desk.mail.purge(), 0);
}

#[test]
fn a_box_takes_its_letters_and_no_more() {
    let desk = Desk::opened();
    for number in 1..=16 {
        assert_eq!(desk.mail.put(BOX, &TOKEN, &[number]), Ok(u32::from(number)));
    }
    assert_eq!(desk.mail.put(BOX, &TOKEN, &[17]), Err(MailError::Full));
    assert_eq!(desk.mail.put(BOX, &TOKEN, &[5]), Ok(5), "a letter that is there needs no room");
    assert_eq!(desk.reloaded().get(BOX, &TOKEN, 0).map(|letters| letters.len()), Ok(LETTERS_MAX));
}

#[test]
fn a_letter_has_at_most_its_bytes() {
    let desk = Desk::opened();
    assert_eq!(desk.mail.put(BOX, &TOKEN, &[0; MAIL_MAX]), Ok(1));
    assert!(desk.mail.put(BOX, &TOKEN, &[0; MAIL_MAX + 1]).is_err());
    assert!(desk.mail.put(BOX, &TOKEN, &[]).is_err());
}

#[test]
fn a_workspace_opens_its_boxes_and_no_more() {
    let desk = Desk::new();
    let open = |workspace, number: u128| {
        desk.mail.open(workspace, BoxId(number.to_be_bytes()), token_hash(), NOW_MS + 1)
    };
    for number in 0..BOXES_PER_WORKSPACE_MAX as u128 {
        assert_eq!(open(MINE, number), Ok(Vec::new()));
    }
    assert_eq!(open(MINE, 1 << 100), Err(MailError::Unavailable));
    assert_eq!(open(MINE, 0), Ok(Vec::new()), "a box that is open can be opened again");
    assert_eq!(open(OTHER, 1 << 101), Ok(Vec::new()));
}

#[test]
fn a_letter_that_could_not_be_stored_is_not_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage: Arc<dyn Storage> = Arc::new(FolderStorage::new(folder.path()));
    let mail = Mailboxes::load(storage, Arc::new(ManualClock::new(NOW_MS))).expect("loads");
    mail.open(MINE, BOX, token_hash(), NOW_MS + 1).expect("opens");
    // A folder in the place of the temporary file lets the next write fail.
    std::fs::create_dir(folder.path().join(format!("{}.tmp", name(BOX)))).expect("makes a folder");
    assert_eq!(mail.put(BOX, &TOKEN, b"letter"), Err(MailError::Unavailable));
    assert_eq!(mail.get(BOX, &TOKEN, 0), Ok(Vec::new()));
}

#[test]
fn foreign_files_are_left_alone() {
    let desk = Desk::new();
    for name in ["notes.txt", "00000000000000000000000000000000"] {
        replace_file(&*desk.storage, name, b"not a box").expect("writes");
    }
    assert_eq!(desk.reloaded().purge(), 0);
    assert_eq!(desk.files(), 2);
}

proptest! {
    #[test]
    fn a_box_decodes_to_what_was_encoded(
        expires_ms: u64,
        letters in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..=LETTERS_MAX),
    ) {
        let mailbox = Mailbox { workspace: MINE, token_hash: TOKEN, expires_ms, letters };
        let bytes = mailbox.encode();
        prop_assert_eq!(Mailbox::decode(&bytes), Some(mailbox));
        prop_assert_eq!(Mailbox::decode(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn arbitrary_bytes_are_a_box_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let framed = [MAGIC.as_slice(), &FORMAT.to_le_bytes(), &bytes].concat();
        if let Some(mailbox) = Mailbox::decode(&framed) {
            prop_assert_eq!(mailbox.encode(), framed);
        }
    }
}

#[test]
fn all_boxes_that_are_over_go_in_one_sweep_and_the_others_stay() {
    let desk = Desk::new();
    let many = u8::try_from(3 * PURGED_AT_ONCE + 1).expect("small");
    for number in 0..many {
        let end = if number % 2 == 0 { NOW_MS + 10 } else { NOW_MS + 1000 };
        desk.mail.open(MINE, BoxId([number; 16]), token_hash(), end).expect("opens");
    }
    desk.clock.advance(10);
    let left = usize::from(many / 2);
    assert_eq!((desk.mail.purge(), desk.files()), (left, left));
    assert_eq!(desk.reloaded().purge(), left);
}
