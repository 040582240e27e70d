//! Recovery words: 32 secret bytes as 24 English words, for a person to write down.
//!
//! The encoding is BIP-39's: 256 bits and the first 8 bits of their SHA-256, cut into 24 numbers of
//! 11 bits, each the place of a word in a list of 2,048. The list (`words.txt`) is that of the
//! standard, in the public domain (CC0); no two of its words begin with the same four letters.
//!
//! Errors say where a mistake is, never what was written there.

use std::sync::LazyLock;

use tidelog_log::crypto::sha256;
use zeroize::Zeroizing;

use super::{KEY_LEN, Secret};
use crate::error::{Error, ErrorKind};

/// How many words stand for a secret.
const WORDS: usize = 24;
const WORD_BITS: usize = 11;
/// Bytes of the secret and its checksum: 24 x 11 bits.
const CODE_LEN: usize = KEY_LEN + 1;

static LIST: LazyLock<Vec<&'static str>> = LazyLock::new(|| include_str!("words.txt").lines().collect());

/// Why words do not stand for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WordsError {
    #[error("recovery words are {WORDS}, these are {0}")]
    Count(usize),
    #[error("word {0} is not in the list of recovery words: look for a slip of the pen there")]
    Unknown(usize),
    #[error("the recovery words do not fit together: one of them is another word, or two are swapped")]
    Checksum,
}

impl From<WordsError> for Error {
    fn from(error: WordsError) -> Self {
        Self::new(ErrorKind::InvalidArgument, error.to_string())
    }
}

/// The words of a secret, with spaces between.
pub(crate) fn encode(secret: &Secret) -> Zeroizing<String> {
    let mut code = Zeroizing::new([0; CODE_LEN]);
    code[..KEY_LEN].copy_from_slice(secret.as_bytes());
    code[KEY_LEN] = checksum(secret);
    let mut words = Zeroizing::new(String::with_capacity(WORDS * 9));
    for word in 0..WORDS {
        let bits = word * WORD_BITS..(word + 1) * WORD_BITS;
        let place = bits.fold(0, |place, bit| place << 1 | usize::from(code[bit / 8] >> (7 - bit % 8) & 1));
        if word > 0 {
            words.push(' ');
        }
        words.push_str(LIST[place]);
    }
    words
}

/// The secret of words, in letters of either case, with white space between.
///
/// # Errors
///
/// [`WordsError`].
pub(crate) fn decode(text: &str) -> Result<Secret, WordsError> {
    let count = text.split_whitespace().count();
    if count != WORDS {
        return Err(WordsError::Count(count));
    }
    let mut code = Zeroizing::new([0_u8; CODE_LEN]);
    for (number, word) in text.split_whitespace().enumerate() {
        let word = Zeroizing::new(word.to_ascii_lowercase());
        let place = LIST.binary_search(&&**word).map_err(|_| WordsError::Unknown(number + 1))?;
        for bit in 0..WORD_BITS {
            let set = u8::try_from(place >> (WORD_BITS - 1 - bit) & 1).expect("one bit");
            let at = number * WORD_BITS + bit;
            code[at / 8] |= set << (7 - at % 8);
        }
    }
    let secret = Secret::new(*code.first_chunk().expect("the code begins with the secret"));
    if checksum(&secret) == code[KEY_LEN] { Ok(secret) } else { Err(WordsError::Checksum) }
}

fn checksum(secret: &Secret) -> u8 {
    sha256(&[secret.as_bytes()])[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_list_is_that_of_the_standard() {
        let hash: String =
            sha256(&[include_bytes!("words.txt")]).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hash, "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
        assert!(LIST.is_sorted() && LIST.len() == 1 << WORD_BITS);
    }

    /// From the test vectors of the standard.
    #[test]
    fn words_are_those_of_the_standard() {
        for (byte, first, last) in [
            (0x00, "abandon", "art"),
            (0x7f, "legal", "title"),
            (0x80, "letter", "bless"),
            (0xff, "zoo", "vote"),
        ] {
            let secret = Secret::new([byte; 32]);
            let words = encode(&secret);
            let words: Vec<_> = words.split(' ').collect();
            assert_eq!((words[0], words[23]), (first, last));
        }
    }

    proptest! {
        #[test]
        fn words_stand_for_their_secret(bytes: [u8; 32]) {
            let words = encode(&Secret::new(bytes));
            prop_assert_eq!(decode(&words).map(|secret| *secret.as_bytes()), Ok(bytes));
            let shouted = format!("  {}\n", words.to_uppercase().replace(' ', "\t "));
            prop_assert_eq!(decode(&shouted).map(|secret| *secret.as_bytes()), Ok(bytes));
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place_and_not_with_the_word() {
        let words = encode(&Secret::new([7; 32]));
        let mut list: Vec<_> = words.split(' ').collect();
        assert_eq!(decode(&list[1..].join(" ")).map(drop), Err(WordsError::Count(23)));
        assert_eq!(decode("").map(drop), Err(WordsError::Count(0)));
        let right = list[6];
        list[6] = "tidelog";
        assert_eq!(decode(&list.join(" ")).map(drop), Err(WordsError::Unknown(7)));
        assert!(!WordsError::Unknown(7).to_string().contains("tidelog"));
        list[6] = right;
        list.swap(0, 1);
        assert_eq!(decode(&list.join(" ")).map(drop), Err(WordsError::Checksum));
    }

    #[test]
    fn most_words_in_the_place_of_another_are_noticed() {
        let words = encode(&Secret::new([9; 32]));
        let mut list: Vec<_> = words.split(' ').collect();
        let right = list[3];
        let unnoticed = LIST.iter().filter(|word| {
            list[3] = word;
            **word != right && decode(&list.join(" ")).is_ok()
        });
        // One in 256, by the length of the checksum.
        assert!(unnoticed.count() < 32);
    }
}
