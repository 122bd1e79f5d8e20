//! Threads that decode, merge and render.
//!
//! They are as many as processors, and of a lower priority than all other threads: when there is more to do than the machine
//! can, watchers hear less often, and reports are accepted as fast as before.

use std::fmt;
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::runtime::Handle;

/// How nice they are to others, as in nice(2): one of them gets about a tenth of a processor that others want as well.
const NICE: i32 = 10;

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
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "rendering has the priority of all else");
    }
}
