//! Controls of containers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, RemoveContainerOptions, ResizeExecOptionsBuilder,
    RestartContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWrite;
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

use super::Docker;
use crate::control::rpc::{Request, Response, Size};
use crate::pipe::{Local, Pipes};
use crate::proc::Proc;

/// Seconds that a container may take to stop.
const GRACE: i32 = 10;
/// Starts the best shell that an image has.
const SHELL: &str =
    "export TERM=xterm; if [ -x /bin/bash ]; then exec /bin/bash -l; fi; exec /bin/sh -l";

/// Carries out controls of containers.
#[derive(Debug)]
pub(crate) struct DockerControls {
    docker: Docker,
    pipes: Arc<Pipes>,
    /// The executions behind terminals, by the id of their pipe.
    terminals: Arc<Mutex<HashMap<String, String>>>,
}

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;
type Input = Pin<Box<dyn AsyncWrite + Send>>;

impl DockerControls {
    pub(crate) fn new(docker: Docker, pipes: Arc<Pipes>) -> Self {
        Self {
            docker,
            pipes,
            terminals: Arc::default(),
        }
    }

    pub(crate) async fn handle(&self, request: &Request) -> Response {
        let client = &self.docker.client;
        if request.control == "docker_resize_exec_tty" {
            return match request.size() {
                Ok(size) => self.resize(size).await,
                Err(error) => Response::error(error),
            };
        }
        // Only containers that are reported, so that no other path of the engine can be reached through an id.
        let id = request
            .node_id
            .strip_suffix(";<container>")
            .unwrap_or_default();
        if !self.docker.state().containers.contains_key(id) {
            return Response::error(format!("Container {id:?} not found"));
        }
        let result = match request.control.as_str() {
            "docker_stop_container" => {
                let options = StopContainerOptionsBuilder::default().t(GRACE).build();
                client.stop_container(id, Some(options)).await
            }
            "docker_start_container" => {
                client
                    .start_container(id, None::<StartContainerOptions>)
                    .await
            }
            "docker_restart_container" => {
                let options = RestartContainerOptionsBuilder::default().t(GRACE).build();
                client.restart_container(id, Some(options)).await
            }
            "docker_pause_container" => client.pause_container(id).await,
            "docker_unpause_container" => client.unpause_container(id).await,
            "docker_remove_container" => {
                return match client
                    .remove_container(id, None::<RemoveContainerOptions>)
                    .await
                {
                    Ok(()) => Response {
                        removed_node: request.node_id.clone(),
                        ..Response::default()
                    },
                    Err(error) => Response::error(error),
                };
            }
            "docker_attach_container" => {
                return self.attach(id).await.unwrap_or_else(Response::error);
            }
            "docker_exec_container" => {
                return self.execute(id).await.unwrap_or_else(Response::error);
            }
            other => return Response::error(format!("Control {other:?} not recognised")),
        };
        result.into()
    }

    async fn attach(&self, id: &str) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
        self.pipes.check_room()?;
        let options = AttachContainerOptionsBuilder::default()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true);
        let attached = self
            .docker
            .client
            .attach_container(id, Some(options.build()))
            .await?;
        let raw_tty = self
            .docker
            .state()
            .containers
            .get(id)
            .is_some_and(|container| container.has_terminal());
        let pipe = Pipes::new_id();
        self.pipes.open(
            pipe.clone(),
            local(attached.output, attached.input, CancellationToken::new()),
        );
        Ok(Response {
            pipe,
            raw_tty,
            ..Response::default()
        })
    }

    async fn execute(
        &self,
        id: &str,
    ) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
        self.pipes.check_room()?;
        let client = self.docker.client.clone();
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(true),
            cmd: Some(["/bin/sh", "-c", SHELL].map(str::to_owned).to_vec()),
            ..ExecConfig::default()
        };
        let execution = client.create_exec(id, config).await?.id;
        let options = StartExecOptions {
            detach: false,
            tty: true,
            output_capacity: None,
        };
        let StartExecResults::Attached { output, input } =
            client.start_exec(&execution, Some(options)).await?
        else {
            return Err("Docker did not attach to the shell".into());
        };
        let pipe = Pipes::new_id();
        self.lock().insert(pipe.clone(), execution.clone());
        let closed = CancellationToken::new();
        self.pipes
            .open(pipe.clone(), local(output, input, closed.clone()));
        let (key, terminals) = (pipe.clone(), Arc::clone(&self.terminals));
        let (container, proc_root) = (id.to_owned(), self.docker.settings.proc_root.clone());
        self.pipes.spawn(async move {
            closed.cancelled().await;
            terminals
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&key);
            hang_up(&client, &execution, container, proc_root).await;
        });
        Ok(Response::terminal(pipe, "docker_resize_exec_tty"))
    }

    async fn resize(&self, size: Size<'_>) -> Response {
        let Some(execution) = self.lock().get(size.pipe).cloned() else {
            return Response::error(format!("Unknown pipeID ({:?})", size.pipe));
        };
        let options = ResizeExecOptionsBuilder::default()
            .h(size.rows.into())
            .w(size.columns.into())
            .build();
        self.docker
            .client
            .resize_exec(&execution, options)
            .await
            .into()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.terminals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Docker leaves a shell running when whoever looked at it is gone: hangs up on it instead. That works where the
/// engine's processes are this machine's, which the control groups of the shell prove.
async fn hang_up(client: &bollard::Docker, execution: &str, container: String, proc_root: PathBuf) {
    let Ok(execution) = client.inspect_exec(execution).await else {
        return;
    };
    let pid = execution
        .pid
        .and_then(|pid| i32::try_from(pid).ok())
        .filter(|pid| *pid > 0);
    if let Some(pid) = pid
        && execution.running == Some(true)
        && Proc::new(proc_root).container_id(pid) == Some(container)
        && let Some(pid) = Pid::from_raw(pid)
    {
        // It fails when the shell has just ended, which is what is wanted.
        let _ = kill_process(pid, Signal::HUP);
    }
}

fn local(output: Output, input: Input, closed: CancellationToken) -> Local {
    let bytes = output.map(|chunk| chunk.map(into_bytes).map_err(std::io::Error::other));
    Local {
        reader: Box::new(StreamReader::new(bytes)),
        writer: Box::new(input),
        ended: CancellationToken::new(),
        closed,
    }
}

fn into_bytes(output: LogOutput) -> Bytes {
    match output {
        LogOutput::StdErr { message }
        | LogOutput::StdOut { message }
        | LogOutput::StdIn { message }
        | LogOutput::Console { message } => message,
    }
}
