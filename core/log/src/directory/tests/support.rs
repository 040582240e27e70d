//! Makes signed directory entries for tests.

use super::super::*;
use crate::crypto::{Signer, TestSigner, sha256};
use crate::entry::payload_hash;
use crate::ids::{CircleId, StreamId, UserId};

/// A device that remembers its own chain in stream zero.
pub(super) struct Author {
    pub(super) signer: TestSigner,
    pub(super) seq: u64,
    pub(super) last: Option<EntryId>,
}

impl Author {
    pub(super) fn new(number: u32) -> Self {
        Self { signer: TestSigner::new(sha256(&[b"device", &number.to_le_bytes()])), seq: 0, last: None }
    }

    pub(super) fn id(&self) -> DeviceId {
        self.signer.device()
    }

    pub(super) fn cert(&self, workspace: &WorkspaceId, user: &UserId) -> DeviceCert {
        DeviceCert::issue(&self.signer, kem_key(&self.id()), workspace, user)
    }

    /// Signs a certificate of this device anew, after a field was changed.
    pub(super) fn reissue(&self, cert: DeviceCert, workspace: &WorkspaceId, user: &UserId) -> DeviceCert {
        let signed = [&b"TIDE1 device crt"[..], &workspace.0, &user.0, &cert.encode()[..73]].concat();
        DeviceCert { self_sig: self.signer.sign(&signed), ..cert }
    }

    /// The device's next entry, not inserted anywhere.
    pub(super) fn entry(&mut self, workspace: &WorkspaceId, parents: Vec<EntryId>, ops: Vec<Op>) -> Entry {
        self.entry_with(workspace, parents, ops, |_| {})
    }

    /// The device's next entry, its header changed before it is signed.
    pub(super) fn entry_with(
        &mut self,
        workspace: &WorkspaceId,
        parents: Vec<EntryId>,
        ops: Vec<Op>,
        change: impl FnOnce(&mut Header),
    ) -> Entry {
        let payload = Body { parents: parents.clone(), ops }.encode().expect("within the limits");
        self.seq += 1;
        let mut header = Header {
            kind: Kind::Directory,
            prunable: false,
            covered: false,
            payload_len: u32::try_from(payload.len()).expect("small"),
            seq: self.seq,
            workspace: *workspace,
            author: self.id(),
            prev: self.last.unwrap_or(EntryId::ZERO),
            auth: parents.first().copied().unwrap_or(EntryId::ZERO),
            stream: StreamId::DIRECTORY,
            key_id: KeyId::ZERO,
            payload_hash: payload_hash(&payload),
            signature: [0; 64],
        };
        change(&mut header);
        header.sign(&self.signer);
        let entry = Entry::new(header, payload).expect("well formed");
        self.last = Some(entry.id());
        entry
    }
}

pub(super) fn kem_key(device: &DeviceId) -> [u8; 32] {
    sha256(&[b"kem", &device.0])
}

/// A workspace with its root; entries are kept with the position before them.
pub(super) struct Fixture {
    pub(super) workspace: WorkspaceId,
    pub(super) directory: Directory,
    pub(super) root: Author,
    pub(super) entries: Vec<(Entry, Option<EntryId>)>,
}

impl Fixture {
    /// A workspace with genesis only.
    pub(super) fn new() -> Self {
        let mut root = Author::new(0);
        let genesis = Op::Genesis {
            root_pk: root.id(),
            root_kem_pk: kem_key(&root.id()),
            name_commit: [7; 32],
            policy: vec![],
        };
        let entry = root.entry(&WorkspaceId::ZERO, vec![], vec![genesis]);
        let workspace = WorkspaceId(entry.id().0);
        let mut directory = Directory::new(workspace);
        directory.insert(&entry, None).expect("genesis");
        Self { workspace, directory, root, entries: vec![(entry, None)] }
    }

    pub(super) fn add_user(&self, role: Role, device: &Author) -> Op {
        let user = user_id(&self.workspace, &device.id());
        Op::AddUser { user, role, certs: vec![device.cert(&self.workspace, &user)] }
    }

    pub(super) fn user(&self, device: &Author) -> UserId {
        user_id(&self.workspace, &device.id())
    }

    /// Writes an entry under all heads.
    pub(super) fn write(&mut self, author: &mut Author, ops: Vec<Op>) -> EntryId {
        self.write_under(author, self.directory.parents_for(author.last), ops)
    }

    /// Writes an entry under the given parents, and the author's own last one.
    pub(super) fn write_under(
        &mut self,
        author: &mut Author,
        parents: Vec<EntryId>,
        ops: Vec<Op>,
    ) -> EntryId {
        let previous = author.last;
        let entry = author.entry(&self.workspace, parents, ops);
        self.directory.insert(&entry, previous).expect("can be held");
        self.entries.push((entry.clone(), previous));
        entry.id()
    }

    /// Writes an entry by the root key.
    pub(super) fn root_writes(&mut self, ops: Vec<Op>) -> EntryId {
        let mut root = std::mem::replace(&mut self.root, Author::new(0));
        let id = self.write(&mut root, ops);
        self.root = root;
        id
    }
}

/// A key epoch that names its key by a number.
pub(super) fn key_epoch(number: u32, next: &NextEpoch, recipients: &[DeviceId]) -> Op {
    let commit = sha256(&[b"commit", &number.to_le_bytes()]);
    Op::KeyEpoch {
        circle: CircleId::WORKSPACE,
        epoch: next.epoch,
        key_id: key_id(&commit),
        commit,
        name_wrap: [1; SEALED_KEY_LEN],
        prev: next.prev.iter().map(|key_id| (*key_id, [2; SEALED_KEY_LEN])).collect(),
        wraps: recipients.iter().map(wrap).collect(),
    }
}

pub(super) fn wrap(device: &DeviceId) -> Wrap {
    Wrap { device: *device, enc: [3; 32], ct: [4; 48] }
}

/// A workspace with one owner.
pub(super) fn owned() -> (Fixture, Author) {
    let mut fixture = Fixture::new();
    let owner = Author::new(1);
    let add = fixture.add_user(Role::Owner, &owner);
    fixture.root_writes(vec![add]);
    (fixture, owner)
}

/// A workspace with an owner, an admin, a writer and a reader.
pub(super) fn peopled() -> (Fixture, [Author; 4]) {
    let (mut fixture, mut owner) = owned();
    let (admin, writer, reader) = (Author::new(2), Author::new(3), Author::new(4));
    let ops = vec![
        fixture.add_user(Role::Admin, &admin),
        fixture.add_user(Role::Writer, &writer),
        fixture.add_user(Role::Reader, &reader),
    ];
    fixture.write(&mut owner, ops);
    (fixture, [owner, admin, writer, reader])
}
