//! Threads that decode, merge and render.
//!
//! They are as many as processors, and of a lower priority than all other threads: when there is more to do than the machine
//! can, watchers hear less often, and reports are accepted as fast as before.

use std::fmt;
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::Handle;

/// How much nicer they are to others than this process, as in nice(2): one of them gets about a tenth of a processor that
/// others want as well.
const NICER: i32 = 10;

/// There is nothing nicer.
const NICEST: i32 = 19;

/// A pool of such threads.
#[derive(Clone)]
pub(crate) struct Renderers(Arc<ThreadPool>);

impl fmt::Debug for Renderers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Renderers").finish()
    }
}

impl Renderers {
    /// Starts the threads.
    pub(crate) fn start() -> Result<Self, ThreadPoolBuildError> {
        let pool = ThreadPoolBuilder::new()
            .thread_name(|i| format!("render-{i}"))
            .start_handler(|_| give_way())
            .build()?;
        Ok(Renderers(Arc::new(pool)))
    }

    /// Does this work on one of them; for threads of a Tokio runtime that may block. The work reads the runtime's clock.
    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let runtime = Handle::current();
        self.0.install(|| {
            let _entered = runtime.enter();
            work()
        })
    }
}

/// Lowers the priority of this thread. (To Linux, a thread is what POSIX calls a process here.)
fn give_way() {
    let lowered = getpriority_process(None)
        .and_then(|nice| setpriority_process(None, (nice + NICER).min(NICEST)));
    if let Err(error) = lowered {
        tracing::debug!(%error, "rendering has the priority of all else");
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn they_give_way() {
        let nice = || getpriority_process(None).expect("Linux says");
        let here = nice();
        let renderers = Renderers::start().expect("threads");
        assert_eq!(renderers.run(nice), (here + NICER).min(NICEST));
        assert_eq!(nice(), here);
    }

    #[tokio::test]
    async fn a_panic_is_the_callers_and_costs_no_thread() {
        let renderers = Renderers::start().expect("threads");
        for _ in 0..2 * rayon::current_num_threads() {
            let run = || renderers.run(|| panic!("on purpose"));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        }
        assert_eq!(renderers.run(|| 1), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn they_read_the_callers_clock() {
        let renderers = Renderers::start().expect("threads");
        tokio::time::advance(Duration::from_secs(3600)).await;
        let now = Instant::now();
        assert_eq!(renderers.run(Instant::now), now);
    }
}
