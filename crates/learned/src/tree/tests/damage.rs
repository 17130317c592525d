//! Damaged pages and models.

use super::*;
use crate::cursor::Cursor;
use crate::range::Range;
use crate::store::Store;
use crate::tree::model_pages;

/// An index with logs, tombstones, stale model pages, free pages, and incomplete splits.
fn varied<const W: usize>(seed: u64) -> (Mem, Vec<Entry<W>>) {
    let mut rng = Rng::new(seed);
    let pattern = pattern_of(seed);
    let mut set: Set<W> = (0..1000).map(|i| pattern.entry(i, &mut rng)).collect();
    let mem = build(&set);
    let tree = tree::<W>(&mem, None);
    for i in 1000..1400 {
        let new = pattern.entry(i, &mut rng);
        if set.insert(new) {
            mem.fail_after(rng.chance(5).then_some(1));
            let _ = tree.insert(new, FILL);
            mem.fail_after(None);
        }
        match rng.below(150) {
            0 => drop(
                tree.vacuum(&mut |tie: u64| tie.is_multiple_of(5), true)
                    .unwrap(),
            ),
            1 => tree.retrain(0).unwrap(),
            2 => {
                let allocate = || mem.allocate().map(Some);
                let training = irregular::<W>(rng.below(100));
                let generation = rng.next();
                tree.write_model(&training, generation, 0, &allocate)
                    .unwrap();
            }
            _ => {}
        }
    }
    (mem, set.into_iter().collect())
}

/// Overwrites bytes of up to four pages.
fn damage(mem: &Mem, rng: &mut Rng) {
    let blocks = u64::from(mem.blocks().unwrap());
    for _ in 0..1 + rng.below(4) {
        let block = if rng.chance(20) {
            0
        } else {
            rng.below(blocks) as u32
        };
        mem.damage(block, |page| {
            for _ in 0..1 + rng.below(6) {
                // Mostly where the headers are.
                let at = if rng.chance(70) {
                    10 + rng.below(200)
                } else {
                    rng.below(8192)
                };
                let value = if rng.chance(50) {
                    rng.below(12)
                } else {
                    rng.next()
                };
                page[at as usize] = value as u8;
            }
        });
    }
}

/// Reads and changes a damaged index in every way. Returns the number of errors.
fn use_it<const W: usize>(
    mem: &Mem,
    model: Option<&[u8]>,
    known: &[Entry<W>],
    rng: &mut Rng,
) -> u64 {
    let tree = tree::<W>(mem, model);
    let mut errors = 0;
    let mut note = |failed: bool| errors += u64::from(failed);
    note(tree.verify(&mut |_| ()).is_err());
    for i in 0..40 {
        let mut wanted = known[rng.below(known.len() as u64) as usize];
        if rng.chance(50) {
            wanted.tie ^= 1 << rng.below(30);
        }
        note(tree.contains(&wanted).is_err());
        note(tree.find_before(&wanted).is_err());
        let mut cursor = Cursor::default();
        let (from, until) = match i % 8 {
            0 => (Entry::MIN, Entry::MAX),
            _ => (wanted, known[known.len() / 2]),
        };
        cursor.reset(Range::exact(from, until));
        let mut forward = rng.chance(50);
        for _ in 0..3000 {
            if cursor.step(forward).is_some() {
                forward ^= rng.chance(1);
            } else if cursor.has_more(forward) {
                match cursor.load(&tree, forward) {
                    Ok(leaf) => drop(leaf),
                    Err(_) => {
                        note(true);
                        break;
                    }
                }
            } else {
                cursor.finish(forward);
                break;
            }
        }
        note(tree.insert(wanted, FILL).is_err());
    }
    note(
        tree.vacuum(&mut |tie: u64| tie.is_multiple_of(3), true)
            .is_err(),
    );
    note(tree.retrain(0).is_err());
    note(tree.load_model().is_err());
    note(tree.sweep(&mut |_| ()).is_err());
    errors
}

/// Damaged bytes never cause a panic, an endless search, or a page that is locked twice.
fn damaged_pages_are_errors<const W: usize>(first: u64, count: u64) {
    let (mut faults, mut silent) = (0, 0);
    let (mut kind, mut sound, mut known) = (0, empty::<W>(), Vec::new());
    for seed in seeds(first, count) {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        if seed / 50 != kind || known.is_empty() {
            kind = seed / 50;
            (sound, known) = varied::<W>(kind);
        }
        let model = model::<W>(&sound, &mut rng);
        let mem = Mem::new(sound.pages());
        damage(&mem, &mut rng);
        mem.limit_reads(2_000_000);
        let model = model.as_deref().filter(|_| rng.chance(50));
        if use_it(&mem, model, &known, &mut rng) > 0 {
            faults += 1
        } else {
            silent += 1
        }
        for breach in mem.breaches() {
            assert!(
                !breach.contains("twice")
                    && !breach.contains("endless")
                    && !breach.contains("deadlock"),
                "seed {seed}: {breach}"
            );
        }
    }
    // Damage to the model only makes searches slow, so many runs have no error.
    assert!(faults * 3 > silent, "{faults} against {silent}");
}

#[test]
fn damaged_pages_are_errors_not_panics() {
    damaged_pages_are_errors::<WORDS>(0, 600);
    damaged_pages_are_errors::<1>(10_000, 200);
    damaged_pages_are_errors::<2>(20_000, 200);
}

/// Whatever the model's pages hold, every search ends at the right leaf, and a training repairs the
/// model.
#[test]
fn damage_to_the_model_is_no_error() {
    use crate::page::head;
    let set: Set<1> = (0..150_000).map(|i| entry(i * i, i)).collect();
    let sound = build_filled(&set, 10);
    // With a directory of blocks.
    let plain = tree::<1>(&sound, None);
    plain.retrain(0).unwrap();
    let pages = model_pages::blocks(&sound, &plain.meta().unwrap().model);
    let pages = pages.unwrap().unwrap();
    assert!(pages.len() > 3, "more entries, please");
    let (mut without, mut unlike) = (0, 0);
    for seed in seeds(30_000, 200) {
        let mut rng = Rng::new(seed);
        let mem = Mem::new(sound.pages());
        for _ in 0..1 + rng.below(30) {
            let block = pages[rng.below(pages.len() as u64) as usize];
            let reach = if rng.chance(50) { 150 } else { 1500 };
            let at = head::END + rng.below(reach) as usize;
            let bytes = if rng.chance(50) { 1 } else { 4 };
            let value = rng.next().to_le_bytes();
            mem.damage(block, |page| {
                page[at..at + bytes].copy_from_slice(&value[..bytes])
            });
        }
        let model = model::<1>(&mem, &mut rng);
        without += u64::from(model.is_none());
        let tree = tree::<1>(&mem, model.as_deref());
        for entry in set.iter().step_by(211) {
            assert!(tree.contains(entry).unwrap(), "seed {seed}: {entry:?}");
        }
        unlike += tree.counts.misses.get();
        tree.retrain(1).unwrap();
        check(&mem, &set);
    }
    println!("{without} models refused, {unlike} misses");
    assert!(without > 0 && unlike > 0, "{without} {unlike}");
}

/// `verify` finds and names each kind of damage.
#[test]
fn verify_finds_what_is_wrong() {
    use crate::page::{Kind, head, put};
    let set: Set<WORDS> = (0..1500).map(|i| entry(i, i)).collect();
    let sound = build(&set);
    let blocks = sound.blocks().unwrap();
    let root = tree::<WORDS>(&sound, None).meta().unwrap().root;
    let of = |level: u8| {
        let pages = sound.pages();
        (1..blocks)
            .find(|&b| {
                let page = &pages[b as usize];
                let kind = if level == 0 { Kind::Leaf } else { Kind::Inner };
                crate::page::kind(page) == Some(kind) && crate::page::level(page) == level
            })
            .unwrap()
    };
    let (leaf, inner) = (of(0) + 1, of(1));
    let items = crate::fences::end::<WORDS>() + 8;
    let item = Entry::<WORDS>::BYTES + 8;
    let fault = |block: u32, at: usize, bytes: &[u8]| {
        let mem = Mem::new(sound.pages());
        mem.damage(block, |page| put(page, at, bytes));
        tree::<WORDS>(&mem, None)
            .verify(&mut |_| ())
            .unwrap_err()
            .to_string()
    };
    for (block, at, bytes, wanted) in [
        (leaf, head::RIGHT, &[0xFF; 4][..], "disagree"),
        (leaf, head::RIGHT, &[1, 0, 0, 0], "reached twice"),
        (leaf, head::FLAGS, &[1], "although the split is marked"),
        (leaf, head::KIND, &[1], "another kind or level"),
        (
            leaf,
            crate::fences::LOW + 7,
            &[0xFF; 1],
            "low fence not below",
        ),
        (leaf, crate::page::SPECIAL + 2, &[3], "special area"),
        (
            inner,
            items + item + Entry::<WORDS>::BYTES,
            &[9, 0, 0, 0],
            "has a downlink but",
        ),
        (inner, items + item, &[0xFF], "out of order"),
        (root, head::LEVEL, &[1], "another kind or level"),
        (0, head::END + 8, &[2, 0, 0, 0], "another kind or level"),
    ] {
        let found = fault(block, at, bytes);
        assert!(
            found.contains(wanted),
            "block {block}, byte {at}: {found}, wanted {wanted}"
        );
    }
    // A page that looks used although nothing leads to it.
    let mut pages = sound.pages();
    pages.push(pages[leaf as usize].clone());
    let found = tree::<WORDS>(&Mem::new(pages), None).verify(&mut |_| ());
    assert!(
        found
            .unwrap_err()
            .to_string()
            .contains("nothing leads to it")
    );
}

/// The block of the leaf that covers an entry, and of the leaf's parent.
fn leaf_and_parent(mem: &Mem, wanted: &Entry<WORDS>) -> (u32, u32) {
    let tree = tree::<WORDS>(mem, None);
    let parent = tree.find_on_level(&super::super::descend::SearchTarget::covering(wanted), 1);
    let parent = parent.unwrap().unwrap().block();
    let leaf = tree.find(wanted).unwrap().block();
    (leaf, parent)
}

#[test]
fn right_links_in_a_circle_end_in_an_error() {
    use crate::page::{head, put};
    let set: Set<WORDS> = (0..1500).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    mem.limit_reads(100_000);
    let (leaf, wanted) = (4, entry(1400, 0));
    let (_, parent) = leaf_and_parent(&mem, &wanted);
    // All downlinks of the parent lead to one leaf, whose right sibling is itself.
    mem.damage(leaf, |page| put(page, head::RIGHT, &leaf.to_le_bytes()));
    let items = crate::fences::end::<WORDS>() + 8;
    for i in 0..FANOUT {
        let at = items + i * (Entry::<WORDS>::BYTES + 8) + Entry::<WORDS>::BYTES;
        mem.damage(parent, |page| put(page, at, &leaf.to_le_bytes()));
    }
    let tree = tree::<WORDS>(&mem, None);
    assert!(matches!(
        tree.find(&wanted),
        Err(crate::Error::SearchLost { .. })
    ));
    assert!(tree.insert(wanted, FILL).is_err());
    // VACUUM finds its way by fences.
    assert_eq!(tree.vacuum(&mut |_: u64| false, true).unwrap().live, 1500);
    assert!(tree.verify(&mut |_| ()).is_err());
    assert_eq!(mem.breaches(), Vec::<String>::new());
}

/// VACUUM looks for the right neighbour of a sparse inner page to join the two.
#[test]
fn an_inner_page_that_is_its_own_neighbour_is_an_error() {
    use crate::page::{head, put};
    let set: Set<WORDS> = (0..1500).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    // Few entries remain in every leaf.
    tree.vacuum(&mut |tie| tie % 16 != 0, false).unwrap();
    let (_, parent) = leaf_and_parent(&mem, &entry(0, 0));
    mem.damage(parent, |page| put(page, head::RIGHT, &parent.to_le_bytes()));
    let fault = tree.vacuum(&mut |_| false, true).unwrap_err().to_string();
    assert!(
        fault.contains("leads back to a page on the way to it"),
        "{fault}"
    );
    assert_eq!(mem.breaches(), Vec::<String>::new());
}

/// On PostgreSQL a second lock on a page that the backend has locked would wait forever.
#[test]
fn a_downlink_back_to_the_page_that_is_split_is_an_error() {
    use crate::page::put;
    let set: Set<WORDS> = (0..1500).map(|i| entry(10 * i, i)).collect();
    let mem = build(&set);
    let model = tree::<WORDS>(&mem, None).load_model().unwrap();
    let tree = tree::<WORDS>(&mem, model.as_deref());
    let middle = entry(7000, 0);
    let (leaf, _) = leaf_and_parent(&mem, &middle);
    // Every descent leads from the root to the leaf.
    let root = tree.meta().unwrap().root;
    let items = crate::fences::end::<WORDS>() + 8;
    for i in 0..FANOUT {
        let at = items + i * (Entry::<WORDS>::BYTES + 8) + Entry::<WORDS>::BYTES;
        mem.damage(root, |page| put(page, at, &leaf.to_le_bytes()));
    }
    // The model leads to the leaf; its split needs the parent.
    let failed = (1..3000).find_map(|i| tree.insert(entry(7000, i), FILL).err());
    let fault = failed.unwrap().to_string();
    assert!(
        fault.contains("leads back to a page on the way to it"),
        "{fault}"
    );
    assert_eq!(mem.breaches(), Vec::<String>::new());
}
