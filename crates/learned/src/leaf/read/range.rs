//! Reads of a range of a leaf, in both directions, up to a limit.

use crate::error::Result;
use crate::key::Entry;
use crate::leaf::format::bits;
use crate::leaf::format::run::Run;
use crate::leaf::read::view::Leaf;

impl<const W: usize> Leaf<'_, W> {
    /// Appends to `out` the live entries `e` with `from <= e < until`, ascending, at most `limit`
    /// of them. Returns whether this leaf may hold more entries of the range.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read. `out` may have grown by then.
    #[inline(always)]
    pub fn forward(
        &self,
        from: &Entry<W>,
        until: &Entry<W>,
        limit: usize,
        out: &mut Vec<Entry<W>>,
    ) -> Result<bool> {
        if limit == 0 || from >= until {
            return Ok(from < until);
        }
        if self.log > 0 {
            return self.forward_with_log(from, until, limit, out);
        }
        self.packed_forward(from, until, limit, out)
    }

    /// Appends to `out` the live entries `e` with `from <= e < until`, descending, at most `limit`
    /// of them. Returns whether this leaf may hold more entries of the range.
    ///
    /// # Errors
    /// [`crate::Error::Corrupted`] where a run cannot be read. `out` may have grown by then.
    #[inline]
    pub fn backward(
        &self,
        from: &Entry<W>,
        until: &Entry<W>,
        limit: usize,
        out: &mut Vec<Entry<W>>,
    ) -> Result<bool> {
        if limit == 0 || from >= until {
            return Ok(from < until);
        }
        if self.log > 0 {
            return self.backward_with_log(from, until, limit, out);
        }
        self.packed_backward(from, until, limit, out)
    }

    #[inline(always)]
    fn packed_forward(
        &self,
        from: &Entry<W>,
        until: &Entry<W>,
        limit: usize,
        out: &mut Vec<Entry<W>>,
    ) -> Result<bool> {
        if self.runs == 0 {
            return Ok(false);
        }
        let mut left = limit;
        let mut i = self.find(from)?;
        let mut run = self.run(i)?.run;
        let mut slot = run.seek(from, 0, run.header.slots);
        loop {
            let slots = run.header.slots;
            if self.tombstones > 0 {
                // Deleted slots do not count for the limit, so it does not bound the slots.
                let end = end_of(&run, until, slot, slots);
                let before = self.slots_before(i);
                let bitmap = self.bitmap();
                while slot < end && left > 0 {
                    if !bits::test(bitmap, before + slot) {
                        out.push(run.entry(slot));
                        left -= 1;
                    }
                    slot += 1;
                }
                if slot < end {
                    return Ok(true);
                }
                if end < slots {
                    return Ok(false);
                }
            } else {
                let most = slots.min(slot.saturating_add(left));
                let end = end_of(&run, until, slot, most);
                run.ascend(slot, end, out);
                left -= end - slot;
                if end < most {
                    return Ok(false);
                }
                if end < slots {
                    return Ok(run.below(end, until));
                }
            }
            i += 1;
            if i >= self.runs {
                return Ok(false);
            }
            if left == 0 {
                return Ok(true);
            }
            run = self.run(i)?.run;
            slot = 0;
        }
    }

    #[inline]
    fn packed_backward(
        &self,
        from: &Entry<W>,
        until: &Entry<W>,
        limit: usize,
        out: &mut Vec<Entry<W>>,
    ) -> Result<bool> {
        if self.runs == 0 {
            return Ok(false);
        }
        let mut left = limit;
        let mut i = self.find(until)?;
        let mut run = self.run(i)?.run;
        let mut slot = run.seek(until, 0, run.header.slots);
        loop {
            if self.tombstones > 0 {
                let start = start_of(&run, from, 0, slot);
                let before = self.slots_before(i);
                let bitmap = self.bitmap();
                while slot > start && left > 0 {
                    slot -= 1;
                    if !bits::test(bitmap, before + slot) {
                        out.push(run.entry(slot));
                        left -= 1;
                    }
                }
                if slot > start {
                    return Ok(true);
                }
                if start > 0 {
                    return Ok(false);
                }
            } else {
                let least = slot.saturating_sub(left);
                let start = start_of(&run, from, least, slot);
                run.descend(start, slot, out);
                left -= slot - start;
                if start > least {
                    return Ok(false);
                }
                if start > 0 {
                    return Ok(!run.below(start - 1, from));
                }
            }
            if i == 0 {
                return Ok(false);
            }
            if left == 0 {
                return Ok(true);
            }
            i -= 1;
            run = self.run(i)?.run;
            slot = run.header.slots;
        }
    }

    #[cold]
    fn forward_with_log(
        &self,
        from: &Entry<W>,
        until: &Entry<W>,
        limit: usize,
        out: &mut Vec<Entry<W>>,
    ) -> Result<bool> {
        let at = out.len();
        let more = self.packed_forward(from, until, limit, out)?;
        Ok(self.add_logged(from, until, limit, more, (out, at), |a, b| a > b))
    }

    #[cold]
    fn backward_with_log(
        &self,
        from: &Entry<W>,
        until: &Entry<W>,
        limit: usize,
        out: &mut Vec<Entry<W>>,
    ) -> Result<bool> {
        let at = out.len();
        let more = self.packed_backward(from, until, limit, out)?;
        Ok(self.add_logged(from, until, limit, more, (out, at), |a, b| a < b))
    }

    /// Merges the log's entries of the range into `out[at..]`, which is in order, and keeps `limit`
    /// entries. With `more`, entries of runs may follow those in `out`. Then `out[at..]` has
    /// `limit` entries, so that a log entry behind the last of them is cut off.
    fn add_logged(
        &self,
        from: &Entry<W>,
        until: &Entry<W>,
        limit: usize,
        more: bool,
        (out, at): (&mut Vec<Entry<W>>, usize),
        after: fn(&Entry<W>, &Entry<W>) -> bool,
    ) -> bool {
        let mut log = self.logged_between(from, until);
        if log.is_empty() {
            return more;
        }
        log.sort_unstable_by(|a, b| after(a, b).cmp(&after(b, a)));
        let mut packed = out.len() - at;
        let total = packed + log.len();
        out.resize(at + total, Entry::MIN);
        let all = out.get_mut(at..).unwrap_or_default();
        // From the back, so that no entry is overwritten before it has moved.
        let mut to = total;
        let mut log = log.iter().rev().peekable();
        while let Some(&&l) = log.peek() {
            to -= 1;
            let p = packed.checked_sub(1).and_then(|p| all.get(p)).copied();
            let next = match p {
                Some(p) if after(&p, &l) => {
                    packed -= 1;
                    p
                }
                _ => {
                    log.next();
                    l
                }
            };
            if let Some(to) = all.get_mut(to) {
                *to = next;
            }
        }
        out.truncate(at + limit.min(total));
        more || total > limit
    }
}

/// The first slot of `slot..most` that is not below `until`, else `most`. Most ranges are short, so
/// the next slots are looked at first.
#[inline(always)]
fn end_of<const W: usize>(run: &Run<'_, W>, until: &Entry<W>, slot: usize, most: usize) -> usize {
    if slot >= most || !run.below(slot, until) {
        return slot;
    }
    if slot + 1 >= most || !run.below(slot + 1, until) {
        return slot + 1;
    }
    if run.below(most - 1, until) {
        return most;
    }
    run.seek(until, slot + 2, most - 1)
}

/// The first slot of `least..slot` that is not below `from`, else `slot`.
#[inline(always)]
fn start_of<const W: usize>(run: &Run<'_, W>, from: &Entry<W>, least: usize, slot: usize) -> usize {
    if slot <= least || run.below(slot - 1, from) {
        return slot;
    }
    if slot - 1 <= least || run.below(slot - 2, from) {
        return slot - 1;
    }
    if !run.below(least, from) {
        return least;
    }
    run.seek(from, least + 1, slot - 2)
}
