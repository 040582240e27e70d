//! Meeting a relay once: until both sides hold the same.

use std::collections::HashSet;
use std::time::Duration;

use tidelog_log::frames::BoxId;
use tidelog_log::session::SessionEvent;
use tokio::time::{sleep, timeout};

use super::client::{Connection, Input};
use super::failure::Failure;
use super::letters::mail_error;
use super::{Dial, Party, SyncReport};
use crate::error::{Error, ErrorKind, Result};

/// How often a busy relay is asked again.
const ATTEMPTS_MAX: u32 = 5;
/// Longest time without a message of the relay.
pub(super) const QUIET_TIME: Duration = Duration::from_secs(60);

/// Syncs with a relay once. Returns when both sides hold the same entries, durably, and the
/// mailboxes wanted by then are open.
///
/// # Errors
///
/// What happened to the connection or the session, with what to do about it. Entries exchanged
/// until then are kept.
///
/// # Cancellation
///
/// Dropping the future drops the connection; what was exchanged until then is kept.
pub(crate) async fn sync_once(dial: &Dial, party: &Party) -> Result<SyncReport> {
    patiently(|| attempt(dial, party)).await
}

/// The key of the relay at an address, proven in a session of this member.
///
/// # Errors
///
/// As [`sync_once`]; [`ErrorKind::RelayRefused`] if nothing vouches for the key.
pub(crate) async fn relay_key(dial: &Dial, party: &Party) -> Result<[u8; 32]> {
    patiently(|| async {
        let mut connection = Connection::dial(dial, Some(party.member())).await?;
        let key = connection.relay();
        let proven = until_ready(&mut connection).await;
        let (_, closed) = connection.turn(Input::Close).await;
        connection.finish().await;
        proven.and(closed).map(|()| key)
    })
    .await
}

/// Does something with a relay, and again as long as the relay is busy and says when to come back.
pub(super) async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = std::result::Result<T, Failure>>,
{
    let mut attempts = 1;
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Failure { retry_after: Some(wait), .. }) if attempts < ATTEMPTS_MAX => {
                attempts += 1;
                sleep(wait).await;
            }
            Err(failure) => return Err(failure.error),
        }
    }
}

async fn until_ready(connection: &mut Connection) -> std::result::Result<(), Failure> {
    loop {
        let input = timeout(QUIET_TIME, connection.wait()).await.map_err(|_| quiet())??;
        let events = turn(connection, input).await?;
        if events.iter().any(|event| matches!(event, SessionEvent::Ready(_))) {
            return Ok(());
        }
    }
}

async fn attempt(dial: &Dial, party: &Party) -> std::result::Result<SyncReport, Failure> {
    let mut connection = Connection::dial(dial, Some(party.member())).await?;
    let mut report = SyncReport::default();
    let met = meet(&mut connection, party, &mut report).await;
    // Whatever it was, the relay is told that this is the end of it.
    let (_, closed) = connection.turn(Input::Close).await;
    let traffic = connection.traffic();
    report.held_there = connection.is_held_there();
    connection.finish().await;
    met.and(closed)?;
    report.bytes_sent = traffic.bytes_sent;
    report.bytes_received = traffic.bytes_received;
    report.bytes_of_handshake = traffic.bytes_of_handshake;
    report.round_trips = traffic.round_trips;
    Ok(report)
}

async fn meet(
    connection: &mut Connection,
    party: &Party,
    report: &mut SyncReport,
) -> std::result::Result<(), Failure> {
    let mut unanswered: Option<HashSet<BoxId>> = None;
    loop {
        let input = timeout(QUIET_TIME, connection.wait()).await.map_err(|_| quiet())??;
        let mut events = turn(connection, input).await?;
        if unanswered.is_none() && connection.is_synced() {
            let boxes = party.mail.boxes();
            unanswered = Some(boxes.iter().map(|wanted| wanted.mailbox).collect());
            for wanted in boxes {
                events.extend(turn(connection, Input::OpenBox(wanted)).await?);
            }
        }
        for event in events {
            match event {
                SessionEvent::Progress(progress) => {
                    (report.sent, report.received) = (progress.sent, progress.received);
                }
                SessionEvent::Mail { mailbox, slot, message } => party.mail.letter(mailbox, slot, message),
                SessionEvent::MailResult { mailbox, result, .. } => {
                    result.map_err(mail_error)?;
                    if let Some(boxes) = &mut unanswered {
                        boxes.remove(&mailbox);
                    }
                }
                _ => {}
            }
        }
        if connection.is_synced() && unanswered.as_ref().is_some_and(HashSet::is_empty) {
            return Ok(());
        }
        if connection.is_over() {
            return Err(Error::new(ErrorKind::Network, "the relay left before the sync was done").into());
        }
    }
}

pub(super) async fn turn(
    connection: &mut Connection,
    input: Input,
) -> std::result::Result<Vec<SessionEvent>, Failure> {
    let (events, result) = connection.turn(input).await;
    result.map(|()| events)
}

pub(super) fn quiet() -> Error {
    Error::new(ErrorKind::Timeout, "the relay does not answer")
}
