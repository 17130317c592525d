//! Threads of which one runs at a time. At each call of the store a seed decides which one runs
//! next.

use std::cell::Cell;
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::thread;

use super::{Mem, State};
use crate::page::Block;
use crate::rng::Rng;

thread_local! {
    /// The number of the task that this thread runs.
    static TASK: Cell<Option<usize>> = const { Cell::new(None) };
}

/// A piece of work for [`Mem::interleave`].
pub type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// The tasks, and which of them may run.
pub(super) struct Schedule {
    rng: Rng,
    tasks: Vec<Phase>,
    wake: Vec<Arc<Condvar>>,
    turn: usize,
    refused_percent: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ready,
    /// The task waits for the lock on this page.
    Waits(Block),
    /// All tasks wait for each other, and this one will report it.
    Stuck,
    Ended,
}

impl Schedule {
    fn set(&mut self, task: usize, phase: Phase) {
        if let Some(slot) = self.tasks.get_mut(task) {
            *slot = phase;
        }
    }

    fn is(&self, task: usize, phase: Phase) -> bool {
        self.tasks.get(task) == Some(&phase)
    }

    /// Chooses the task that runs next.
    fn choose(&mut self) {
        let mut able: Vec<usize> = Vec::new();
        for (task, phase) in self.tasks.iter().enumerate() {
            if matches!(phase, Phase::Ready | Phase::Stuck) {
                able.push(task);
            }
        }
        if able.is_empty() {
            let waits = |phase: &Phase| matches!(phase, Phase::Waits(_));
            let Some(task) = self.tasks.iter().position(waits) else {
                return;
            };
            self.set(task, Phase::Stuck);
            able.push(task);
        }
        let at = self.rng.below(able.len() as u64) as usize;
        self.turn = able.get(at).copied().unwrap_or(self.turn);
        if let Some(wake) = self.wake.get(self.turn) {
            wake.notify_one();
        }
    }
}

impl State {
    /// The task of the calling thread, if there is a schedule.
    pub(super) fn task(&self) -> Option<usize> {
        TASK.get().filter(|_| self.schedule.is_some())
    }

    /// The page's lock is free: tasks that wait for it try again.
    pub(super) fn unlocked(&mut self, block: Block) {
        for phase in self.schedule.iter_mut().flat_map(|s| &mut s.tasks) {
            if *phase == Phase::Waits(block) {
                *phase = Phase::Ready;
            }
        }
    }

    /// Whether this commit fails: see `refused_percent` of [`Mem::interleave`].
    pub(super) fn refuses(&mut self) -> bool {
        let scheduled = self.schedule.as_mut();
        scheduled.is_some_and(|s| s.refused_percent > 0 && s.rng.chance(s.refused_percent))
    }
}

impl Mem {
    /// Runs each task in a thread of its own, one thread at a time. At every call of the store
    /// `seed` decides which task runs next, and whether a commit fails (`refused_percent` of 100
    /// do). The same seed and the same tasks give the same interleaving. A deadlock is a breach.
    pub fn interleave(&self, seed: u64, refused_percent: u64, tasks: Vec<Task<'_>>) {
        self.state().schedule = Some(Schedule {
            rng: Rng::new(seed),
            tasks: vec![Phase::Ready; tasks.len()],
            wake: tasks.iter().map(|_| Arc::default()).collect(),
            turn: 0,
            refused_percent,
        });
        thread::scope(|scope| {
            for (number, task) in tasks.into_iter().enumerate() {
                scope.spawn(move || {
                    TASK.set(Some(number));
                    let _end = TaskEnd(self, number);
                    drop(self.wait_for_turn(self.state(), number));
                    task();
                });
            }
        });
        self.state().schedule = None;
    }

    /// A point where another task may run next. Without a schedule nothing happens.
    pub(super) fn pass<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let Some(me) = state.task().filter(|_| !thread::panicking()) else {
            return state;
        };
        if let Some(schedule) = &mut state.schedule {
            schedule.choose();
        }
        self.wait_for_turn(state, me)
    }

    /// Lets other tasks run until the page is unlocked. False: all tasks wait for each other.
    pub(super) fn wait<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        me: usize,
        block: Block,
    ) -> (MutexGuard<'s, State>, bool) {
        if let Some(schedule) = &mut state.schedule {
            schedule.set(me, Phase::Waits(block));
        }
        let mut state = self.pass(state);
        let mut free = true;
        if let Some(schedule) = &mut state.schedule {
            free = !schedule.is(me, Phase::Stuck);
            schedule.set(me, Phase::Ready);
        }
        (state, free)
    }

    fn wait_for_turn<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        me: usize,
    ) -> MutexGuard<'s, State> {
        loop {
            let others = state.schedule.as_ref().filter(|s| s.turn != me);
            let Some(wake) = others.and_then(|s| s.wake.get(me).cloned()) else {
                return state;
            };
            state = wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Marks the end of a task, also after a panic.
struct TaskEnd<'s>(&'s Mem, usize);

impl Drop for TaskEnd<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if let Some(schedule) = &mut state.schedule {
            schedule.set(self.1, Phase::Ended);
            schedule.choose();
        }
    }
}
