//! Pages that a search for a random row's key reads, by the distribution of the keys and by what
//! happened to the index since it was built.

use super::*;
use crate::model::Loaded;
use crate::store::Store;
use crate::tree::{InsertOutcome, RecentLeaves, has_grown, model_pages};

const ROWS: u64 = 200_000;
const SEARCHES: u64 = 4000;
/// Items of inner pages. With 16 the trees are as high as those of ten million rows on servers, so
/// that a miss of the model costs as much.
const FANOUT: usize = 16;

const NAMES: [&str; 16] = [
    "sequential",
    "uniform",
    "one key in 90 %",
    "all equal",
    "two clusters",
    "exponential gaps",
    "powers of two",
    "alternating extremes",
    "both ends",
    "outliers",
    "heavy tail",
    "bursts",
    "z-order",
    "timestamps",
    "tenants",
    "zipf",
];

/// `rows` keys in the order of their rows.
fn keys(name: &str, rows: u64, rng: &mut Rng) -> Vec<u64> {
    let middle = 1u64 << 63;
    let mut now = middle;
    (0..rows)
        .map(|i| match name {
            "sequential" => middle + i,
            "uniform" => rng.next(),
            "one key in 90 %" if rng.chance(90) => middle,
            "one key in 90 %" => middle - ROWS + rng.below(2 * ROWS),
            "all equal" => middle,
            "two clusters" => rng.below(2) * (middle + middle / 2) + rng.below(1 << 30),
            "exponential gaps" => (1u64 << rng.below(63)) | (rng.next() >> (1 + rng.below(63))),
            "powers of two" => 1u64 << rng.below(64),
            "alternating extremes" if i % 2 == 0 => 1 + i,
            "alternating extremes" => u64::MAX - 1 - i,
            "both ends" => rng.below(1000).wrapping_sub(500),
            "outliers" if rng.below(10_000) == 0 => u64::MAX - rng.below(1 << 50),
            "outliers" => middle + rng.below(1 << 20) * rng.below(1 << 20) / (1 << 20),
            // A few ids have most of the rows, and some ids are far from all others.
            "heavy tail" => {
                let id = (1u64 << 40) / (1 + rng.below(1 << 40));
                middle + if rng.below(1000) == 0 { id << 20 } else { id }
            }
            "bursts" => middle + ((i / 100) << 20) + i % 100,
            // Places in clusters, as in cities.
            "z-order" => {
                let city = Rng::new(rng.below(200)).next();
                let spread = 1 + (city >> 40) % (1 << 24);
                let mut near = |x: u64| (x as u32).wrapping_add(rng.below(spread) as u32);
                interleave(near(city), near(city >> 32))
            }
            // Whole minutes, fewer at night.
            "timestamps" => {
                let night = now / 60_000_000 % 1440 < 300;
                now += 60_000_000 * rng.below(if night { 4 } else { 2 });
                now
            }
            // Each tenant's keys ascend.
            "tenants" => middle + (rng.below(50) << 40) + i * 1000,
            _ => middle + (rng.next() >> (1 + rng.below(60))),
        })
        .collect()
}

/// The bits of both numbers in turn: a place on the Z-order curve.
fn interleave(x: u32, y: u32) -> u64 {
    (0..32).fold(0, |z, i| {
        z | u64::from(x >> i & 1) << (2 * i) | u64::from(y >> i & 1) << (2 * i + 1)
    })
}

/// Pages that one search for the start of `key` reads. The search must end at the key's leaf.
fn search(mem: &Mem, tree: &Tree<'_, Mem, 1>, key: u64) -> u64 {
    let target = Entry::floor([key]);
    let before = mem.reads();
    let leaf = tree.find(&target).unwrap();
    assert!(
        Leaf::<1>::open(&leaf, leaf.block())
            .unwrap()
            .covers(&target)
    );
    mem.reads() - before
}

fn built(keys: &[u64]) -> Mem {
    let entries = (0..).zip(keys).map(|(i, &key)| row(key, i));
    build_wide::<1>(&entries.collect(), FILL, FANOUT)
}

fn tree<'a, const W: usize>(mem: &'a Mem, model: Option<&'a [u8]>) -> Tree<'a, Mem, W> {
    super::tree(mem, model).with_inner_limit(FANOUT)
}

fn row(key: u64, i: u64) -> Entry<1> {
    Entry::new([key], tie_of((i / 200) as u32, (i % 200 + 1) as u16))
}

/// A session as on a server: its model, which it loads again after many misses, and its recent
/// leaves.
struct Session<'m> {
    mem: &'m Mem,
    model: Option<Vec<u8>>,
    generation: u64,
    recent: RecentLeaves<1>,
    root: Option<(crate::Block, u8)>,
    improvable: u64,
    splits: u32,
}

impl<'m> Session<'m> {
    fn new(mem: &'m Mem) -> Self {
        let tree = Tree::<_, 1>::new(mem);
        Self {
            mem,
            model: tree.load_model().unwrap(),
            generation: tree.meta().unwrap().model.generation,
            recent: RecentLeaves::default(),
            root: None,
            improvable: 0,
            splits: 0,
        }
    }

    fn with<T>(&mut self, work: impl FnOnce(&Tree<'_, Mem, 1>) -> T) -> T {
        let tree = tree::<1>(self.mem, self.model.as_deref());
        let tree = tree
            .with_recent_leaves(&self.recent)
            .with_root_hint(self.root);
        let result = work(&tree);
        self.root = tree.root_hint();
        self.improvable += tree.counts.improvable();
        result
    }

    /// Pages read, including the meta page if the session looks for a new model.
    fn search(&mut self, key: u64) -> u64 {
        let mem = self.mem;
        let mut pages = self.with(|tree| search(mem, tree, key));
        if self.improvable >= 32 {
            self.improvable = 0;
            pages += 1;
            let meta = tree::<1>(mem, None).meta().unwrap();
            if meta.model.generation != self.generation {
                *self = Self::new(mem);
            }
        }
        pages
    }

    /// Inserts, and trains a new model when the index has grown, as a writer does. Returns the leaf
    /// of the entry.
    fn insert(&mut self, entry: Entry<1>, near: Option<crate::Block>) -> crate::Block {
        let done = self.with(|tree| match near {
            Some(near) => tree.insert_with(Some(near), entry, &[], FILL).unwrap(),
            None => tree.insert(entry, FILL).unwrap(),
        });
        let InsertOutcome::Split(right) = done.outcome else {
            return done.block;
        };
        self.splits += 1;
        let plain = tree::<1>(self.mem, None);
        let place = plain.meta().unwrap().model;
        if has_grown(&place, self.splits, self.mem.blocks().unwrap()) {
            assert!(plain.retrain_if_room(0).unwrap());
            *self = Self::new(self.mem);
        }
        right
    }
}

/// The mean number of pages that searches for random ones of these keys read, in a new session.
fn mean(mem: &Mem, keys: &[u64], rng: &mut Rng) -> f64 {
    let mut session = Session::new(mem);
    let pages: u64 = (0..SEARCHES)
        .map(|_| session.search(keys[rng.below(keys.len() as u64) as usize]))
        .sum();
    pages as f64 / SEARCHES as f64
}

#[test]
fn one_page_after_a_build() {
    for name in NAMES {
        let mut rng = Rng::new(5);
        let keys = keys(name, ROWS, &mut rng);
        let mean = mean(&built(&keys), &keys, &mut rng);
        println!("{name}: {mean:.3}");
        assert!(mean <= 1.1, "{name}: {mean}");
    }
}

/// Sequential keys with jitter are near a line: one line is enough, although keys beside a fence
/// may be sent to the next leaf.
#[test]
fn jitter_needs_no_exact_model() {
    let mut rng = Rng::new(5);
    let keys: Vec<u64> = (0..10 * ROWS).map(|i| i * 1000 + rng.below(1000)).collect();
    let mem = built(&keys);
    let bytes = tree::<1>(&mem, None).load_model().unwrap().unwrap();
    let mean = mean(&mem, &keys, &mut rng);
    println!("{} bytes, {mean:.3} pages", bytes.len());
    assert!(bytes.len() < 1024 && mean <= 1.05, "{} {mean}", bytes.len());
}

/// An index that is empty at first gets its models from the sessions that insert, without VACUUM.
#[test]
fn one_page_after_growing_from_nothing() {
    for name in [
        "sequential",
        "uniform",
        "all equal",
        "timestamps",
        "bursts",
        "tenants",
    ] {
        let mut rng = Rng::new(6);
        let keys = keys(name, ROWS / 2, &mut rng);
        let mem = empty::<1>();
        let mut session = Session::new(&mem);
        let mut near = None;
        for (i, &key) in (0..).zip(&keys) {
            near = Some(session.insert(row(key, i), near));
        }
        let report = check_rows(&mem, &keys);
        let mean = mean(&mem, &keys, &mut rng);
        println!(
            "{name}: {mean:.3}, {} of {} leaves known",
            report.model_leaves, report.leaves
        );
        assert!(mean <= 1.1, "{name}: {mean}");
        let unknown = report.leaves - report.model_leaves;
        assert!(unknown <= (report.leaves / 32).max(9), "{name}: {report:?}");
    }
}

/// Rows appended after the build are predicted like those before.
#[test]
fn one_page_for_appended_rows() {
    for name in ["sequential", "timestamps", "bursts"] {
        let mut rng = Rng::new(7);
        let keys = keys(name, ROWS + ROWS / 2, &mut rng);
        let (before, after) = keys.split_at(ROWS as usize);
        let mem = built(before);
        let mut session = Session::new(&mem);
        let mut near = None;
        for (i, &key) in (ROWS..).zip(after) {
            near = Some(session.insert(row(key, i), near));
        }
        check_rows(&mem, &keys);
        let means = [mean(&mem, after, &mut rng), mean(&mem, before, &mut rng)];
        println!("{name}: {means:.3?}");
        assert!(means.iter().all(|&mean| mean <= 1.1), "{name}: {means:?}");
    }
}

/// Half as many rows again, at random: in the whole range, or all of them in a hundredth of it.
/// Sessions that had a model before notice that there is a better one.
#[test]
fn few_pages_after_random_growth() {
    for range in [u64::MAX, u64::MAX / 100] {
        let mut rng = Rng::new(8);
        let mut keys = keys("uniform", ROWS, &mut rng);
        let mem = built(&keys);
        let mut session = Session::new(&mem);
        let mut reader = Session::new(&mem);
        let (mut pages, mut searches) = (0, 0);
        for i in ROWS..ROWS + ROWS / 2 {
            let key = rng.below(range);
            session.insert(row(key, i), None);
            keys.push(key);
            if i % 8 == 0 {
                pages += reader.search(keys[rng.below(keys.len() as u64) as usize]);
                searches += 1;
            }
        }
        check_rows(&mem, &keys);
        let meanwhile = pages as f64 / f64::from(searches);
        let after = mean(&mem, &keys, &mut rng);
        println!("below {range}: {meanwhile:.3} meanwhile, {after:.3} after");
        assert!(meanwhile <= 1.3 && after <= 1.3, "{meanwhile} {after}");
    }
}

/// A session without memory for a large model reads one page of it, then the leaf. It makes the
/// same predictions as a session that has the model in memory.
#[test]
fn one_page_more_without_memory() {
    for name in ["uniform", "two clusters", "all equal", "zipf"] {
        let mut rng = Rng::new(11);
        let keys = keys(name, ROWS / 2, &mut rng);
        let set: Set<1> = (0..).zip(&keys).map(|(i, &key)| row(key, i)).collect();
        let mem = build_wide(&set, 10, FANOUT);
        let plain = tree::<1>(&mem, None);
        for retrained in [false, true] {
            if retrained {
                // With a directory: a build needs none.
                plain
                    .insert(row(keys[7], u64::from(u32::MAX)), FILL)
                    .unwrap();
                plain.retrain(0).unwrap();
            }
            let place = plain.meta().unwrap().model;
            let kept = plain.load_model_at(&place, usize::MAX).unwrap().unwrap();
            let root = plain.load_model_at(&place, 0).unwrap().unwrap();
            let divided = kept.len() > root.len();
            assert!(divided || name == "all equal", "{name}: {place:?}");
            let kept = tree::<1>(&mem, Some(&kept));
            let root = tree::<1>(&mem, Some(&root));
            let mut pages = [0; 2];
            for _ in 0..SEARCHES {
                let key = keys[rng.below(keys.len() as u64) as usize];
                assert_eq!(kept.predict(&[key]).unwrap(), root.predict(&[key]).unwrap());
                pages[0] += search(&mem, &kept, key);
                pages[1] += search(&mem, &root, key);
            }
            let [kept, root] = pages.map(|pages| pages as f64 / SEARCHES as f64);
            println!("{name}: {kept:.3} pages, {root:.3} without memory");
            assert!(
                kept <= 1.1 && root <= 2.1 && (root > 1.9 || !divided),
                "{kept} {root}"
            );
        }
    }
}

/// Keys with few different coordinates: those at the edge of a part may belong to the leaf before.
#[test]
fn bounds_hold_at_the_edges_of_parts() {
    let mut rng = Rng::new(13);
    let set: Set<2> = (0..30_000)
        .map(|i| Entry::new([(i / 30) << 50, rng.next()], tie_of(i as u32, 1)))
        .collect();
    let mem = build_wide(&set, 10, FANOUT);
    let bytes = tree::<2>(&mem, None).load_model().unwrap().unwrap();
    let model = Loaded::open(&bytes).unwrap();
    assert!(model.pieces().count() > 10, "more entries, please");
    let tree = tree::<2>(&mem, Some(&bytes));
    for entry in &set {
        let leaf = tree.find(&Entry::floor(entry.key)).unwrap().block();
        let truth = model.ordinal(leaf).unwrap();
        if let Some((guess, _)) = model.predict(&entry.key) {
            let (from, to) = (guess.ordinal - guess.below, guess.ordinal + guess.above);
            assert!((from..=to).contains(&truth), "{truth}, {guess:?}");
        }
    }
}

/// A session whose model's pages are gone descends from the root.
#[test]
fn parts_of_another_model_are_no_use() {
    let mut rng = Rng::new(12);
    let set: Set<1> = (0..100_000).map(|i| row(rng.next(), i)).collect();
    let mem = build_wide(&set, 10, FANOUT);
    let plain = tree::<1>(&mem, None);
    let place = plain.meta().unwrap().model;
    let old = plain.load_model_at(&place, 0).unwrap().unwrap();
    let old = tree::<1>(&mem, Some(&old));
    let key = set.iter().nth(50_000).unwrap().key;
    assert!(old.predict(&key).unwrap().is_some());
    // The same for a page of the same model in the wrong place.
    let pages = model_pages::blocks(&mem, &place).unwrap().unwrap();
    let (last, other) = (pages[pages.len() - 1], pages[pages.len() - 2]);
    let (kept, wrong) = (
        mem.pages()[last as usize].clone(),
        mem.pages()[other as usize].clone(),
    );
    mem.damage(last, |page| *page = *wrong);
    let high = set.last().unwrap().key;
    assert!(old.predict(&high).unwrap().is_none());
    assert!(plain.load_model().unwrap().is_none());
    mem.damage(last, |page| *page = *kept);
    assert!(old.predict(&high).unwrap().is_some());
    for now in 0..4 {
        // The pages are freed at first, and then belong to newer models.
        plain.retrain(now).unwrap();
        for entry in set.iter().step_by(997) {
            assert!(old.predict(&entry.key).unwrap().is_none());
        }
    }
    for entry in set.iter().step_by(997) {
        assert!(old.contains(entry).unwrap());
    }
    assert_eq!(old.counts.descents.get(), old.counts.searches());
}

/// The model costs little to maintain: trainings are rare, and the larger the index the rarer.
#[test]
fn trainings_are_rare() {
    let mem = empty::<1>();
    let mut session = Session::new(&mem);
    let mut rng = Rng::new(9);
    for i in 0..ROWS {
        session.insert(row(rng.next(), i), None);
    }
    let plain = tree::<1>(&mem, None);
    let trainings = plain.meta().unwrap().model.generation;
    let blocks = u64::from(mem.blocks().unwrap());
    assert!(
        (blocks / 16..=blocks / 8).contains(&trainings),
        "{trainings} of {blocks}"
    );
}

/// Without a free page there is no new model, and nothing else changes.
#[test]
fn without_room_there_is_no_training() {
    let mut rng = Rng::new(10);
    let set: Set<1> = (0..150_000).map(|i| row(rng.next(), i)).collect();
    let mem = build_wide(&set, 10, FANOUT);
    let tree = tree::<1>(&mem, None);
    let pages = tree.meta().unwrap().model.pages;
    assert!(pages > 1, "more entries, please");
    for i in 0..pages {
        let before = tree.load_model().unwrap();
        mem.limit_spare(Some(i.into()));
        assert!(!tree.retrain_if_room(1).unwrap());
        assert!(before.is_some() && tree.load_model().unwrap() == before);
        assert_eq!(check(&mem, &set).stale_model_pages, 0);
    }
    mem.limit_spare(Some(pages.into()));
    assert!(tree.retrain_if_room(1).unwrap());
    assert_eq!(check(&mem, &set).stale_model_pages, 0);
}

fn check_rows(mem: &Mem, keys: &[u64]) -> TreeReport {
    check(mem, &(0..).zip(keys).map(|(i, &key)| row(key, i)).collect())
}

/// A search for a key beyond the leaves that the model knows reads one page more than without a
/// model.
#[test]
fn appended_keys_cost_a_page_more_at_most() {
    let first = 1u64 << 63;
    let keys: Vec<u64> = (first..first + ROWS).collect();
    let mem = built(&keys);
    let plain = tree::<1>(&mem, None);
    let model = plain.load_model().unwrap();
    for i in ROWS..ROWS + ROWS / 2 {
        plain.insert(row(first + i, i), FILL).unwrap();
    }
    search(&mem, &plain, first);
    let tree = tree::<1>(&mem, model.as_deref()).with_root_hint(plain.root_hint());
    for key in (first + ROWS..first + ROWS + ROWS / 2).step_by(31) {
        let (with, without) = (search(&mem, &tree, key), search(&mem, &plain, key));
        assert!(
            with <= without + 1,
            "{with} pages, {without} without a model"
        );
    }
}

/// However much the index has changed since the training, at most one page is read in vain.
#[test]
fn a_stale_model_costs_one_page_at_most() {
    let mut rng = Rng::new(17);
    let keys = keys("uniform", ROWS / 4, &mut rng);
    let mem = built(&keys);
    let plain = tree::<1>(&mem, None);
    let model = plain.load_model().unwrap();
    // Each leaf there becomes dozens of leaves.
    let crowded = keys[0] >> 58 << 58;
    for i in ROWS..2 * ROWS {
        let key = crowded + rng.below(1 << 58);
        plain.insert(row(key, i), FILL).unwrap();
    }
    search(&mem, &plain, crowded);
    let tree = tree::<1>(&mem, model.as_deref()).with_root_hint(plain.root_hint());
    let mut most = 0;
    for _ in 0..SEARCHES {
        let key = crowded + rng.below(1 << 58);
        let (with, without) = (search(&mem, &tree, key), search(&mem, &plain, key));
        most = most.max(with.saturating_sub(without));
    }
    assert_eq!(most, 1);
}
