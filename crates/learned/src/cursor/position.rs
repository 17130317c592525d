//! Positions of a cursor: marks to return to, and positions that several cursors share.

use super::{BEFORE, Cursor, Trail};
use crate::key::Entry;
use crate::skip::successor;

/// A position to return to.
#[derive(Debug, Clone, Copy)]
pub struct Mark<const W: usize> {
    place: MarkedPlace<W>,
    current: usize,
    serial: u64,
    at: usize,
}

/// The position where the next cursor continues, of several cursors with the same ranges and
/// filters that share the work of one scan. It has no references, so it may be in shared memory.
#[derive(Debug, Clone, Copy)]
pub struct SharedPosition<const W: usize> {
    current: usize,
    edge: Entry<W>,
    trail: Trail,
    fences: (Entry<W>, Entry<W>),
}

#[derive(Debug, Clone, Copy)]
enum MarkedPlace<const W: usize> {
    Unstarted,
    On(Entry<W>),
    /// Between entries, at an end of the range or of a batch.
    Edge(Entry<W>),
}

impl<const W: usize> Cursor<W> {
    /// The current position.
    pub fn mark(&self) -> Mark<W> {
        let place = match self.batch.get(self.at) {
            Some(entry) => MarkedPlace::On(*entry),
            None if !self.started => MarkedPlace::Unstarted,
            // Beyond the first or the last entry of the batch, in the order of reading.
            None if (self.at == BEFORE) != self.descending => MarkedPlace::Edge(self.low),
            None => MarkedPlace::Edge(self.high),
        };
        Mark {
            place,
            current: self.current,
            serial: self.serial,
            at: self.at,
        }
    }

    /// Returns to a position of the same ranges. The next entry in either direction is the one that
    /// followed, or preceded, the position when it was marked.
    pub fn restore(&mut self, mark: &Mark<W>) {
        if mark.serial == self.serial {
            self.at = mark.at;
            return;
        }
        let range = self.ranges.get(mark.current).copied();
        self.rewind(range.unwrap_or(self.range));
        self.current = mark.current;
        match mark.place {
            MarkedPlace::Unstarted => {}
            MarkedPlace::On(entry) => {
                self.started = true;
                self.batch.push(entry);
                self.at = 0;
                (self.low, self.high) = (entry, successor(&entry));
                self.descending = false;
            }
            MarkedPlace::Edge(edge) => {
                self.started = true;
                (self.low, self.high) = (edge, edge);
            }
        }
    }

    /// The position from which another cursor continues behind the batch that was just loaded in
    /// this direction. None: the scan is at its end.
    pub fn shared_position(&self, forward: bool) -> Option<SharedPosition<W>> {
        self.has_more(forward).then_some(SharedPosition {
            current: self.current,
            edge: if forward { self.high } else { self.low },
            trail: self.trail,
            fences: self.fences,
        })
    }

    /// Continues from the position that another cursor has left. The batch is given up.
    pub fn continue_from(&mut self, from: &SharedPosition<W>, forward: bool) {
        if let Some(range) = self.ranges.get(from.current) {
            self.set_range(*range);
        }
        self.current = from.current;
        self.started = true;
        self.descending = !forward;
        (self.low, self.high) = (from.edge, from.edge);
        (self.trail, self.fences) = (from.trail, from.fences);
        self.batch.clear();
        self.at = BEFORE;
        self.serial += 1;
    }
}
