//! Drafts become entries: their place in the chain, the directory entry that they act under, and which
//! of them carry a signature.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::LogError;
use super::super::admit::Stage;
use super::super::draft::{Draft, DraftBody};
use super::super::index::Chain;
use crate::directory::{Body, PARENTS_MAX, Role};
use crate::entry::{Entry, Header, payload_hash};
use crate::ids::{DeviceId, EntryId, KeyId, StreamId};

/// Most bytes of own entries that wait for a later signature. So a log that is sent in arrival
/// order can be cut into messages where every run ends signed.
const COVERED_BYTES_MAX: usize = 128 * 1024;

/// For each draft of a group, in order, whether it carries a signature: the last of each chain,
/// directory entries and what is before them, and often enough that no long run is without one.
pub(super) fn plan_signatures<'d>(drafts: impl Iterator<Item = &'d Draft>) -> Vec<bool> {
    let mut signed = Vec::new();
    let mut open: HashMap<(StreamId, DeviceId), usize> = HashMap::new();
    let mut open_bytes = 0;
    for (position, draft) in drafts.enumerate() {
        let directory = matches!(draft.body, DraftBody::Directory { .. });
        signed.push(directory);
        let chain = (draft.stream(), draft.author.device());
        if directory {
            open.remove(&chain).into_iter().for_each(|before| signed[before] = true);
        } else {
            open.insert(chain, position);
            open_bytes += draft.payload_len();
        }
        if open_bytes > COVERED_BYTES_MAX {
            open.drain().for_each(|(_, last)| signed[last] = true);
            open_bytes = 0;
        }
    }
    open.into_values().for_each(|last| signed[last] = true);
    signed
}

/// Whether the authors of all drafts of a request may write them, and they fit.
pub(super) fn check_drafts(stage: &Stage<'_>, drafts: &[Draft]) -> Result<(), LogError> {
    for draft in drafts {
        if let Some(error) = draft.unless.as_ref().and_then(|unless| unless()) {
            return Err(error);
        }
        let length = draft.payload_len();
        if length > draft.kind().payload_max() {
            return Err(LogError::TooLarge(length));
        }
        if matches!(draft.body, DraftBody::Data { .. }) && auth_for(stage, draft).is_none() {
            return Err(LogError::NotAuthorized("the role of this device does not allow writing".into()));
        }
    }
    Ok(())
}

/// Merges heads for an author that may write in the present state, but under no single head where its
/// key is known.
pub(super) fn merge_for(stage: &mut Stage<'_>, draft: &Draft) -> Result<(), LogError> {
    let author = draft.author.device();
    let DraftBody::Data { key_id, .. } = &draft.body else { return Ok(()) };
    let may = stage.directory.role(&author).is_some_and(|role| role >= Role::Writer);
    let is_known = |auth: EntryId| !stage.directory.circles_of_key_at(key_id, &auth).is_empty();
    let fits = |auth| is_known(auth) || !stage.directory.heads().into_iter().any(is_known);
    if may && !auth_for(stage, draft).is_some_and(fits) {
        let tip = stage.chain(&(draft.stream(), author)).and_then(Chain::own_tip);
        let above = tip.map(|tip| tip.position);
        seal(stage, Draft::merge(Arc::clone(&draft.author), above), true)?;
    }
    Ok(())
}

/// The directory entry under which the author of a draft acts.
fn auth_for(stage: &Stage<'_>, draft: &Draft) -> Option<EntryId> {
    let author = draft.author.device();
    let tip = stage.chain(&(draft.stream(), author)).and_then(Chain::own_tip);
    let key_id = match &draft.body {
        DraftBody::Data { key_id, .. } => *key_id,
        DraftBody::Directory { .. } => KeyId::ZERO,
    };
    stage.auth_for(author, tip.map(|tip| tip.position), key_id)
}

/// Makes the entry of a draft and stages it.
pub(super) fn seal(stage: &mut Stage<'_>, draft: Draft, sign: bool) -> Result<(), LogError> {
    let stream = draft.stream();
    let author = draft.author.device();
    let tip = stage.chain(&(stream, author)).and_then(Chain::own_tip);
    let mut header = Header {
        kind: draft.kind(),
        prunable: false,
        covered: !sign,
        payload_len: 0,
        seq: tip.map_or(1, |tip| tip.seq + 1),
        workspace: stage.workspace(),
        author,
        prev: tip.map_or(EntryId::ZERO, |tip| tip.id),
        auth: auth_for(stage, &draft).unwrap_or(EntryId::ZERO),
        stream,
        key_id: KeyId::ZERO,
        payload_hash: [0; 32],
        signature: [0; 64],
    };
    let previous = tip.map(|tip| tip.position);
    let payload = match draft.body {
        DraftBody::Directory { ops, above } => {
            let mut parents = stage.directory.parents_for(previous);
            let leads_there =
                |above: &EntryId| parents.iter().any(|parent| stage.directory.in_past(above, parent));
            if let Some(above) = above.filter(|above| !leads_there(above)) {
                parents.truncate(PARENTS_MAX - 1);
                parents.push(above);
            }
            header.auth = *parents
                .first()
                .ok_or_else(|| LogError::NotAuthorized("the workspace has no genesis yet".into()))?;
            let encoded = Body { parents, ops }.encode();
            let payload = encoded.map_err(|error| LogError::Engine(error.to_string()))?;
            header.payload_len = length(payload.len())?;
            payload
        }
        DraftBody::Data { key_id, payload_len, seal, .. } => {
            header.key_id = key_id;
            header.payload_len = length(payload_len)?;
            seal(&header.context())
        }
    };
    header.payload_hash = payload_hash(&payload);
    if sign {
        header.sign(&*draft.author);
    }
    let entry = Entry::new(header, payload).map_err(|error| LogError::Engine(error.to_string()))?;
    stage.add(entry, previous).map_err(|refused| LogError::NotAuthorized(refused.to_string()))
}

fn length(bytes: usize) -> Result<u32, LogError> {
    u32::try_from(bytes).map_err(|_| LogError::TooLarge(bytes))
}
