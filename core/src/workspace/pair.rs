//! Sync between two workspaces of one program: the same session as over a network, without one.

use std::sync::Arc;

use tidelog_log::frames::Code;
use tidelog_log::log::LogError;
use tidelog_log::session::{Direction, Member, Role, Session, SessionError};
use tidelog_log::trie::Filter;

use super::Workspace;
use super::create::blocking;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::net::SyncReport;

impl Workspace {
    /// Makes this replica and another one of the same workspace, open in the same program, hold
    /// the same entries.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if they are not two devices of one workspace; `not_admitted` if one of them
    /// was removed, or is not admitted yet; `closed`; or what the disks report.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// # use tidelog::{InviteOptions, Key, Workspace};
    /// # let ada = Workspace::create(folder.join("ada.tide"), Key::raw([1; 32]), "Notes").await?;
    /// # let (path, key) = (folder.join("bob.tide"), Key::raw([2; 32]));
    /// # let invite = ada.invite(InviteOptions { auto_approve: true, ..InviteOptions::default() }).await?;
    /// # let request = Workspace::ask_to_join(&path, key.clone(), &invite.uri, "Bob").await?;
    /// # let asked = ada.receive_request(&request).await?;
    /// # let bob = Workspace::finish_joining(&path, key, ada.welcome(&asked.id).await?).await?;
    /// let notes = ada.database("main").collection::<String>("notes");
    /// notes.put("tide", &"Low at six.".to_owned()).await?;
    ///
    /// ada.sync_with(&bob).await?;
    /// let notes = bob.database("main").collection::<String>("notes");
    /// assert_eq!(notes.get("tide")?.as_deref(), Some("Low at six."));
    /// assert_eq!(ada.stats()?.root, bob.stats()?.root);
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn sync_with(&self, other: &Self) -> Result<SyncReport> {
        if self.id() != other.id() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the two belong to different workspaces"));
        }
        let (one, two) = (Arc::clone(&self.inner.engine), Arc::clone(&other.inner.engine));
        let report = blocking(move || run(&one, &two)).await?;
        if self.restored() || other.restored() {
            self.begin_next_life().await?;
            other.begin_next_life().await?;
            let (one, two) = (Arc::clone(&self.inner.engine), Arc::clone(&other.inner.engine));
            blocking(move || run(&one, &two)).await?;
        }
        Ok(report)
    }
}

fn run(one: &Engine, two: &Engine) -> Result<SyncReport> {
    let before = (one.log.arrivals(), two.log.arrivals());
    let mut initiator = session(one, true)?;
    let mut responder = session(two, false)?;
    while !(initiator.is_synced() && responder.is_synced()) {
        let moved = carry(&mut initiator, &mut responder, two)? + carry(&mut responder, &mut initiator, one)?;
        if moved == 0 {
            return Err(Error::new(ErrorKind::Protocol, "the two replicas could not agree"));
        }
    }
    let traffic = initiator.traffic();
    Ok(SyncReport {
        sent: two.log.arrivals() - before.1,
        received: one.log.arrivals() - before.0,
        bytes_sent: traffic.bytes_sent,
        bytes_received: traffic.bytes_received,
        bytes_of_handshake: traffic.bytes_of_handshake,
        round_trips: traffic.round_trips,
        held: one.log.newer_entries()?.len() as u64,
        held_there: initiator.peer_leaves_out(),
    })
}

/// Brings what one side has to say to the other.
fn carry(from: &mut Session, to: &mut Session, receiver: &Engine) -> Result<usize> {
    let mut moved = 0;
    while let Some(message) = from.transmit() {
        moved += 1;
        to.receive(&message, receiver.clock.now_ms()).map_err(failed)?;
        while to.is_busy() {
            to.poke(receiver.clock.now_ms()).map_err(failed)?;
        }
    }
    Ok(moved)
}

fn session(engine: &Engine, initiator: bool) -> Result<Session> {
    let role = Role::Peer {
        initiator,
        psk: engine.peer_psk()?,
        member: Member {
            replica: Arc::clone(&engine.log) as Arc<_>,
            signer: engine.signer(),
            streams: Filter::All,
            direction: Direction::Both,
            bans: Arc::clone(&engine.bans),
        },
    };
    Session::new(role, Arc::clone(&engine.random), engine.clock.now_ms()).map_err(failed)
}

fn failed(error: SessionError) -> Error {
    match error {
        SessionError::Replica(error) => match error.downcast::<LogError>() {
            Ok(error) => (*error).into(),
            Err(error) => Error::new(ErrorKind::Internal, "the log failed during sync").with_source(error),
        },
        SessionError::Closed(closing) | SessionError::ClosedByPeer(closing)
            if matches!(closing.code, Code::NotAdmitted | Code::Removed) =>
        {
            let message = format!("one of the two devices is no member: {}", closing.reason);
            Error::new(ErrorKind::NotAdmitted, message)
        }
        error => Error::new(ErrorKind::Protocol, error.to_string()).with_source(error),
    }
}
