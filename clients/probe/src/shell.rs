//! Shells on this host, for its `host_exec` control.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::process::Child;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::pipe::{Local, Pipes, TooManyPipes};

/// How long a shell may take to leave after it was hung up on.
const GRACE: Duration = Duration::from_millis(300);

/// The shells that are open.
#[derive(Debug)]
pub(crate) struct Shells {
    command: Vec<String>,
    terminals: Terminals,
}

/// The terminals of shells by the id of their pipe.
type Terminals = Arc<Mutex<HashMap<String, OwnedFd>>>;

/// Why a shell cannot be opened or resized.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShellError {
    #[error("cannot open a terminal: {0}")]
    Terminal(#[source] pty_process::Error),
    #[error("cannot start {shell:?}: {source}")]
    Spawn {
        shell: String,
        source: pty_process::Error,
    },
    #[error("cannot set up the terminal: {0}")]
    Setup(#[source] io::Error),
    #[error("Unknown pipeID ({0:?})")]
    UnknownPipe(String),
    #[error(transparent)]
    TooMany(#[from] TooManyPipes),
}

impl Shells {
    /// `command` is the shell and its arguments; when it is empty, the user's own login shell.
    pub(crate) fn new(command: &[String]) -> Self {
        let command = if command.is_empty() {
            default_shell()
        } else {
            command.to_vec()
        };
        Self {
            command,
            terminals: Terminals::default(),
        }
    }

    /// Starts a shell in a new terminal; returns the id of the pipe to it.
    pub(crate) fn open(&self, pipes: &Pipes) -> Result<String, ShellError> {
        pipes.check_room()?;
        let (terminal, side) = pty_process::open().map_err(ShellError::Terminal)?;
        terminal
            .resize(pty_process::Size::new(24, 80))
            .map_err(ShellError::Terminal)?;
        let window = terminal
            .as_fd()
            .try_clone_to_owned()
            .map_err(ShellError::Setup)?;
        let child = self.spawn(side)?;
        let id = Pipes::new_id();
        lock(&self.terminals).insert(id.clone(), window);
        let (reader, writer) = terminal.into_split();
        let (ended, closed) = (CancellationToken::new(), CancellationToken::new());
        let shell = Shell {
            child,
            ended: ended.clone(),
            closed: closed.clone(),
            id: id.clone(),
            terminals: Arc::clone(&self.terminals),
        };
        pipes.spawn(shell.attend());
        pipes.open(
            id.clone(),
            Local {
                reader: Box::new(reader),
                writer: Box::new(writer),
                ended,
                closed,
            },
        );
        Ok(id)
    }

    fn spawn(&self, side: pty_process::Pts) -> Result<Child, ShellError> {
        let (shell, arguments) = match self.command.split_first() {
            Some((shell, arguments)) => (shell.as_str(), arguments),
            None => ("/bin/sh", [].as_slice()),
        };
        let home = std::env::var("HOME")
            .ok()
            .filter(|home| Path::new(home).is_dir());
        pty_process::Command::new(shell)
            .args(arguments)
            .env("TERM", "xterm")
            .current_dir(home.as_deref().unwrap_or("/"))
            .kill_on_drop(true)
            .spawn(side)
            .map_err(|source| ShellError::Spawn {
                shell: shell.to_owned(),
                source,
            })
    }

    /// Gives the terminal behind a pipe another size.
    pub(crate) fn resize(&self, pipe: &str, rows: u16, columns: u16) -> Result<(), ShellError> {
        let terminals = lock(&self.terminals);
        let terminal = terminals
            .get(pipe)
            .ok_or_else(|| ShellError::UnknownPipe(pipe.to_owned()))?;
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(terminal, size).map_err(|error| ShellError::Setup(error.into()))
    }
}

struct Shell {
    child: Child,
    ended: CancellationToken,
    closed: CancellationToken,
    id: String,
    terminals: Terminals,
}

impl Shell {
    /// Waits for the shell to end, or ends it with its pipe.
    async fn attend(mut self) {
        tokio::select! {
            _ = self.child.wait() => {}
            () = self.closed.cancelled() => self.end().await,
        }
        lock(&self.terminals).remove(&self.id);
        self.ended.cancel();
    }

    /// Hangs up, as the end of a terminal does, and does not take no for an answer.
    async fn end(&mut self) {
        let group = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        let signal = |signal| {
            if let Some(group) = group {
                // It fails when the group is gone, which is what is wanted.
                let _ = kill_process_group(group, signal);
            }
        };
        signal(Signal::HUP);
        if timeout(GRACE, self.child.wait()).await.is_err() {
            signal(Signal::KILL);
            let _ = self.child.wait().await;
        }
    }
}

fn lock(terminals: &Terminals) -> std::sync::MutexGuard<'_, HashMap<String, OwnedFd>> {
    terminals.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A login shell: the user's, else the best there is.
fn default_shell() -> Vec<String> {
    let own = std::env::var("SHELL")
        .ok()
        .filter(|shell| Path::new(shell).is_file());
    let shell = own.unwrap_or_else(|| {
        let bash = "/bin/bash";
        if Path::new(bash).is_file() {
            bash
        } else {
            "/bin/sh"
        }
        .to_owned()
    });
    vec![shell, "-l".to_owned()]
}
