//! Joining: asking with a link, waiting to be admitted, taking the workspace over.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidelog_log::directory::user_id;
use tidelog_log::env::random_array;
use tidelog_log::frames::BoxId;
use tidelog_log::log::Log;
use tidelog_log::storage::Storage;

use super::create::{Start, blocking, check_label, start, unlock};
use super::custody::{Custody, VAULT};
use super::invite_link::{InviteLink, Meeting};
use super::letter::Letter;
use super::{Environment, Workspace, copies};
use crate::engine::io_kind;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::vault::{Key, Vault};
use crate::net::{self, Dial};

/// How often a joiner looks whether it was admitted.
const POLL: Duration = Duration::from_millis(500);
/// Looks after which a joiner asks again, to learn whether its invite can still admit it.
const POLLS_PER_ASK: u32 = 3;
/// How long a joiner waits if nothing else was said: 5 minutes.
const WAIT_MS: u64 = 5 * 60 * 1_000;

/// How to join.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct JoinOptions {
    /// The name to ask under, which then is this user's name in the workspace; may be empty.
    pub profile: String,
    /// How long to wait to be admitted, in milliseconds; 5 minutes if `None`.
    pub timeout_ms: Option<u64>,
}

/// What a joiner asks with.
struct Asked {
    dial: Dial,
    letter: Vec<u8>,
}

impl Workspace {
    /// Asks to join with a link, waits to be admitted, and fetches the workspace. May be repeated
    /// after an interruption, and goes on where it was. If it could not even ask, nothing of it
    /// stays in the folder.
    ///
    /// # Errors
    ///
    /// `invite_invalid`; `invite_expired`, also if the invite was withdrawn, used up or expired while
    /// this device waited; `invalid_argument` if the invite names no relay: then
    /// [`Workspace::ask_to_join`] is for it; `timeout` if nobody admitted this device in time;
    /// `already_exists` if the folder holds another workspace; `wrong_key` if it holds a joining
    /// that was begun with another key; `network`, `relay_refused`.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # async fn run(ada: tidelog::Workspace) -> tidelog::Result<()> {
    /// use tidelog::{InviteOptions, JoinOptions, Key, Workspace};
    ///
    /// let options = InviteOptions { auto_approve: true, ..InviteOptions::new("wss://relay.example.org") };
    /// let invite = ada.invite(options).await?;
    /// let link = ada.connect("wss://relay.example.org")?; // admits those who ask meanwhile
    ///
    /// // On the other device, with `invite.uri` from a chat or a QR code:
    /// let options = JoinOptions { profile: "Bob".to_owned(), timeout_ms: Some(60_000) };
    /// let key = Key::passphrase("correct horse");
    /// let bob = Workspace::join("notes.tide", key, &invite.uri, options).await?;
    /// assert_eq!(bob.me()?.profile.as_deref(), Some("Bob"));
    /// link.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn join(path: impl AsRef<Path>, key: Key, invite: &str, options: JoinOptions) -> Result<Self> {
        Self::join_in(Environment::folder(path), key, invite, options).await
    }

    /// [`Workspace::join`] in an environment of the caller's.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::join`].
    pub async fn join_in(
        environment: Environment,
        key: Key,
        invite: &str,
        options: JoinOptions,
    ) -> Result<Self> {
        if !options.profile.is_empty() {
            check_label("profile name", &options.profile)?;
        }
        let link = InviteLink::parse(invite)?;
        let meeting = link.relay.clone().ok_or_else(|| {
            let text = "the invite names no relay: hand a request over instead, with `ask_to_join`";
            Error::new(ErrorKind::InvalidArgument, text)
        })?;
        let storage = Arc::clone(&environment.storage);
        let (workspace, how) = blocking({
            let link = link.clone();
            move || prepare(environment, &key, &link)
        })
        .await?;
        let asked = workspace.ask(&link, &meeting, &options).await;
        let unasked = asked.is_err();
        let joined = match asked {
            Ok(asked) => workspace.wait(&link, &options, &asked).await,
            Err(error) => Err(error),
        };
        if joined.is_err() {
            workspace.shutdown().await?;
        }
        if unasked && how == Start::Create {
            blocking(move || {
                forget(&*storage);
                Ok(())
            })
            .await?;
        }
        joined.map(|()| workspace)
    }

    /// Leaves a letter in the mailbox of the invite, unless this device was admitted before.
    async fn ask(&self, link: &InviteLink, meeting: &Meeting, options: &JoinOptions) -> Result<Asked> {
        let dial = Dial { known_key: Some(meeting.key), ..self.dial(&meeting.url)? };
        let asked = Asked { dial, letter: self.letter(link, &options.profile)? };
        if !self.is_admitted(link) {
            self.put_letter(link, &asked).await?;
        }
        Ok(asked)
    }

    async fn put_letter(&self, link: &InviteLink, asked: &Asked) -> Result<()> {
        let letter = asked.letter.clone();
        let put = net::put_letter(&asked.dial, BoxId(link.mailbox()), link.token(), letter).await;
        // An approval closes the box: whoever stopped waiting before it is a member by now.
        if let Err(refused) = put
            && (net::sync_once(&asked.dial, &self.party()).await.is_err() || !self.is_admitted(link))
        {
            return Err(refused);
        }
        Ok(())
    }

    async fn wait(&self, link: &InviteLink, options: &JoinOptions, asked: &Asked) -> Result<()> {
        let limit = Duration::from_millis(options.timeout_ms.unwrap_or(WAIT_MS));
        let admitted = async {
            let mut polls = 0;
            loop {
                match net::sync_once(&asked.dial, &self.party()).await {
                    Ok(_) if self.is_admitted(link) => return Ok(()),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::NotAdmitted => {
                        polls += 1;
                        // The same letter twice is one; a box that is closed says that it is over.
                        if polls % POLLS_PER_ASK == 0 {
                            self.ask_again(link, asked).await?;
                        }
                    }
                    Err(error) => return Err(error),
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(limit, admitted).await.unwrap_or_else(|_| {
            let text = "nobody admitted this device in time: join again with the same link to go on";
            Err(Error::new(ErrorKind::Timeout, text))
        })?;
        self.settle_down(&options.profile).await?;
        net::sync_once(&asked.dial, &self.party()).await.map(drop)
    }

    /// Fails if the invite is over, and with nothing else.
    async fn ask_again(&self, link: &InviteLink, asked: &Asked) -> Result<()> {
        match self.put_letter(link, asked).await {
            Err(error) if error.kind() == ErrorKind::InviteExpired => Err(error),
            _ => Ok(()),
        }
    }

    /// What a new member does first: it takes the name it asked under.
    pub(super) async fn settle_down(&self, profile: &str) -> Result<()> {
        if !profile.is_empty() {
            self.set_profile(profile).await.or_else(|error| match error.kind() {
                // A reader cannot write its own name either.
                ErrorKind::NotAuthorized => Ok(()),
                _ => Err(error),
            })?;
        }
        if self.inner.desk.local().joining.is_some() {
            self.inner.desk.change(|local| local.joining = None)?;
        }
        Ok(())
    }

    /// Whether this device is a member, holds a key, and has caught up with what the inviter knew.
    pub(super) fn is_admitted(&self, link: &InviteLink) -> bool {
        let engine = &self.inner.engine;
        let directory = engine.log.directory();
        engine.user().is_ok()
            && engine.stream("").is_ok()
            && link.heads.iter().all(|head| directory.contains(head))
    }

    /// The letter with which this device asks.
    pub(super) fn letter(&self, link: &InviteLink, profile: &str) -> Result<Vec<u8>> {
        let engine = &self.inner.engine;
        let user = link.user.unwrap_or_else(|| user_id(&link.workspace, &engine.device()));
        let cert = engine.certificate(user);
        let letter = Letter::new(profile, &cert, engine.wall.now_ms());
        letter.seal(link, random_array(&*engine.random))
    }
}

/// Opens what an earlier attempt left, or makes the keys and an empty log.
pub(super) fn prepare(environment: Environment, key: &Key, link: &InviteLink) -> Result<(Workspace, Start)> {
    let (custody, how) = match unlock(&environment, key) {
        Ok((custody, workspace)) if workspace == link.workspace => (custody, Start::Open),
        Ok(_) => {
            let text = "the folder holds another workspace, or began to join one: join in another folder";
            return Err(Error::new(ErrorKind::AlreadyExists, text));
        }
        Err(error) if error.kind() == ErrorKind::NotAWorkspace => {
            let vault = Vault::generate(&*environment.random);
            (Custody::create(&environment, vault, key)?, Start::Create)
        }
        Err(error) if error.kind() == ErrorKind::WrongKey => {
            let text = "the folder holds a workspace, or began to join one, with another key: \
                        go on with that key, or join in another folder";
            return Err(Error::new(ErrorKind::WrongKey, text));
        }
        Err(error) => return Err(error),
    };
    let engine = start(&environment, &custody, link.workspace, how)?;
    copies::settle_in(&engine, &custody, &*environment.storage)?;
    Ok((Workspace::new(engine, custody, environment.storage)?, how))
}

/// Removes keys and log of a joining that was never asked for: nobody knows of them. That it failed
/// matters less than why the joining did.
pub(super) fn forget(storage: &dyn Storage) {
    let removed = Log::remove(storage).map_err(Error::from).and_then(|()| {
        storage.remove(VAULT).map_err(|error| {
            Error::new(io_kind(&error), format!("cannot remove the vault: {error}")).with_source(error)
        })
    });
    if let Err(error) = removed {
        tracing::warn!(%error, "what a failed joining left was not removed");
    }
}
