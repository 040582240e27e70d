//! Short work off the calling thread: many jobs on few threads.
//!
//! A thread that is woken for each of a thousand calls in flight costs far more than the calls. So
//! jobs wait in one queue, and threads that are started for it work it off, linger for a moment, and
//! leave. There are enough of them that some long jobs do not hold up the short ones.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::Runtime;

use crate::runtime::panicked;

/// Threads that work off the queue.
const WORKERS_MAX: usize = 16;

/// How often a worker without a job lets other threads go first before it leaves: some tens of
/// microseconds, in which a burst of calls brings the next job.
const LINGER_YIELDS: usize = 50;

type Job = Box<dyn FnOnce() + Send>;

struct Queue {
    jobs: VecDeque<Job>,
    workers: usize,
    /// Workers that linger, and will see what is added.
    idle: usize,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { jobs: VecDeque::new(), workers: 0, idle: 0 });

/// Jobs in the queue, for those who linger.
static WAITING: AtomicUsize = AtomicUsize::new(0);

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a job done on a thread that may block.
pub(crate) fn run(runtime: &Runtime, job: impl FnOnce() + Send + 'static) {
    let mut queue = lock();
    queue.jobs.push_back(Box::new(job));
    WAITING.store(queue.jobs.len(), Ordering::Relaxed);
    if queue.jobs.len() > queue.idle && queue.workers < WORKERS_MAX {
        queue.workers += 1;
        drop(queue);
        runtime.spawn_blocking(work_off);
    }
}

fn work_off() {
    while let Some(job) = next() {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
            panicked(&*panic);
        }
    }
}

/// The next job. Whoever gets none leaves, and whoever adds one afterwards starts another worker.
fn next() -> Option<Job> {
    let mut queue = lock();
    if queue.jobs.is_empty() {
        queue.idle += 1;
        drop(queue);
        for _ in 0..LINGER_YIELDS {
            std::thread::yield_now();
            if WAITING.load(Ordering::Relaxed) > 0 {
                break;
            }
        }
        queue = lock();
        queue.idle -= 1;
    }
    let job = queue.jobs.pop_front();
    WAITING.store(queue.jobs.len(), Ordering::Relaxed);
    if job.is_none() {
        queue.workers -= 1;
    }
    job
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::runtime::runtime;

    #[test]
    fn every_job_is_done_even_behind_a_long_one_and_one_that_panics() {
        let runtime = runtime().expect("starts");
        let (go, may_go) = channel::<()>();
        run(runtime, move || may_go.recv().expect("the test goes on"));
        run(runtime, || panic!("a bug"));
        let (done, results) = channel();
        for number in 0..1_000 {
            let done = done.clone();
            run(runtime, move || done.send(number).expect("the test waits"));
        }
        drop(done);
        let mut numbers: Vec<u32> = results.iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
        go.send(()).expect("the long job waits");
    }
}
