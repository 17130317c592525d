//! The entries whose rows may be dead, against a look at each tie.

use super::*;
use std::collections::HashMap;

/// The blocks of which something is known.
struct Table(HashMap<u32, Offsets>);

impl Table {
    fn has(&self, tie: u64) -> bool {
        let (block, offset) = ((tie >> 16) as u32, usize::from(tie as u16));
        let Some(offsets) = self.0.get(&block) else {
            return true;
        };
        offset >= 320 || offsets[offset / 64] >> (offset % 64) & 1 == 1
    }
}

impl Dead for Table {
    fn offsets(&self, block: u32) -> Option<&Offsets> {
        self.0.get(&block)
    }

    fn find(&mut self, _: &[Suspect], _: &mut Vec<usize>) {
        unreachable!("not called");
    }
}

/// All entries of the leaf with their places: those of the log, then all slots, with deleted ones.
fn places(page: &Page) -> Vec<Suspect> {
    let contents = open::<1>(page).contents().unwrap();
    let mut all = contents.log.clone();
    for run in &contents.runs {
        (0..run.header.slots).for_each(|slot| all.push(run.run().entry(slot)));
    }
    let numbered = (0..).zip(all);
    numbered
        .map(|(place, e)| Suspect { tie: e.tie, place })
        .collect()
}

#[test]
fn suspects_are_the_rows_that_may_be_dead() {
    let mut counted = 0;
    for (seed, shape) in (0..).zip(SHAPES) {
        let (all, mut page) = full_page(&entries::<1>(shape, MAX_SLOTS, seed));
        let mut rng = Rng(seed);
        // Some entries are in the log, and some are deleted already.
        let contents = leaf_of(&all[..all.len() * 9 / 10]);
        if let Some(roomy) = contents.to_page() {
            page = roomy;
        }
        for e in all.iter().rev().take(9) {
            let leaf = open::<1>(&page);
            if let Some((patch, _)) = leaf.try_log(e, &[]).filter(|_| !leaf.contains(e).unwrap()) {
                patch.apply(&mut page);
            }
        }
        for percent in [0, 5] {
            model::delete_dead::<1>(&mut page, &mut |_| rng.below(100) < percent);
            let leaf = open::<1>(&page);
            let runs = leaf.contents().unwrap().runs;
            counted += runs.iter().filter(|run| run.header.tid.is_count()).count();
            let mut live = Vec::new();
            leaf.suspects(&|_| true, &mut live).unwrap();
            assert_eq!(live.len(), leaf.live());
            let every = places(&page);
            assert!(live.iter().all(|one| every[one.place] == *one));
            let mut table = Table(HashMap::new());
            for one in &every {
                let words = [0, rng.next() & rng.next() & rng.next(), u64::MAX];
                let offsets = std::array::from_fn(|_| words[rng.below(3) as usize]);
                match rng.below(10) {
                    0 => {}
                    1 => _ = table.0.insert((one.tie >> 16) as u32, [0; 5]),
                    _ => _ = table.0.insert((one.tie >> 16) as u32, offsets),
                }
            }
            let mut suspects = Vec::new();
            leaf.suspects(&table, &mut suspects).unwrap();
            live.retain(|one| table.has(one.tie));
            assert_eq!(suspects, live, "{shape}");
        }
    }
    assert!(counted > 10, "{counted}");
}

/// A damaged run whose records have no bits may claim any number of slots.
#[test]
fn no_more_suspects_than_slots() {
    let row = |i: u64| Entry::new([i * 1000], tie_of(0, i as u16 + 1));
    let mut page = leaf_of::<1>(&(0..200).map(row).collect::<Vec<_>>())
        .to_page()
        .unwrap();
    assert_eq!(open::<1>(&page).run(0).unwrap().run.header.record_bits(), 0);
    crate::page::put(
        &mut page,
        Layout::<1>::run_header(0),
        &60_000u16.to_le_bytes(),
    );
    let mut suspects = Vec::new();
    let leaf = open::<1>(&page);
    assert!(leaf.suspects(&|_| true, &mut suspects).is_err());
    assert!(suspects.len() <= leaf.slots());
}
