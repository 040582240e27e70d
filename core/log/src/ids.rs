//! Identifiers: fixed-size byte strings that print as lower-case hexadecimal.
//!
//! They are opaque to everything above; none of them is secret. For serde, too, they are text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The text given is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} hexadecimal digits")]
pub struct ParseIdError {
    expected: usize,
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;
            /// All bytes zero: the value that stands for "none" in the byte formats.
            pub const ZERO: Self = Self([0; $length]);

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// Whether all bytes are zero.
            #[must_use]
            pub fn is_zero(&self) -> bool {
                self.0 == [0; $length]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let error = ParseIdError { expected: $length * 2 };
                if text.len() != $length * 2 {
                    return Err(error);
                }
                let mut bytes = [0; $length];
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    let high = hex_digit(pair[0]).ok_or_else(|| error.clone())?;
                    let low = hex_digit(pair[1]).ok_or_else(|| error.clone())?;
                    *byte = high << 4 | low;
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl From<[u8; $length]> for $name {
            fn from(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }
        }
    };
}

const fn hex_digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

identifier! {
    /// An entry: SHA-256 over its header.
    EntryId, 32
}
identifier! {
    /// A workspace: the id of its genesis entry.
    WorkspaceId, 32
}
identifier! {
    /// A device in one workspace: its Ed25519 public key.
    DeviceId, 32
}
identifier! {
    /// A user: groups the devices of one person.
    UserId, 16
}
identifier! {
    /// A stream, the unit of sync: one per database, and [`StreamId::DIRECTORY`].
    StreamId, 16
}
identifier! {
    /// An epoch key, named by the hash of its commitment.
    KeyId, 16
}
identifier! {
    /// A circle of members who share epoch keys; [`CircleId::WORKSPACE`] is everybody.
    CircleId, 16
}

impl StreamId {
    /// Stream zero: the directory and the catalogue of database names.
    pub const DIRECTORY: Self = Self::ZERO;
}

impl CircleId {
    /// Circle zero: the whole workspace.
    pub const WORKSPACE: Self = Self::ZERO;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let id = UserId([0xAB; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
    }

    #[test]
    fn wrong_length_and_foreign_digits_are_refused() {
        assert!("ab".parse::<UserId>().is_err());
        assert!("g0".repeat(16).parse::<UserId>().is_err());
        assert!("AB".repeat(16).parse::<UserId>().is_err());
    }
}
