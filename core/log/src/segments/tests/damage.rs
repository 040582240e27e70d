//! Damaged places are skipped and reported; torn tails are dropped.

use super::*;

const PATH: &str = "log/00000001.seg";

/// A log of five appends of three entries, and where these are.
fn log() -> (MemoryStorage, Vec<Entry>, Vec<Place>) {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    let mut chain = Chain::new(1);
    let (mut entries, mut places) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let batch = chain.run(&[40, 500, 7]);
        places.extend(segments.append(&batch).expect("written"));
        entries.extend(batch);
    }
    (memory, entries, places)
}

fn flip(memory: &MemoryStorage, offset: u32) {
    let byte = memory.content(PATH).expect("there is a file")[offset as usize];
    memory.damage(PATH, offset.into(), &[byte ^ 4]);
}

fn without(entries: &[Entry], index: usize) -> Vec<Entry> {
    [&entries[..index], &entries[index + 1..]].concat()
}

#[test]
fn a_flipped_bit_anywhere_in_a_closed_log_costs_one_entry_and_is_reported() {
    let (memory, entries, places) = log();
    for (index, place) in places.iter().enumerate() {
        for offset in
            [place.offset - 1, place.offset + 60, place.offset + 250, place.offset + place.length - 1]
        {
            flip(&memory, offset);
            let (segments, found, report) = reopen(&memory);
            assert_eq!(found, without(&entries, index));
            let frame = Damage {
                segment: 1,
                offset: place.offset - FRAME_HEAD_LEN,
                length: place.length + FRAME_HEAD_LEN,
            };
            assert_eq!((report.damaged, report.torn_bytes), (vec![frame], 0));
            assert!(matches!(segments.read(*place), Err(SegmentError::Corrupt(_))));
            flip(&memory, offset);
        }
    }
}

#[test]
fn a_damaged_frame_word_costs_nothing() {
    let (memory, entries, places) = log();
    for place in &places {
        for byte in 5..=FRAME_HEAD_LEN {
            flip(&memory, place.offset - byte);
            let (_, found, report) = reopen(&memory);
            assert_eq!((found, report.damaged), (entries.clone(), vec![]));
            flip(&memory, place.offset - byte);
        }
    }
}

#[test]
fn a_damaged_range_costs_the_entries_in_it() {
    let (memory, entries, places) = log();
    memory.damage(
        PATH,
        (places[4].offset + 9).into(),
        &vec![0; (places[9].offset - places[4].offset) as usize],
    );
    let (_, found, report) = reopen(&memory);
    assert_eq!(found, [&entries[..4], &entries[10..]].concat());
    assert_eq!(report.damaged.len(), 1);
}

#[test]
fn appending_goes_on_behind_damage() {
    let (memory, entries, places) = log();
    flip(&memory, places[14].offset);
    let (segments, found, _) = reopen(&memory);
    assert_eq!(found, entries[..14]);
    let more = Chain::new(2).run(&[5, 6]);
    segments.append(&more).expect("written");
    drop(segments);
    assert_eq!(reopen(&memory).1, [&entries[..14], &more].concat());
}

#[test]
fn damage_found_while_running_is_reported_by_a_scan() {
    let (memory, entries, places) = log();
    let (segments, ..) = reopen(&memory);
    flip(&memory, places[14].offset);
    let mut found = Vec::new();
    let report = segments.scan::<SegmentError>(&mut |_, entry| {
        found.push(entry);
        Ok(())
    });
    assert_eq!(report.expect("scanned").damaged.len(), 1);
    assert_eq!(found, entries[..14]);
}

#[test]
fn a_missing_segment_and_a_damaged_header_cost_no_other_segment() {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    let mut chain = Chain::new(1);
    let mut entries: Vec<Vec<Entry>> = vec![Vec::new(); 5];
    while entries[4].is_empty() {
        let batch = chain.run(&[10, 1_000_000]);
        let places = segments.append(&batch).expect("written");
        entries[places[0].segment as usize].extend(batch);
    }
    drop(segments);
    memory.damage("log/00000003.seg", 20, &[0; 30]);
    let (_, found, report) = reopen(&memory);
    assert_eq!(found, entries.concat());
    let damaged = Damage { segment: 3, offset: 0, length: header::LEN };
    assert_eq!(report.damaged, [damaged]);
    memory.remove("log/00000002.seg").expect("removed");
    let (_, found, report) = reopen(&memory);
    assert_eq!(found, [&entries[1][..], &entries[3], &entries[4]].concat());
    assert_eq!(report.damaged, [Damage { segment: 2, offset: 0, length: 0 }, damaged]);
}

#[test]
fn a_damaged_header_of_the_last_segment_keeps_its_entries_and_ends_writing_to_it() {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    let mut chain = Chain::new(1);
    let mut entries = Vec::new();
    for _ in 0..2 {
        entries.extend(chain.run(&[10, 1_000_000]));
        segments.append(&entries[entries.len() - 2..]).expect("written");
    }
    drop(segments);
    memory.damage("log/00000002.seg", 0, &[0; 100]);
    let (segments, found, _) = reopen(&memory);
    assert_eq!(found, entries);
    entries.push(chain.signed(b"next"));
    let places = segments.append(&entries[4..]).expect("written");
    assert_eq!(places[0].segment, 3);
    drop(segments);
    assert_eq!(reopen(&memory).1, entries);
}

/// Cuts the file behind so many bytes; the space taken in advance reads as zeros.
fn cut(memory: &MemoryStorage, end: u32) {
    let file = memory.open(PATH, false).expect("opens");
    let length = file.len().expect("length");
    file.set_len(end.into()).expect("cut");
    file.set_len(length).expect("extended");
}

#[test]
fn covered_entries_without_their_signed_end_are_dropped_with_the_torn_tail() {
    let (memory, entries, places) = log();
    let content = memory.content(PATH).expect("there is a file");
    for end in places[11].offset + places[11].length..places[14].offset + places[14].length {
        cut(&memory, end);
        let (_, found, report) = reopen(&memory);
        assert_eq!(found, entries[..12], "cut at {end}");
        assert!(report.damaged.is_empty());
        memory.damage(PATH, 0, &content);
    }
    assert_eq!(reopen(&memory).1, entries);
}

#[test]
fn the_part_of_a_torn_append_whose_chains_are_proven_is_kept() {
    let (mut first, mut second) = (Chain::new(1), Chain::new(2));
    let (a, b, c) = (first.run(&[10, 20]), second.run(&[30, 40]), first.run(&[50, 60]));
    let batch = [&a[..], &b[..1], &c[..1], &b[1..], &c[1..]].concat();
    for (kept_frames, proven) in [(0, 0), (1, 0), (2, 2), (3, 2), (4, 2), (5, 2), (6, 6)] {
        let memory = MemoryStorage::new();
        let segments = create(&memory);
        let places = segments.append(&batch).expect("written");
        drop(segments);
        cut(&memory, places.get(kept_frames).map_or(u32::MAX, |place| place.offset + 50).min(100_000));
        let (segments, found, report) = reopen(&memory);
        assert_eq!(found, batch[..proven], "of {kept_frames} frames");
        assert_eq!(report.torn_bytes > 0, proven < 6);
        // What was dropped stays dropped when something else is written.
        let next = Chain::new(3).signed(b"next");
        segments.append(std::slice::from_ref(&next)).expect("written");
        drop(segments);
        assert_eq!(reopen(&memory).1, [&batch[..proven], &[next]].concat());
    }
}

#[test]
fn recovery_changes_no_byte_and_writes_nothing_to_a_closed_log() {
    let (memory, _, places) = log();
    let before = memory.changes();
    drop(reopen(&memory));
    assert_eq!(memory.changes(), before);
    cut(&memory, places[14].offset + 5);
    let before = memory.content(PATH);
    let (segments, ..) = reopen(&memory);
    drop(segments);
    assert_eq!(memory.content(PATH), before);
}

#[test]
fn a_log_on_a_read_only_medium_is_read_and_refuses_to_be_written() {
    let (memory, entries, places) = log();
    memory.set_read_only(true);
    let (segments, found, _) = reopen(&memory);
    assert_eq!(found, entries);
    for _ in 0..2 {
        let refused = segments.append(&[Chain::new(2).signed(b"x")]);
        assert!(matches!(refused, Err(SegmentError::ReadOnly(ErrorKind::ReadOnlyFilesystem))));
    }
    assert_eq!(segments.read(places[3]).expect("read"), entries[3]);
}

#[test]
fn a_sector_that_cannot_be_read_costs_the_entries_in_it_and_not_the_log() {
    for index in 0..12 {
        let memory = MemoryStorage::new();
        let segments = create(&memory);
        let mut chain = Chain::new(1);
        let (mut entries, mut places) = (Vec::new(), Vec::new());
        for _ in 0..6 {
            let batch = chain.run(&[3_000, 3_000]);
            places.extend(segments.append(&batch).expect("written"));
            entries.extend(batch);
        }
        drop(segments);
        let sector = u64::from(places[index].offset + 1_000);
        memory.wear_out(PATH, sector..sector + 512);
        let (segments, found, report) = reopen(&memory);
        // The piece that is given up may reach into the entries next to it.
        let lost: Vec<_> = entries.iter().filter(|entry| !found.contains(entry)).collect();
        assert!(lost.contains(&&entries[index]) && lost.len() <= 3, "{index}: {} are lost", lost.len());
        assert_eq!((report.damaged.len(), report.torn_bytes), (1, 0), "{index}");
        assert!(segments.read(places[index]).is_err());
        let more = Chain::new(2).run(&[5, 6]);
        segments.append(&more).expect("the log goes on");
        drop(segments);
        assert_eq!(reopen(&memory).1, [&found[..], &more].concat(), "{index}");
    }
}

#[test]
fn a_worn_sector_in_the_last_append_of_a_killed_program_is_damage_and_no_torn_tail() {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    let mut chain = Chain::new(1);
    let first = chain.run(&[9_000, 10]);
    segments.append(&first).expect("written");
    let last: Vec<_> = (2..6).map(|number| Chain::new(number).signed(&[number; 9_000])).collect();
    let places = segments.append(&last).expect("written");
    // The program is killed: no mark says that all was durable.
    let worn = memory.crash_image(0);
    let sector = u64::from(places[1].offset + 4_500);
    worn.wear_out(PATH, sector..sector + 512);
    let (_, found, report) = reopen(&worn);
    assert_eq!(found.len(), first.len() + 3, "only the entry in the sector is lost");
    assert_eq!(report.damaged.len(), 1);
}

#[test]
fn a_worn_sector_under_a_header_costs_no_entry_and_a_disk_that_fails_is_an_error() {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    let mut chain = Chain::new(1);
    let mut entries = Vec::new();
    while memory.content("log/00000002.seg").is_none() {
        let batch = chain.run(&[10, 400_000]);
        segments.append(&batch).expect("written");
        entries.extend(batch);
    }
    drop(segments);
    memory.wear_out("log/00000002.seg", 0..8);
    assert_eq!(reopen(&memory).1, entries);
    memory.wear_out(PATH, 0..u64::from(u32::MAX));
    memory.wear_out("log/00000002.seg", 0..u64::from(u32::MAX));
    assert!(matches!(Segments::open(Arc::new(memory)), Err(SegmentError::Io(_))));
}
