//! Workspaces: what a host opens, shares and closes.

mod circles;
mod members;
mod recovery;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::call::Call;
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::link::Link;
use crate::meter::Meter;
use crate::runtime::{Handle, guard, guard_in_runtime, handle};
use crate::stream::{Deferred, Stream};
use crate::types::{
    Device, Invite, InviteOptions, JoinOptions, JoinRequest, Me, Member, Stats, SyncReport, VerifyReport,
    Watch, WatchOptions, circle_id,
};
use crate::warnings::Warning;

#[cfg(feature = "test-util")]
use crate::clock::environment;

#[cfg(not(feature = "test-util"))]
fn environment(path: &str) -> tidelog::Environment {
    tidelog::Environment::folder(path)
}

/// An open workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    core: Handle<tidelog::Workspace>,
    closed: Arc<AtomicBool>,
}

impl Workspace {
    fn new(core: tidelog::Workspace) -> Self {
        Self { core: handle(core), closed: Arc::default() }
    }

    /// The engine's workspace, unless this one was shut down.
    fn open_core(&self) -> Result<&Handle<tidelog::Workspace>> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Closed, "the workspace is closed"));
        }
        Ok(&self.core)
    }

    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&tidelog::Workspace) -> Result<T> + Send + 'static,
    ) -> Call<T> {
        let this = self.clone();
        Call::blocking(move || work(this.open_core()?))
    }

    fn task<T, F>(&self, work: impl FnOnce(Handle<tidelog::Workspace>) -> F + Send + 'static) -> Call<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let this = self.clone();
        Call::task(async move { work(Arc::clone(this.open_core()?)).await })
    }

    /// Opens a workspace; with `create`, makes it under this name if there is none.
    ///
    /// # Errors
    ///
    /// [`NotAWorkspace`](crate::ErrorKind::NotAWorkspace), [`WrongKey`](crate::ErrorKind::WrongKey),
    /// [`AlreadyOpen`](crate::ErrorKind::AlreadyOpen),
    /// [`NewerFormat`](crate::ErrorKind::NewerFormat), [`Io`](crate::ErrorKind::Io).
    pub fn open(path: String, key: Key, create: Option<String>) -> Call<Self> {
        Call::task(async move {
            let environment = environment(&path);
            let core = match create {
                Some(name) => {
                    let key = key.loaded_or_made(&environment).await?;
                    tidelog::Workspace::open_or_create_in(environment, key, &name).await?
                }
                None => {
                    let key = key.loaded(&environment).await?;
                    tidelog::Workspace::open_in(environment, key).await?
                }
            };
            Ok(Self::new(core))
        })
    }

    /// Makes a workspace.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if there is one.
    pub fn create(path: String, key: Key, name: String) -> Call<Self> {
        Call::task(async move {
            let environment = environment(&path);
            let key = key.loaded_or_made(&environment).await?;
            Ok(Self::new(tidelog::Workspace::create_in(environment, key, &name).await?))
        })
    }

    /// Joins the workspace of an invite. After an interruption it may be called again.
    ///
    /// # Errors
    ///
    /// [`InviteInvalid`](crate::ErrorKind::InviteInvalid),
    /// [`InviteExpired`](crate::ErrorKind::InviteExpired), also while waiting;
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the invite names no relay,
    /// [`Timeout`](crate::ErrorKind::Timeout) if nobody approved in time,
    /// [`Network`](crate::ErrorKind::Network).
    pub fn join(path: String, key: Key, invite: String, options: JoinOptions) -> Call<Self> {
        Call::task(async move {
            let environment = environment(&path);
            let key = key.loaded_or_made(&environment).await?;
            Ok(Self::new(tidelog::Workspace::join_in(environment, key, &invite, options.into()).await?))
        })
    }

    /// Begins to join by hand: makes the device's keys in the folder and gives its request, at most
    /// 4 KiB, to be brought to whoever made the invite. Only they can read it. May be repeated, also
    /// with another invite to the same workspace.
    ///
    /// # Errors
    ///
    /// [`InviteInvalid`](crate::ErrorKind::InviteInvalid),
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the folder holds another workspace, or
    /// this one complete, [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for an impossible
    /// name.
    pub fn ask_to_join(path: String, key: Key, invite: String, profile: String) -> Call<Vec<u8>> {
        Call::task(async move {
            let environment = environment(&path);
            let key = key.loaded_or_made(&environment).await?;
            Ok(tidelog::Workspace::ask_to_join_in(environment, key, &invite, &profile).await?)
        })
    }

    /// Ends what [`Workspace::ask_to_join`] began in a folder, with the welcome that came back. After
    /// an error the folder still waits for a welcome.
    ///
    /// # Errors
    ///
    /// [`InviteInvalid`](crate::ErrorKind::InviteInvalid) for what is no welcome for this device,
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if it is damaged,
    /// [`NotAdmitted`](crate::ErrorKind::NotAdmitted) if it does not admit this device,
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the workspace is complete,
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if nobody asked from this folder.
    pub fn finish_joining(path: String, key: Key, welcome: Vec<u8>) -> Call<Self> {
        Call::task(async move {
            let environment = environment(&path);
            let key = key.loaded(&environment).await?;
            Ok(Self::new(tidelog::Workspace::finish_joining_in(environment, key, welcome).await?))
        })
    }

    /// Its id.
    ///
    /// # Errors
    ///
    /// Only [`Forked`](crate::ErrorKind::Forked).
    pub fn id(&self) -> Result<String> {
        guard(|| Ok(self.open_core()?.id().to_string()))
    }

    /// Its name.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn name(&self) -> Result<String> {
        guard(|| Ok(self.open_core()?.name()?))
    }

    /// This device in it.
    ///
    /// # Errors
    ///
    /// [`NotAdmitted`](crate::ErrorKind::NotAdmitted) before this device has a user.
    pub fn me(&self) -> Result<Me> {
        guard(|| Ok(self.open_core()?.me()?.into()))
    }

    /// A database that all members share, or one of a circle; it comes into being with the first write.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is no id of a circle. Whoever is
    /// not in the circle gets [`NotAuthorized`](crate::ErrorKind::NotAuthorized) from what is done with
    /// the database.
    pub fn database(&self, name: &str, circle: Option<String>) -> Result<Database> {
        guard(|| {
            let core = self.open_core()?;
            let database = match circle {
                None => core.database(name),
                Some(circle) => core.database_in(name, circle_id(&circle)?),
            };
            Ok(Database::new(database, Arc::clone(core)))
        })
    }

    /// The names of the databases that all members share, or of those of a circle.
    ///
    /// # Errors
    ///
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) if this device is not in the circle, and those
    /// of reading the workspace.
    pub fn databases(&self, circle: Option<String>) -> Call<Vec<String>> {
        self.blocking(|core| match circle {
            None => Ok(core.databases()?),
            Some(circle) => Ok(core.databases_in(circle_id(&circle)?)?),
        })
    }

    /// Makes an invite.
    ///
    /// # Errors
    ///
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) unless this user may admit the role,
    /// [`Network`](crate::ErrorKind::Network) if the relay cannot be reached.
    pub fn invite(&self, options: InviteOptions) -> Call<Invite> {
        self.task(move |core| async move { Ok(core.invite(options.try_into()?).await?.into()) })
    }

    /// The invites that hold.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn invites(&self) -> Call<Vec<Invite>> {
        self.blocking(|core| Ok(core.invites().into_iter().map(Invite::from).collect()))
    }

    /// Takes an invite back.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if this device has no such invite.
    pub fn withdraw(&self, invite: String) -> Call<()> {
        self.blocking(move |core| Ok(core.withdraw(&invite)?))
    }

    /// The devices that ask to join with an invite of this device.
    ///
    /// # Errors
    ///
    /// [`Network`](crate::ErrorKind::Network) if the relay cannot be reached.
    pub fn requests(&self) -> Call<Vec<JoinRequest>> {
        self.task(
            |core| async move { Ok(core.requests().await?.into_iter().map(JoinRequest::from).collect()) },
        )
    }

    /// Admits a device that asks.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such request,
    /// [`InviteExpired`](crate::ErrorKind::InviteExpired) if its invite was withdrawn, used up or has
    /// expired meanwhile.
    pub fn approve(&self, request: String) -> Call<()> {
        self.task(move |core| async move { Ok(core.approve(&request).await?) })
    }

    /// Takes in a request that came by hand, from [`Workspace::ask_to_join`]. From then on it can be
    /// approved and welcomed until this workspace is shut down. If the invite says so, it is approved
    /// at once.
    ///
    /// # Errors
    ///
    /// [`InviteInvalid`](crate::ErrorKind::InviteInvalid) for what is no request with an invite of
    /// this device, [`InviteExpired`](crate::ErrorKind::InviteExpired) if the invite is over.
    pub fn receive_request(&self, request: Vec<u8>) -> Call<JoinRequest> {
        self.task(move |core| async move { Ok(core.receive_request(&request).await?.into()) })
    }

    /// What a device whose request was approved needs to begin, at most 64 MiB, to be brought to it:
    /// members, keys and names, and of the data what fits. Only that device can use it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such request,
    /// [`NotAdmitted`](crate::ErrorKind::NotAdmitted) if it was not approved.
    pub fn welcome(&self, request: String) -> Call<Vec<u8>> {
        self.task(move |core| async move { Ok(core.welcome(&request).await?) })
    }

    /// Gives this device's user a name that other members see.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for an impossible name, and those of
    /// writing.
    pub fn set_profile(&self, name: String) -> Call<()> {
        self.task(move |core| async move { Ok(core.set_profile(&name).await?) })
    }

    /// Its users.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn members(&self) -> Call<Vec<Member>> {
        self.blocking(|core| Ok(core.members()?.into_iter().map(Member::from).collect()))
    }

    /// Its devices.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn devices(&self) -> Call<Vec<Device>> {
        self.blocking(|core| Ok(core.devices().into_iter().map(Device::from).collect()))
    }

    /// Makes this replica and a relay equal, once.
    ///
    /// # Errors
    ///
    /// [`Network`](crate::ErrorKind::Network), [`RelayRefused`](crate::ErrorKind::RelayRefused),
    /// [`Protocol`](crate::ErrorKind::Protocol).
    pub fn sync(&self, url: String) -> Call<SyncReport> {
        self.task(move |core| async move { Ok(core.sync(&url).await?.into()) })
    }

    /// Makes this replica and another one in this process equal, once.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) unless it is the same workspace;
    /// [`NotAdmitted`](crate::ErrorKind::NotAdmitted) if one of the two devices is no member.
    pub fn sync_with(&self, other: &Self) -> Call<SyncReport> {
        let other = other.clone();
        self.task(move |core| async move { Ok(core.sync_with(other.open_core()?).await?.into()) })
    }

    /// Keeps this replica and a relay equal from now on.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is not an address. Whether
    /// the relay answers is told by the link.
    pub fn connect(&self, url: &str) -> Result<Link> {
        guard_in_runtime(|| Ok(Link::new(self.open_core()?.connect(url)?)))
    }

    /// Changes of items from now on; with `initial`, first what is there when the stream is first
    /// asked.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after shutdown.
    pub fn watch(&self, options: WatchOptions) -> Result<Watch> {
        guard(|| {
            let core = Arc::clone(self.open_core()?);
            let options = tidelog::WatchOptions::from(options);
            if !options.initial {
                return Ok(Stream::new(core.watch(&options)?));
            }
            Ok(Stream::new(Deferred::new(move || Ok(core.watch(&options)?))))
        })
    }

    /// Its figures.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn stats(&self) -> Call<Stats> {
        self.blocking(|core| Ok(core.stats()?.into()))
    }

    /// What is wrong now and worth telling a person; empty if all is well. Links tell new ones.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the disk cannot be read.
    pub fn warnings(&self) -> Call<Vec<Warning>> {
        self.blocking(|core| Ok(core.warnings()?.into_iter().map(Warning::from).collect()))
    }

    /// Reads everything on disk and checks it. The meter counts entries; a stopped one leaves a
    /// report of what was read until then.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if it cannot be read; what is read and wrong is in the report.
    pub fn verify(&self, meter: Meter) -> Call<VerifyReport> {
        self.task(
            |core| async move { Ok(core.verify(move |read, total| meter.tell(read, total)).await?.into()) },
        )
    }

    /// Ends links and streams, finishes what was begun and releases the folder. Afterwards every
    /// call fails with [`Closed`](crate::ErrorKind::Closed); a second shutdown does nothing.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the last bytes cannot be made durable.
    pub fn shutdown(&self) -> Call<()> {
        let this = self.clone();
        Call::task(async move {
            this.closed.store(true, Ordering::SeqCst);
            Ok(this.core.shutdown().await?)
        })
    }
}
