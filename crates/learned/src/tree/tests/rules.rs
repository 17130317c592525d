//! The in-memory store reports breaches of the rules for locks and records.

use super::*;
use crate::page::META;
use crate::store::{Change, Patch, Store};

/// A tree with a root above two inner pages at least, and its leaves, inner pages and root.
fn high() -> (Mem, Vec<u32>, Vec<u32>, u32) {
    let set: Set<WORDS> = (0..1500).map(|i| entry(i, i)).collect();
    let mem = build(&set);
    let tree = tree::<WORDS>(&mem, None);
    let level = |at: u8| {
        let (mut found, mut low) = (Vec::new(), Entry::MIN);
        while low < Entry::MAX {
            let target = super::super::descend::SearchTarget::covering(&low);
            let page = tree.find_on_level(&target, at).unwrap().unwrap();
            found.push(page.block());
            low = crate::fences::read::<WORDS>(&page, page.block(), at)
                .unwrap()
                .unwrap()
                .1;
        }
        found
    };
    let root = tree.meta().unwrap().root;
    let (leaves, inner) = (level(0), level(1));
    (mem, leaves, inner, root)
}

/// The breaches that the store reports for `work`; empty: none.
fn breach(work: impl FnOnce(&Mem, &[u32], &[u32], u32)) -> String {
    let (mem, leaves, inner, root) = high();
    work(&mem, &leaves, &inner, root);
    mem.breaches().join("; ")
}

/// Locks `first`, then `second`.
fn locks(mem: &Mem, first: u32, second: u32) {
    let _held = mem.write(first).unwrap();
    let _wanted = mem.write(second);
}

#[test]
fn locks_go_right_and_up() {
    assert_eq!(breach(|m, l, _, _| locks(m, l[3], l[4])), "");
    assert_eq!(breach(|m, l, _, _| locks(m, l[3], l[9])), "");
    assert_eq!(breach(|m, l, i, _| locks(m, l[9], i[0])), "");
    assert_eq!(breach(|m, _, i, r| locks(m, i[1], r)), "");
    assert_eq!(breach(|m, _, _, r| locks(m, r, META)), "");
    let order = "locked while block";
    assert!(breach(|m, l, _, _| locks(m, l[4], l[3])).contains(order));
    assert!(breach(|m, l, i, _| locks(m, i[0], l[9])).contains(order));
    assert!(breach(|m, _, i, r| locks(m, r, i[0])).contains(order));
    assert!(breach(|m, _, i, _| locks(m, i[1], i[0])).contains(order));
    assert!(breach(|m, l, _, _| locks(m, META, l[0])).contains(order));
    // Share locks are no exception, and neither is the oldest of several locks.
    let fault = breach(|m, l, _, _| {
        let _held = (m.read(l[4]).unwrap(), m.read(l[6]).unwrap());
        assert!(m.read(l[5]).is_err());
    });
    assert!(fault.contains(order), "{fault}");
}

#[test]
fn locks_are_taken_once_and_released() {
    assert!(breach(|m, l, _, _| locks(m, l[3], l[3])).contains("locked twice"));
    let fault = breach(|m, l, _, _| {
        let _held = m.read(l[3]).unwrap();
        m.interrupt();
    });
    assert!(fault.contains("held at an interrupt check"), "{fault}");
    let fault = breach(|m, l, _, _| {
        let _held = m.read(l[3]).unwrap();
        let _wanted = m.write_for_cleanup(l[4]);
    });
    assert!(
        fault.contains("cleanup lock while holding locks"),
        "{fault}"
    );
}

/// New pages are outside the order of locks, so two of them can make a deadlock.
#[test]
fn deadlocks_are_found_at_once_in_an_interleaving() {
    let (mem, leaves, ..) = high();
    let first = mem.blocks().unwrap();
    let cross = || {
        let mine = mem.allocate().unwrap();
        while mem.blocks().unwrap() < first + 2 {
            drop(mem.read(leaves[0]).unwrap());
        }
        let other = first + (first + 1) - mine.block();
        let _ = mem.write(other);
    };
    mem.interleave(1, 0, vec![Box::new(cross), Box::new(cross)]);
    let breaches = mem.breaches();
    assert!(
        breaches.len() == 1 && breaches[0].contains("deadlock"),
        "{breaches:?}"
    );
}

#[test]
fn records_are_checked() {
    let commit = |work: &dyn Fn(&Mem, &[u32])| breach(|m, l, _, _| work(m, l));
    let patch = |at: usize, bytes: &[u8]| {
        let mut patch = Patch::new();
        patch.put(at, bytes);
        Change::Patch(patch)
    };
    let single = |at: usize, bytes: &'static [u8]| {
        commit(&|m, l| {
            let mut page = m.write(l[1]).unwrap();
            assert!(m.commit(&mut [(&mut page, patch(at, bytes))]).is_err());
        })
    };
    let upper = crate::page::pd::UPPER;
    assert!(single(3, &[0]).contains("in the log position"));
    assert!(single(8190, &[0; 4]).contains("beyond the page"));
    assert!(single(upper, &[0, 0]).contains("hole from"));
    let fault = commit(&|m, _| {
        let mut fresh = m.allocate().unwrap();
        assert!(m.commit(&mut [(&mut fresh, patch(40, &[1]))]).is_err());
    });
    assert!(fault.contains("never written"), "{fault}");
    let fault = commit(&|m, l| {
        let mut pages: Vec<_> = l[..5].iter().map(|b| m.write(*b).unwrap()).collect();
        let mut changes: Vec<_> = pages.iter_mut().map(|p| (p, patch(40, &[0]))).collect();
        assert!(m.commit(&mut changes).is_err());
    });
    assert!(fault.contains("5 pages in a record"), "{fault}");
    // Bytes in the hole of an image, and of a patch.
    let in_hole = |page: &crate::page::Page| {
        let (lower, upper) = crate::page::hole(page, 0).unwrap();
        assert!(upper - lower > 8);
        lower + 4
    };
    let fault = commit(&|m, l| {
        let mut page = m.write(*l.last().unwrap()).unwrap();
        let mut image = Box::new(*page);
        image[in_hole(&page)] = 1;
        assert!(m.commit(&mut [(&mut page, Change::Image(image))]).is_err());
    });
    assert!(fault.contains("bytes in its hole"), "{fault}");
    let fault = commit(&|m, l| {
        let mut page = m.write(*l.last().unwrap()).unwrap();
        let change = patch(in_hole(&page), &[1]);
        assert!(m.commit(&mut [(&mut page, change)]).is_err());
    });
    assert!(fault.contains("writes into the hole"), "{fault}");
}
