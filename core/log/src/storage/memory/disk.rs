//! What a disk holds: file contents by page, names, and what a crash leaves of unsynced changes.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes written all or not at all.
pub(super) const SECTOR: usize = 512;
/// Bytes shared or copied at once.
const PAGE: usize = 4096;

pub(super) type FileId = u64;
pub(super) type Names = BTreeMap<String, Node>;
pub(super) type Files = BTreeMap<FileId, Arc<Content>>;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File(FileId),
}

/// A path as its folder and its last part.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Bytes of a file. Pages never written are absent and read as zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    len: u64,
    pages: BTreeMap<u64, Arc<[u8; PAGE]>>,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn used(&self) -> u64 {
        (self.pages.len() * PAGE) as u64
    }

    /// How many of `count` bytes at the offset can be written with `free` bytes for further pages.
    pub(super) fn fitting(&self, offset: u64, count: usize, free: u64) -> usize {
        let mut pages_left = free / PAGE as u64;
        let mut fitting = 0;
        for (page, _, range) in spans(offset, count) {
            if !self.pages.contains_key(&page) {
                if pages_left == 0 {
                    break;
                }
                pages_left -= 1;
            }
            fitting = range.end;
        }
        fitting
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (page, start, range) in spans(offset, bytes.len()) {
            let page = Arc::make_mut(self.pages.entry(page).or_insert_with(|| Arc::new([0; PAGE])));
            page[start..start + range.len()].copy_from_slice(&bytes[range]);
        }
        self.len = self.len.max(offset + bytes.len() as u64);
    }

    /// Fills `bytes`; what lies past the end reads as zeros.
    pub(super) fn read(&self, offset: u64, bytes: &mut [u8]) {
        for (page, start, range) in spans(offset, bytes.len()) {
            match self.pages.get(&page) {
                Some(page) => {
                    let length = range.len();
                    bytes[range].copy_from_slice(&page[start..start + length]);
                }
                None => bytes[range].fill(0),
            }
        }
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let kept_pages = len.div_ceil(PAGE as u64);
            self.pages.split_off(&kept_pages);
            let within = remainder(len, PAGE);
            if let (true, Some(last)) = (within > 0, self.pages.get_mut(&(len / PAGE as u64))) {
                Arc::make_mut(last)[within..].fill(0);
            }
        }
        self.len = len;
    }
}

/// How far an offset is into its block.
fn remainder(offset: u64, block: usize) -> usize {
    usize::try_from(offset % block as u64).expect("less than a block")
}

/// Cuts a range of a file at page borders: page number, offset in the page, range of the bytes.
fn spans(offset: u64, count: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == count {
            return None;
        }
        let at = offset + done as u64;
        let start = remainder(at, PAGE);
        let length = (PAGE - start).min(count - done);
        let range = done..done + length;
        done += length;
        Some((at / PAGE as u64, start, range))
    })
}

/// One change to a disk.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Name { path: String, node: Option<Node> },
    Rename { from: String, to: String, file: FileId },
    SyncFolder { folder: String },
    Write { file: FileId, offset: u64, bytes: Arc<[u8]> },
    SetLen { file: FileId, len: u64 },
    Sync { file: FileId },
    FailedSync { file: FileId, seed: u64 },
}

/// What is durable, and the changes that are not yet.
#[derive(Debug, Default)]
pub(super) struct Durable {
    names: Names,
    files: Files,
    pending_names: Vec<Change>,
    pending: BTreeMap<FileId, Vec<Change>>,
}

impl Durable {
    /// A disk with nothing pending.
    pub(super) fn settled(names: Names, files: Files) -> Self {
        Self { names, files, ..Self::default() }
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Name { .. } | Change::Rename { .. } => self.pending_names.push(change.clone()),
            Change::Write { file, .. } | Change::SetLen { file, .. } => {
                self.pending.entry(*file).or_default().push(change.clone());
            }
            Change::SyncFolder { folder } => {
                let names = &mut self.names;
                self.pending_names.retain(|change| {
                    let inside = match change {
                        Change::Name { path, .. } | Change::Rename { to: path, .. } => {
                            split(path).0 == folder
                        }
                        _ => false,
                    };
                    if inside {
                        settle_name(names, change);
                    }
                    !inside
                });
            }
            Change::Sync { file } => self.settle(*file, &mut Crash { mode: Mode::Keep, state: 0 }),
            Change::FailedSync { file, seed } => self.settle(*file, &mut Crash::new(*seed)),
        }
    }

    fn settle(&mut self, file: FileId, crash: &mut Crash) {
        let content = Arc::make_mut(self.files.entry(file).or_default());
        for change in self.pending.remove(&file).unwrap_or_default() {
            crash.leave(content, &change);
        }
    }

    /// Overwrites durable bytes, and the same ones in pending writes, with no trace.
    pub(super) fn damage(&mut self, file: FileId, offset: u64, bytes: &[u8]) {
        self.settle(file, &mut Crash { mode: Mode::Keep, state: 0 });
        Arc::make_mut(self.files.entry(file).or_default()).write(offset, bytes);
    }

    /// The names and files that a crash leaves.
    pub(super) fn image(&self, crash: &mut Crash) -> (Names, Files) {
        let mut names = self.names.clone();
        for change in &self.pending_names {
            if crash.keeps() {
                settle_name(&mut names, change);
            }
        }
        let folders: Vec<String> =
            names.iter().filter(|(_, node)| **node == Node::Folder).map(|(path, _)| path.clone()).collect();
        names.retain(|path, _| {
            let parent = split(path).0;
            parent.is_empty() || folders.iter().any(|folder| folder == parent)
        });
        let mut files = self.files.clone();
        for node in names.values() {
            if let Node::File(file) = node {
                files.entry(*file).or_default();
            }
        }
        for (file, changes) in &self.pending {
            let content = Arc::make_mut(files.entry(*file).or_default());
            for change in changes {
                crash.leave(content, change);
            }
        }
        (names, files)
    }
}

fn settle_name(names: &mut Names, change: &Change) {
    match change {
        Change::Name { path, node: Some(node) } => {
            names.insert(path.clone(), node.clone());
        }
        Change::Name { path, node: None } => {
            names.remove(path);
        }
        Change::Rename { from, to, file } => {
            if names.get(from) == Some(&Node::File(*file)) {
                names.remove(from);
            }
            names.insert(to.clone(), Node::File(*file));
        }
        _ => {}
    }
}

/// The fate of unsynced changes, decided by a seed.
#[derive(Debug)]
pub(super) struct Crash {
    mode: Mode,
    state: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// All of it reached the disk: the process was killed, the machine went on.
    Keep,
    /// None of it did.
    Drop,
    /// Each change did, or did not, or did in part.
    Mix,
}

impl Crash {
    pub(super) fn new(seed: u64) -> Self {
        let mut crash = Self { mode: Mode::Mix, state: seed };
        crash.mode = match crash.next() % 8 {
            0 => Mode::Keep,
            1 => Mode::Drop,
            _ => Mode::Mix,
        };
        crash
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn coin(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }

    fn keeps(&mut self) -> bool {
        match self.mode {
            Mode::Keep => true,
            Mode::Drop => false,
            Mode::Mix => self.coin(),
        }
    }

    /// Does to the content what is left of a change.
    fn leave(&mut self, content: &mut Content, change: &Change) {
        match change {
            Change::Write { offset, bytes, .. } => match (self.mode, self.next() % 3) {
                (Mode::Keep, _) | (Mode::Mix, 0) => content.write(*offset, bytes),
                (Mode::Drop, _) | (Mode::Mix, 1) => {}
                (Mode::Mix, _) => self.tear(content, *offset, bytes),
            },
            Change::SetLen { len, .. } if self.keeps() => content.set_len(*len),
            _ => {}
        }
    }

    /// Writes some of the sectors that a write touches: half the time those up to a point, else any.
    fn tear(&mut self, content: &mut Content, offset: u64, bytes: &[u8]) {
        let cut = (self.coin()).then(|| self.next() % (bytes.len() as u64 + 1));
        let mut start = 0;
        while start < bytes.len() {
            let within = remainder(offset + start as u64, SECTOR);
            let end = bytes.len().min(start + SECTOR - within);
            if cut.map_or_else(|| self.coin(), |cut| (end as u64) <= cut) {
                content.write(offset + start as u64, &bytes[start..end]);
            }
            start = end;
        }
    }
}
