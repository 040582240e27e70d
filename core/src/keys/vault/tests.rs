//! Claims about the vault.

use tidelog_log::env::SeededRandom;

use super::*;

fn vault() -> Vault {
    let mut vault = Vault::generate(&SeededRandom::new(1));
    vault.life.home = Some([4; 32]);
    vault.root = Some(Secret::new([3; 32]));
    vault.next = Some(Life { incarnation: [5; 16], home: Some([6; 32]) });
    vault
}

fn seal(key: &Key) -> Vec<u8> {
    let random = SeededRandom::new(2);
    vault().seal(&VaultKey::new(key, Cost::FLOOR, &random).expect("stretches"), &random)
}

/// A vault under the passphrase "correct horse", with the key it was stretched to.
fn stretched() -> (Vec<u8>, Secret) {
    let bytes = seal(&Key::passphrase("correct horse"));
    let key =
        Header::decode(&bytes).expect("a header").key(&Key::passphrase("correct horse")).expect("stretches");
    (bytes, key)
}

fn same(a: &Vault, b: &Vault) -> bool {
    a.seed.as_bytes() == b.seed.as_bytes()
        && (a.life, a.next) == (b.life, b.next)
        && a.root.as_ref().map(Secret::as_bytes) == b.root.as_ref().map(Secret::as_bytes)
}

fn opens_to(result: Result<(Vault, VaultKey), VaultError>) -> Result<(), VaultError> {
    result.map(|(opened, _)| assert!(same(&opened, &vault())))
}

#[test]
fn the_passphrase_opens_and_another_does_not() {
    let bytes = seal(&Key::passphrase("correct horse"));
    assert_eq!(opens_to(Vault::open(&bytes, &Key::passphrase("correct horse"))), Ok(()));
    assert_eq!(opens_to(Vault::open(&bytes, &Key::passphrase("Correct horse"))), Err(VaultError::WrongKey));
    assert_eq!(opens_to(Vault::open(&bytes, &Key::raw([1; 32]))), Err(VaultError::NeedsPassphrase));
}

#[test]
fn the_raw_key_opens_and_another_does_not() {
    let bytes = seal(&Key::raw([1; 32]));
    assert_eq!(bytes.len(), VAULT_LEN_MAX);
    assert_eq!(opens_to(Vault::open(&bytes, &Key::raw([1; 32]))), Ok(()));
    assert_eq!(opens_to(Vault::open(&bytes, &Key::raw([2; 32]))), Err(VaultError::WrongKey));
    assert_eq!(opens_to(Vault::open(&bytes, &Key::passphrase("x"))), Err(VaultError::NeedsRawKey));
}

#[test]
fn whatever_a_vault_holds_and_lacks_round_trips() {
    let key = Key::raw([1; 32]);
    let random = SeededRandom::new(2);
    let sealing = VaultKey::new(&key, Cost::DEFAULT, &random).expect("no stretching");
    for root in [None, vault().root] {
        for next in [None, vault().next] {
            for home in [None, vault().life.home] {
                let mut written = Vault { root: root.clone(), next, ..vault() };
                written.life.home = home;
                let (read, _) = Vault::open(&written.seal(&sealing, &random), &key).expect("opens");
                assert!(same(&read, &written), "{written:?}");
            }
        }
    }
}

#[test]
fn a_vault_seals_again_under_the_key_it_was_opened_with_and_knows_that_key() {
    let passphrase = Key::passphrase("correct horse");
    let (mut vault, key) = Vault::open(&seal(&passphrase), &passphrase).expect("opens");
    assert_eq!(key.is_of(&passphrase), Ok(true));
    assert_eq!(key.is_of(&Key::passphrase("other")), Ok(false));
    assert_eq!(key.is_of(&Key::raw([1; 32])), Ok(false));
    vault.root = None;
    let sealed = vault.seal(&key, &SeededRandom::new(9));
    assert!(Vault::open(&sealed, &passphrase).expect("opens").0.root.is_none());
}

#[test]
fn content_that_says_it_holds_something_else_is_refused() {
    let mut content = [1; 81];
    for held in 0..=u8::MAX {
        content[80] = held;
        assert_eq!(Vault::decode(&content).is_some(), held == 0, "{held}");
    }
}

#[test]
fn every_single_bit_flip_under_a_raw_key_is_refused() {
    let bytes = seal(&Key::raw([1; 32]));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Vault::open(&flipped, &Key::raw([1; 32])).is_err(), "bit {bit}");
    }
}

/// With the right stretched key in hand, so that only the seal stands between a flip and success.
#[test]
fn every_single_bit_flip_under_a_passphrase_is_refused() {
    let (bytes, key) = stretched();
    let unseal = |bytes: &[u8]| Vault::unseal(bytes, &key).map(|opened| assert!(same(&opened, &vault())));
    assert_eq!(unseal(&bytes), Ok(()));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(unseal(&flipped), Err(VaultError::WrongKey), "bit {bit}");
    }
}

#[test]
fn truncated_and_extended_vaults_are_refused() {
    let bytes = seal(&Key::raw([1; 32]));
    for length in 0..bytes.len() {
        assert!(Vault::open(&bytes[..length], &Key::raw([1; 32])).is_err(), "length {length}");
    }
    assert!(Vault::open(&[&bytes[..], &[0]].concat(), &Key::raw([1; 32])).is_err());
}

#[test]
fn costs_are_taken_at_their_bounds_and_refused_beyond() {
    let floor = Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    let ceiling = Cost { memory_kib: 1024 * 1024, passes: 10, lanes: 4 };
    let decode =
        |cost| Header::decode(&Header { kdf: Kdf::Argon2id(cost), salt: [9; 16] }.encode()).map(|_| ());
    assert_eq!((decode(floor), decode(ceiling)), (Ok(()), Ok(())));
    for cost in [
        Cost { memory_kib: 19 * 1024 - 1, ..floor },
        Cost { passes: 1, ..floor },
        Cost { lanes: 0, ..floor },
        Cost { memory_kib: 1024 * 1024 + 1, ..ceiling },
        Cost { passes: 11, ..ceiling },
        Cost { lanes: 5, ..ceiling },
        Cost { memory_kib: u32::MAX, ..ceiling },
    ] {
        assert_eq!(decode(cost), Err(VaultError::Cost), "{cost:?}");
    }
}

#[test]
fn a_vault_is_never_sealed_at_a_cost_that_does_not_open() {
    let cheap = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let key = VaultKey::new(&Key::passphrase("x"), cheap, &SeededRandom::new(2));
    assert_eq!(key.map(drop), Err(VaultError::Cost));
}

#[test]
fn an_empty_passphrase_is_refused() {
    let key = VaultKey::new(&Key::passphrase(""), Cost::FLOOR, &SeededRandom::new(2));
    assert_eq!(key.map(drop), Err(VaultError::EmptyPassphrase));
}

#[test]
fn a_newer_version_asks_for_an_upgrade_and_a_stranger_is_no_vault() {
    let mut newer = seal(&Key::raw([1; 32]));
    newer[8] = 2;
    assert_eq!(opens_to(Vault::open(&newer, &Key::raw([1; 32]))), Err(VaultError::NewerFormat));
    let mut kdf = seal(&Key::raw([1; 32]));
    kdf[9] = 3;
    assert_eq!(opens_to(Vault::open(&kdf, &Key::raw([1; 32]))), Err(VaultError::NewerFormat));
    let stranger = [b'x'; VAULT_LEN_MAX];
    assert_eq!(opens_to(Vault::open(&stranger, &Key::raw([1; 32]))), Err(VaultError::NotAVault));
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", Key::passphrase("hunter2")), "Key(..)");
    assert_eq!(format!("{:?}", Key::raw([1; 32])), "Key(..)");
    let shown = format!("{:?}", vault());
    assert!(shown.contains("seed: Secret(..)") && shown.contains("root: Some(Secret(..))"), "{shown}");
}
