//! Threads that work on one launch together, and wait for the next one cheaply.
//!
//! A *region* is one launch: a range of tasks. Each thread owns an equal part of the range, takes it in chunks, and then helps
//! with the parts of others. The caller takes part, and does not wait for threads that come late: when nothing is left to take,
//! it closes the region and waits only for those that are inside.
//!
//! `state` holds it all: the number of the region (upper half), whether it is open, and how many workers are inside.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

/// Work that is estimated to take less is not shared.
const SHARE_NS: i64 = 15_000;

/// Chunks are at least as long, so that taking one costs nothing beside it.
const CHUNK_NS: i64 = 4_000;

/// Each thread's part has at most this many chunks.
const CHUNKS: i64 = 8;

/// A worker looks for the next region that long before it sleeps.
const SPIN: Duration = Duration::from_micros(50);

const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;
const EPOCH: u32 = 32;

/// Runs a part of the tasks, `begin..end`.
type Body<'a> = &'a (dyn Fn(i64, i64) + Sync);

/// A thread's part of the tasks that nobody has taken yet. Alone in its cache line.
#[repr(align(128))]
struct Part {
    next: AtomicI64,
    end: AtomicI64,
}

struct Shared {
    state: AtomicU64,
    quit: AtomicBool,
    /// Whether worker `idx + 1` sleeps, or is about to.
    asleep: Vec<AtomicBool>,
    parts: Vec<Part>,
    chunk: AtomicI64,
    /// Written by the caller between regions only; read by workers inside an open one.
    body: UnsafeCell<Option<Body<'static>>>,
}

// SAFETY: `body` is the only field without synchronisation of its own; `state` orders its writes and reads as said above.
unsafe impl Sync for Shared {}
// SAFETY: as above; the reference in `body` is to something `Sync`.
unsafe impl Send for Shared {}

/// A pool of threads.
pub(super) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    sleepers: Vec<Thread>,
    /// Held during a region: one at a time.
    region: Mutex<()>,
}

impl Pool {
    /// A pool for so many threads, the caller's included. Fewer are used if the system refuses some.
    pub(super) fn new(threads: usize) -> Pool {
        let threads = threads.max(1);
        let part = || Part { next: AtomicI64::new(0), end: AtomicI64::new(0) };
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            quit: AtomicBool::new(false),
            asleep: (1..threads).map(|_| AtomicBool::new(false)).collect(),
            parts: (0..threads).map(|_| part()).collect(),
            chunk: AtomicI64::new(1),
            body: UnsafeCell::new(None),
        });
        // With more threads than cores a spinning worker keeps the core from someone who has work.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let spin = if threads <= cores { SPIN } else { Duration::ZERO };
        let spawn = |idx: usize| {
            let shared = shared.clone();
            let builder = std::thread::Builder::new().name(format!("tenfold-{idx}"));
            builder.spawn(move || shared.work(idx, spin)).ok()
        };
        let workers: Vec<JoinHandle<()>> = (1..threads).map_while(spawn).collect();
        let sleepers = workers.iter().map(|worker| worker.thread().clone()).collect();
        Pool { shared, workers, sleepers, region: Mutex::new(()) }
    }

    /// How many threads there are, the caller's included.
    pub(super) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `body` over `0..tasks` in parts. `cost` is the estimated time of one task in nanoseconds.
    pub(super) fn run(&self, tasks: i64, cost: i64, body: Body<'_>) {
        let cost = cost.max(1);
        if self.workers.is_empty() || tasks < 2 || tasks.saturating_mul(cost) < SHARE_NS {
            return body(0, tasks);
        }
        // Another run has the threads: work alone rather than wait.
        let Ok(_region) = self.region.try_lock().or_else(|e| match e {
            std::sync::TryLockError::Poisoned(guard) => Ok(PoisonError::into_inner(guard)),
            std::sync::TryLockError::WouldBlock => Err(()),
        }) else {
            return body(0, tasks);
        };
        let threads = self.threads() as i64;
        let chunk = (CHUNK_NS / cost).max(tasks / (threads * CHUNKS)).max(1);
        let shared = &*self.shared;
        shared.chunk.store(chunk, Ordering::Relaxed);
        for (idx, part) in shared.parts.iter().enumerate() {
            let at = |idx: i64| (i128::from(tasks) * i128::from(idx.min(threads)) / i128::from(threads)) as i64;
            part.next.store(at(idx as i64), Ordering::Relaxed);
            part.end.store(at(idx as i64 + 1), Ordering::Relaxed);
        }
        // SAFETY: no region is open and nobody is inside (the last caller waited for that, and we hold its lock), so nobody
        // reads the cell. The region is closed and left by all before this function returns, by `Closing` even if `body`
        // panics, so no worker uses the reference longer than it lives.
        unsafe { *shared.body.get() = Some(std::mem::transmute::<Body<'_>, Body<'static>>(body)) };
        let _closing = Closing(shared);
        let epoch = (shared.state.load(Ordering::Relaxed) >> EPOCH).wrapping_add(1) & u64::from(u32::MAX);
        shared.state.store(epoch << EPOCH | OPEN, Ordering::SeqCst);
        for (asleep, worker) in shared.asleep.iter().zip(&self.sleepers) {
            if asleep.load(Ordering::SeqCst) {
                worker.unpark();
            }
        }
        shared.take_part(0, body);
    }
}

/// Closes the region when dropped, and waits until nobody is inside.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, Ordering::SeqCst);
        let mut rounds = 0u32;
        while self.0.state.load(Ordering::Acquire) & INSIDE != 0 {
            rounds += 1;
            // A worker inside may have lost its core.
            if rounds.is_multiple_of(4096) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

impl Shared {
    /// Takes chunks of the own part first, then of the others', until none is left.
    fn take_part(&self, own: usize, body: Body<'_>) {
        let chunk = self.chunk.load(Ordering::Relaxed);
        for step in 0..self.parts.len() {
            let part = &self.parts[(own + step) % self.parts.len()];
            let end = part.end.load(Ordering::Relaxed);
            while part.next.load(Ordering::Relaxed) < end {
                let begin = part.next.fetch_add(chunk, Ordering::Relaxed);
                if begin >= end {
                    break;
                }
                body(begin, end.min(begin.saturating_add(chunk)));
            }
        }
    }

    /// The life of a worker.
    fn work(&self, idx: usize, spin: Duration) {
        let mut last = 0;
        loop {
            let state = self.wait(idx, last, spin);
            if self.quit.load(Ordering::Relaxed) {
                return;
            }
            last = state >> EPOCH;
            if self.enter(state) {
                // SAFETY: the region is open and counts us as inside, so the caller keeps the body alive and does not write.
                if let Some(body) = unsafe { *self.body.get() } {
                    self.take_part(idx, body);
                }
                self.state.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// Enters the region if it is still open.
    fn enter(&self, seen: u64) -> bool {
        let same_open = |state: u64| (state >> EPOCH == seen >> EPOCH && state & OPEN != 0).then_some(state + 1);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, same_open).is_ok()
    }

    /// Waits for a region other than the last one: looks for a while, then sleeps.
    fn wait(&self, idx: usize, last: u64, spin: Duration) -> u64 {
        let changed = || {
            let state = self.state.load(Ordering::SeqCst);
            (state >> EPOCH != last || self.quit.load(Ordering::SeqCst)).then_some(state)
        };
        let start = Instant::now();
        loop {
            for _ in 0..64 {
                if let Some(state) = changed() {
                    return state;
                }
                std::hint::spin_loop();
            }
            if start.elapsed() >= spin {
                break;
            }
        }
        let asleep = &self.asleep[idx - 1];
        asleep.store(true, Ordering::SeqCst);
        // The flag comes before this look, and the caller opens a region before it looks at the flag: one of the two sees it.
        let state = loop {
            match changed() {
                Some(state) => break state,
                None => std::thread::park(),
            }
        };
        asleep.store(false, Ordering::SeqCst);
        state
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker that panicked has nothing more to say.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn run_once(pool: &Pool, tasks: usize, cost: i64) {
        let seen: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
        pool.run(tasks as i64, cost, &|begin, end| {
            assert!(begin < end);
            for task in begin..end {
                seen[task as usize].fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(seen.iter().all(|n| n.load(Ordering::Relaxed) == 1), "{tasks} tasks of {cost} ns");
    }

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 3, 7] {
            let pool = Pool::new(threads);
            for tasks in [1, 2, 3, 10, 1000, 4097] {
                for cost in [0, 1, 1000, 1 << 20, i64::MAX] {
                    run_once(&pool, tasks, cost);
                }
            }
        }
    }

    #[test]
    fn many_regions_in_a_row_and_after_sleep() {
        let pool = Pool::new(3);
        for _ in 0..5 {
            (0..2000).for_each(|_| run_once(&pool, 16, 1 << 20));
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn callers_share_the_pool() {
        let pool = Pool::new(2);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| run_once(&pool, 64, 1 << 20)));
            }
        });
    }

    #[test]
    fn several_threads_take_part() {
        let pool = Pool::new(4);
        let threads = Mutex::new(std::collections::BTreeSet::new());
        pool.run(64, 1 << 20, &|_, _| {
            std::thread::sleep(Duration::from_millis(1));
            threads.lock().unwrap().insert(format!("{:?}", std::thread::current().id()));
        });
        assert!(threads.lock().unwrap().len() > 1);
    }

    #[test]
    fn a_panic_of_the_caller_leaves_the_pool_usable() {
        let pool = Pool::new(2);
        let caller = std::thread::current().id();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.run(100, 1 << 20, &|begin, _| {
                assert!(std::thread::current().id() != caller || begin > 1_000_000, "on purpose");
            });
        }));
        assert!(result.is_err());
        run_once(&pool, 100, 1 << 20);
    }
}
