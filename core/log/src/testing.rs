//! Workspaces for tests: real entries by real keys, over whatever storage a test brings.

use std::sync::Arc;

use crate::crypto::{Signer, TestSigner, sha256};
use crate::directory::{DeviceCert, Op, Role, user_id};
use crate::entry::Entry;
use crate::env::{ManualClock, SeededRandom};
use crate::ids::{KeyId, StreamId, UserId, WorkspaceId};
use crate::log::{Draft, Log, LogOptions, genesis};
use crate::storage::Storage;

/// The time at which tests begin, in milliseconds since 1970.
pub const START_MS: u64 = 1_800_000_000_000;

/// The root of a workspace and the devices it may have, all from one seed.
pub struct TestWorkspace {
    seed: u64,
    root: Arc<TestSigner>,
    genesis: Entry,
}

impl TestWorkspace {
    /// The workspace of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let root = Arc::new(TestSigner::new(sha256(&[b"root", &seed.to_le_bytes()])));
        let first = Op::Genesis {
            root_pk: root.device(),
            root_kem_pk: [9; 32],
            name_commit: [0; 32],
            policy: Vec::new(),
        };
        let genesis = genesis(&*root, vec![first]).expect("encodes");
        Self { seed, root, genesis }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> WorkspaceId {
        WorkspaceId(self.genesis.id().0)
    }

    /// The keys of device `number`.
    #[must_use]
    pub fn device(&self, number: u8) -> Arc<TestSigner> {
        Arc::new(TestSigner::new(sha256(&[b"device", &self.seed.to_le_bytes(), &[number]])))
    }

    /// The user whose only device is `number`.
    #[must_use]
    pub fn user(&self, number: u8) -> UserId {
        user_id(&self.id(), &self.device(number).device())
    }

    /// An empty log of this workspace, written to by the calling thread.
    #[must_use]
    pub fn empty_log(&self, storage: Arc<dyn Storage>, replica: u64) -> Log {
        Log::create(self.options(storage, replica), self.id()).expect("an empty folder")
    }

    /// A log whose directory has device 0 as owner.
    #[must_use]
    pub fn founder_log(&self, storage: Arc<dyn Storage>, replica: u64) -> Log {
        let log = self.empty_log(storage, replica);
        log.receive_blocking(vec![self.genesis.clone()]).expect("stores");
        let owner = self.add_user(0, Role::Owner);
        log.commit_blocking(vec![Draft::directory(Arc::clone(&self.root) as Arc<_>, vec![owner])])
            .expect("commits");
        log
    }

    /// What a log of this workspace is opened with.
    #[must_use]
    pub fn options(&self, storage: Arc<dyn Storage>, replica: u64) -> LogOptions {
        LogOptions {
            storage,
            clock: Arc::new(ManualClock::new(START_MS)),
            random: Arc::new(SeededRandom::new(self.seed.wrapping_mul(1_000_003).wrapping_add(replica))),
            state_key: None,
            rows_version: 0,
            apply: None,
            threaded: false,
        }
    }

    /// The operation that adds the user of device `number`.
    #[must_use]
    pub fn add_user(&self, number: u8, role: Role) -> Op {
        let signer = self.device(number);
        let user = self.user(number);
        let cert = DeviceCert::issue(&*signer, [number.wrapping_add(9); 32], &self.id(), &user);
        Op::AddUser { user, role, certs: vec![cert] }
    }

    /// An entry's draft by device `number`, with a payload that stands in for a ciphertext.
    #[must_use]
    pub fn draft(&self, number: u8, stream: StreamId, payload: Vec<u8>) -> Draft {
        let length = payload.len();
        Draft::data(self.device(number), stream, KeyId([1; 16]), length, Box::new(move |_| payload))
    }
}
