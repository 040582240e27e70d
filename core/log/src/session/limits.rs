//! The limits of a session. Each has a test at the limit.

/// Time from the first byte to an authenticated peer, in milliseconds.
pub const HANDSHAKE_MS: u64 = 5_000;
/// Most bytes taken from a peer that is not authenticated: a handshake, a greeting, one letter.
pub const UNAUTHENTICATED_BYTES_MAX: usize = 2 * 4_096 + 1_024;
/// Most bytes of entries taken from a device that the directory does not know yet.
pub const UNADMITTED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of one batch of entries, save where a single entry is larger.
pub const BATCH_BYTES: usize = 1024 * 1024;
/// Bytes of the entries in one answer to a question, save where a single entry is larger.
pub const GIVEN_BYTES: usize = 512 * 1024;
/// Most questions that wait for their answers.
pub const ASKS_MAX: usize = 16;
/// Bytes of entries sent and not acknowledged, above which no further batch is sent.
pub const WINDOW_BYTES: usize = 8 * 1024 * 1024;
/// Most bytes of a run of entries that no signature vouches for yet.
pub const UNPROVEN_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Most bytes of entries kept while what they build on is on its way; past it they are dropped and
/// asked for again.
pub const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often a session tries all that waits again only because something was excluded, which may count
/// together with what follows it. As much as waits at most comes in five batches.
pub const EXCLUDED_RETRIES_MAX: u32 = 16;
/// Bytes queued for the transport, above which no entries are read from the replica.
pub const OUTBOX_BYTES: usize = 1024 * 1024;
/// Most bytes queued for the transport by a peer that asks and does not read.
pub const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes that one turn gives to the transport, above which the rest is for another turn.
pub const TURN_BYTES: usize = 1024 * 1024;
/// Most nodes of the frontier that a session walks between two moments of equality.
pub const WALK_NODES_MAX: usize = 65_536;
/// Walks without progress, after which the session closes.
pub const ROUNDS_MAX: u32 = 4;
/// Longest time without an acknowledgement while entries are on their way, in milliseconds.
pub const STALL_MS: u64 = 60_000;
/// Shortest time between two records of how far the peer's entries are held, in milliseconds.
pub const CURSOR_SAVE_MS: u64 = 1_000;
/// Work of one call of a session, in units of about a microsecond: 10 ms, after which it lets others
/// have their turn.
pub const WORK_UNITS_MAX: u64 = 10_000;
/// Units for a signed entry that is stored: checking a signature is most of it.
pub const SIGNED_ENTRY_UNITS: u64 = 100;
/// Units for any other entry that is stored.
pub const COVERED_ENTRY_UNITS: u64 = 10;
/// Units for a node of the frontier that is shown.
pub const NODE_UNITS: u64 = 20;
/// Units for a look-up in the index of the replica.
pub const LOOKUP_UNITS: u64 = 10;
/// Units for reading entries that fill one batch.
pub const READ_UNITS: u64 = 2_500;
/// Invalid signatures of one peer within [`BAN_WITHIN_MS`] that keep it out.
pub const BAN_SIGNATURES: usize = 3;
/// The time within which invalid signatures add up, in milliseconds: an hour.
pub const BAN_WITHIN_MS: u64 = 60 * 60 * 1_000;
/// How long a peer is kept out, in milliseconds: a day.
pub const BAN_MS: u64 = 24 * 60 * 60 * 1_000;
/// Peers of which invalid signatures are remembered.
pub const OFFENDERS_MAX: usize = 4_096;
/// Most mailboxes that a session hears of.
pub const WATCHED_MAX: usize = 64;
