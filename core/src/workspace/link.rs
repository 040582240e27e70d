//! Meeting relays: once, or by a link that stays.

use std::sync::{Arc, PoisonError};

use tidelog_log::directory::{Op, Role};
use tidelog_log::ids::StreamId;
use tidelog_log::session::Direction;
use tidelog_log::trie::Filter;

use super::admission::DeskHandle;
use super::{Workspace, beacons, copies, warnings};
use crate::data::Log;
use crate::engine::PresentDevice;
use crate::error::{Error, ErrorKind, Result};
use crate::net::{self, Dial, Link, Party, RelayAddress, SyncReport};

impl Workspace {
    /// Syncs with a relay once: when this returns, both hold the same entries, durably.
    ///
    /// The relay's key is that of the directory, of the URL (`wss://relay.example.org#<key>`), or
    /// what the relay says over verified TLS or on this machine.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for something else than a relay's URL, `network`, `relay_refused`,
    /// `timeout`. What was exchanged before an error is kept.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the connection; what was exchanged until then is kept.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # async fn run(workspace: tidelog::Workspace) -> tidelog::Result<()> {
    /// let report = workspace.sync("wss://relay.example.org").await?;
    /// println!("{} entries sent, {} received", report.sent, report.received);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn sync(&self, url: &str) -> Result<SyncReport> {
        let (dial, party) = (self.dial(url)?, self.party());
        beacons::write_if_due(Arc::clone(&self.inner.engine)).await;
        let mut report = net::sync_once(&dial, &party).await?;
        self.inner.engine.met_relay();
        report.held = self.held()?;
        if self.restored() {
            // All that this device ever sent is here now. What it writes from here on is another's.
            self.begin_next_life().await?;
            net::sync_once(&dial, &party).await?;
        }
        Ok(report)
    }

    /// Syncs the log of one database with a relay once, both ways or one way; what of the directory
    /// its entries rest on goes with them. Other databases are left alone.
    ///
    /// # Errors
    ///
    /// As [`Workspace::sync`].
    ///
    /// # Cancellation
    ///
    /// As [`Workspace::sync`].
    ///
    /// # Example
    ///
    /// ```no_run
    /// # async fn run(workspace: tidelog::Workspace) -> tidelog::Result<()> {
    /// use tidelog::Direction;
    ///
    /// let log = workspace.database("archive").log();
    /// let report = workspace.exchange(&log, "wss://relay.example.org", Direction::Pull).await?;
    /// assert_eq!(report.sent, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn exchange(&self, log: &Log, url: &str, direction: Direction) -> Result<SyncReport> {
        let streams = Filter::Streams([StreamId::DIRECTORY, log.stream()?].into());
        let report = net::sync_once(&self.dial(url)?, &Party { streams, direction, ..self.party() }).await?;
        Ok(SyncReport { held: self.held()?, ..report })
    }

    /// Chains that this device cannot advance.
    pub(super) fn held(&self) -> Result<u64> {
        Ok(self.inner.engine.log.newer_entries()?.len() as u64)
    }

    /// Stays connected to a relay until the link is stopped or the workspace is shut down, through
    /// failures and times without a network. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for something else than a relay's URL. That a relay cannot be reached is
    /// no error but the state of the link.
    pub fn connect(&self, url: &str) -> Result<Link> {
        self.inner.engine.user()?;
        let link = Link::start(self.dial(url)?, self.party());
        self.inner.links.lock().unwrap_or_else(PoisonError::into_inner).push(link.clone());
        Ok(link)
    }

    /// URLs of the workspace's relays, with their keys, as the directory has them.
    #[must_use]
    pub fn relays(&self) -> Vec<String> {
        let relays = self.inner.engine.log.directory().relays();
        relays.into_iter().map(|relay| relay.url).collect()
    }

    pub(super) fn dial(&self, url: &str) -> Result<Dial> {
        let address = RelayAddress::parse(url)?;
        let engine = &self.inner.engine;
        let written = address.to_string();
        let relays = engine.log.directory().relays();
        let known_key = relays.into_iter().find(|relay| relay.url == written).map(|relay| relay.pk);
        Ok(Dial { address, known_key, clock: Arc::clone(&engine.wall), random: Arc::clone(&engine.random) })
    }

    pub(super) fn party(&self) -> Party {
        let engine = &self.inner.engine;
        Party {
            replica: Arc::clone(&engine.log) as Arc<_>,
            signer: Arc::new(PresentDevice(Arc::clone(engine))),
            bans: Arc::clone(&engine.bans),
            changed: engine.changed.subscribe(),
            mail: Arc::new(DeskHandle(Arc::downgrade(&self.inner))),
            streams: Filter::All,
            direction: Direction::Both,
            synced: copies::when_synced(&self.inner),
            warnings: warnings::source(&self.inner),
        }
    }

    /// Asks a relay for its key, and makes it one of the workspace's relays, so that members find
    /// it and know its key.
    pub(super) async fn meet(&self, url: &str) -> Result<[u8; 32]> {
        let dial = self.dial(url)?;
        let key = net::relay_key(&dial, &self.party()).await?;
        let allowed = self.me()?.role >= Role::Admin;
        if dial.known_key.is_none() && allowed {
            let op = Op::RelaySet { relay_pk: key, url: dial.address.to_string() };
            self.inner.engine.commit_directory(vec![op]).await?;
        }
        if dial.known_key.is_some_and(|known| known != key) {
            let text = "the relay has another key than the workspace knows: somebody else may answer there";
            return Err(Error::new(ErrorKind::RelayRefused, text));
        }
        Ok(key)
    }
}
