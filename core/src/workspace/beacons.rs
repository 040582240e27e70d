//! Beacons: writing one when a day has passed, and holding what others claim against what is held.
//!
//! A relay can keep back what is newest, and tell one member what it does not tell another. It cannot
//! forge a beacon, so as soon as one comes through that names what is missing here, it shows. So does a
//! device that tells different members different things.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tidelog_log::directory::{Cut, Role};
use tidelog_log::ids::{DeviceId, EntryId, StreamId};
use tidelog_log::log::LogError;
use tidelog_log::state::{StateBatch, StateRead as _};

use super::create::blocking;
use crate::data::beacon::{self, Beacon, Claims, HEADS_MAX, Tip};
use crate::data::tables::{META, META_BEACON, damaged};
use crate::engine::Engine;
use crate::error::Result;

/// A device writes at most one beacon in this time, in milliseconds.
const BEACON_EVERY_MS: u64 = 24 * 60 * 60 * 1_000;

/// While nothing changes, a link looks again after this time, in milliseconds.
const LOOK_EVERY_MS: u64 = 10 * 60 * 1_000;

/// How a device's history differs from what is held here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Difference {
    /// It names an entry that a relay did not hand out, although both sides held the same.
    Withheld,
    /// It names another entry in a place where one is held.
    Fork,
}

/// Something that a device claims to hold and that cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Differing {
    /// Who claims it.
    pub(crate) device: DeviceId,
    /// Where: in the directory, or in a chain of the device.
    pub(crate) stream: StreamId,
    /// The entry that it names.
    pub(crate) entry: EntryId,
    /// How it differs.
    pub(crate) difference: Difference,
}

/// Writes a beacon if it is time. That it could not be written is no reason not to sync.
pub(super) async fn write_if_due(engine: Arc<Engine>) {
    if let Err(error) = blocking(move || engine.write_beacon_if_due()).await {
        tracing::debug!(%error, "no beacon was written");
    }
}

impl Engine {
    /// Notes that a relay and this device hold the same: what is claimed by now and not held, the relay
    /// does not hand out.
    pub(crate) fn met_relay(&self) {
        self.met.fetch_max(self.log.arrivals(), Ordering::SeqCst);
    }

    /// Whether [`Engine::write_beacon_if_due`] may have something to do; costs nothing.
    pub(crate) fn beacon_may_be_due(&self) -> bool {
        self.clock.now_ms() >= self.beacon_due_ms.load(Ordering::SeqCst)
    }

    /// Writes a beacon if a day has passed since the last one and there is something new to say, and
    /// says whether it did. Blocks.
    pub(crate) fn write_beacon_if_due(&self) -> Result<bool> {
        let _only_one = self.beacon.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(beacon) = self.beacon_due()? else { return Ok(false) };
        let Some(draft) = self.beacon_draft(&beacon.encode())? else { return Ok(false) };
        self.log.commit_blocking(vec![draft])?;
        Ok(true)
    }

    fn beacon_due(&self) -> Result<Option<Beacon>> {
        let (device, directory) = (self.device(), self.log.directory());
        let may = directory.role(&device).is_some_and(|role| role >= Role::Writer);
        if !may || self.log.is_silent(&device) {
            return Ok(None);
        }
        let (view, now_ms) = (self.view()?, self.clock.now_ms());
        let last = beacon::claims(&view, &device).map_err(LogError::from)?;
        let since_ms = match &last {
            Some(last) => last.hlc.ms(),
            None => match view.get(META, META_BEACON).map_err(LogError::from)? {
                Some(row) => {
                    let row = row.try_into().map_err(|_| damaged(META))?;
                    u64::from_be_bytes(row)
                }
                None => {
                    let row = now_ms.to_be_bytes();
                    let note = move |batch: &StateBatch<'_>| Ok(batch.put(META, META_BEACON, &row)?);
                    // If it is lost, the first beacon is a little later.
                    self.log.change(Box::new(note), Box::new(drop));
                    return Ok(None);
                }
            },
        };
        let due_ms = since_ms.saturating_add(BEACON_EVERY_MS);
        self.beacon_due_ms.store(due_ms.max(now_ms.saturating_add(LOOK_EVERY_MS)), Ordering::SeqCst);
        if now_ms < due_ms {
            return Ok(None);
        }
        let last = last.unwrap_or_default();
        let mut heads = directory.heads();
        heads.truncate(HEADS_MAX);
        let mut tips: Vec<Tip> = self.log.cuts_for(&[device]).iter().map(tip_of).collect();
        tips.retain(|tip| {
            let is_last_beacon = tip.stream == StreamId::DIRECTORY && Some(tip.id) == last.entry;
            !is_last_beacon && last.tips.get(&tip.stream).is_none_or(|(claimed, _)| claimed != tip)
        });
        let news = !tips.is_empty() || heads != last.heads;
        Ok(news.then_some(Beacon { heads, tips }))
    }

    /// The ends of their chains that devices claimed in their beacons.
    pub(crate) fn claims_of(&self, devices: &[DeviceId]) -> Result<Vec<Cut>> {
        let view = self.view()?;
        let mut cuts = Vec::new();
        for device in devices {
            let claims = beacon::claims(&view, device).map_err(LogError::from)?;
            let tips = claims.into_iter().flat_map(|claims| claims.tips.into_values());
            cuts.extend(tips.map(|(tip, _)| Cut {
                device: *device,
                stream: tip.stream,
                seq: tip.seq,
                id: tip.id,
            }));
        }
        Ok(cuts)
    }

    /// What members claim in their beacons and this device cannot have: a relay keeps it back, or a
    /// device tells different members different things. Empty again once it came.
    pub(crate) fn histories_differ(&self) -> Result<Vec<Differing>> {
        let view = self.view()?;
        let directory = self.log.directory();
        let mut found = Vec::new();
        for (device, claims) in beacon::all_claims(&view).map_err(LogError::from)? {
            if directory.is_member(&device) {
                self.compare(device, &claims, &mut found)?;
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn compare(&self, device: DeviceId, claims: &Claims, found: &mut Vec<Differing>) -> Result<()> {
        let met = self.met.load(Ordering::SeqCst);
        let directory = self.log.directory();
        let differing = |stream, entry, difference| Differing { device, stream, entry, difference };
        for head in claims.heads.iter().filter(|head| claims.arrival <= met && !directory.contains(head)) {
            found.push(differing(StreamId::DIRECTORY, *head, Difference::Withheld));
        }
        let (frontier, _) = self.log.frontier();
        for (tip, arrival) in claims.tips.values() {
            if self.log.entry(&tip.id)?.is_some() {
                continue;
            }
            if frontier.tips(&tip.stream, &device).iter().any(|held| held.seq >= tip.seq) {
                found.push(differing(tip.stream, tip.id, Difference::Fork));
            } else if *arrival <= met && directory.limits(&device, &tip.stream).is_empty() {
                found.push(differing(tip.stream, tip.id, Difference::Withheld));
            }
        }
        Ok(())
    }
}

fn tip_of(cut: &Cut) -> Tip {
    Tip { stream: cut.stream, seq: cut.seq, id: cut.id }
}

#[cfg(test)]
mod tests;
