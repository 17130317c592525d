//! Bytes of a sound index's pages are overwritten. Reading and changing the index gives results or
//! errors: no panic, no endless search, no page locked twice.
#![no_main]

use std::sync::{Arc, OnceLock};

use arbitrary::Arbitrary;
use learned::cursor::Cursor;
use learned::key::tie_of;
use learned::mem::Mem;
use learned::range::Range;
use learned::tree::empty_index;
use learned::{Entry, Page, Tree};
use libfuzzer_sys::fuzz_target;

const FANOUT: usize = 6;

#[derive(Debug, Arbitrary)]
struct Input {
    damage: Vec<(u8, u16, u8)>,
    wanted: Vec<(u16, bool)>,
    with_model: bool,
}

fn entry(i: u64) -> Entry<2> {
    Entry::new([i % 7, i * i], tie_of((i / 50) as u32, (i % 50 + 1) as u16))
}

/// An index with insert logs, tombstones, free pages and a model.
fn sound() -> &'static (Vec<Arc<Page>>, Option<Vec<u8>>) {
    static SOUND: OnceLock<(Vec<Arc<Page>>, Option<Vec<u8>>)> = OnceLock::new();
    SOUND.get_or_init(|| {
        let mem = Mem::from_blocks(empty_index::<2>(90, [0; 8]));
        let tree = Tree::<_, 2>::new(&mem).with_inner_limit(FANOUT);
        for i in 0..12_000 {
            tree.insert(entry(i), 90).unwrap();
        }
        tree.vacuum(&mut |tie: u64| tie % 5 == 0 || tie >> 16 < 40, true)
            .unwrap();
        for i in 0..500 {
            tree.insert(entry(100_000 + 17 * i), 90).unwrap();
        }
        tree.retrain(0).unwrap();
        (mem.pages(), tree.load_model().unwrap())
    })
}

fuzz_target!(|input: Input| {
    let (pages, model) = sound();
    let mem = Mem::new(pages.clone());
    for (block, at, value) in &input.damage {
        let block = u32::from(*block) % pages.len() as u32;
        mem.damage(block, |page| page[usize::from(*at) % page.len()] = *value);
    }
    mem.limit_reads(1_000_000);
    let tree = match model {
        Some(bytes) if input.with_model => Tree::<_, 2>::with_model(&mem, bytes),
        _ => Tree::new(&mem),
    }
    .with_inner_limit(FANOUT);
    let _ = tree.verify(&mut |_| ());
    for (i, forward) in input.wanted.iter().take(20) {
        let wanted = entry((*i).into());
        let _ = tree.contains(&wanted);
        let mut cursor = Cursor::default();
        cursor.reset(Range::exact(wanted, Entry::MAX));
        for _ in 0..2000 {
            if cursor.step(*forward).is_none()
                && (!cursor.has_more(*forward) || cursor.load(&tree, *forward).is_err())
            {
                break;
            }
        }
        let _ = tree.insert(wanted, 90);
    }
    let _ = tree.vacuum(&mut |tie: u64| tie % 3 == 0, true);
    let _ = tree.retrain(0);
    let _ = tree.load_model();
    let _ = tree.sweep(&mut |_| ());
    for breach in mem.breaches() {
        assert!(
            !breach.contains("twice")
                && !breach.contains("endless")
                && !breach.contains("deadlock"),
            "{breach}"
        );
    }
});
