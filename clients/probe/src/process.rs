//! Processes: who runs, and how much of the machine each one uses.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::proc::{Proc, Stat};
use crate::report::{Metric, Node, Nodes, process_node_id};

/// After how many looks the command line, limit and control groups of a process are read again.
/// They change seldom (exec, a changed title), and cost more than the rest.
const REFRESH_EVERY: u32 = 8;
/// The kernel's flag for its own threads.
const PF_KTHREAD: u32 = 0x0020_0000;

/// The processes of this machine.
#[derive(Debug)]
pub(crate) struct Processes {
    by_pid: HashMap<i32, Process>,
    page_size: f64,
    processors: f64,
    arguments: bool,
    looks: u32,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Process {
    /// Ticks after boot; with the pid, what identifies a process.
    start: u64,
    kernel_thread: bool,
    name: String,
    cmdline: String,
    pub(crate) ppid: i32,
    threads: i64,
    memory_limit: f64,
    open_files_limit: Option<f64>,
    /// What its control groups say.
    pub(crate) container: Option<String>,
    pub(crate) namespace: Option<u64>,
    ticks: u64,
    cpu: Metric,
    memory: Metric,
    open_files: Metric,
    seen: u32,
    /// Ended since the last report; it is reported one last time.
    ended: bool,
}

impl Processes {
    /// With `arguments`, whole command lines are reported, else the commands only.
    pub(crate) fn new(page_size: usize, processors: usize, arguments: bool) -> Self {
        let (page_size, processors) = (page_size as f64, processors as f64);
        Self {
            by_pid: HashMap::new(),
            page_size,
            processors,
            arguments,
            looks: 0,
        }
    }

    /// Looks at every process. `machine_ticks` is the time of all processors since the last look, idle or not.
    pub(crate) fn look(&mut self, proc: &mut Proc, now: SystemTime, machine_ticks: u64) {
        self.looks = self.looks.wrapping_add(1);
        // An unreadable root is reported by whoever asks for it at the start; here nothing changes.
        let Ok(pids) = proc.pids() else { return };
        for pid in pids {
            let Some(stat) = proc.stat(pid) else { continue };
            self.update(proc, &stat, now, machine_ticks);
        }
        let looks = self.looks;
        for process in self.by_pid.values_mut() {
            process.ended = process.seen != looks;
        }
    }

    fn update(&mut self, proc: &mut Proc, stat: &Stat, now: SystemTime, machine_ticks: u64) {
        let ticks = stat.utime.saturating_add(stat.stime);
        let known = self
            .by_pid
            .get(&stat.pid)
            .is_some_and(|process| process.start == stat.starttime);
        if !known {
            self.by_pid.insert(stat.pid, Process::new(stat, ticks));
        }
        let Some(process) = self.by_pid.get_mut(&stat.pid) else {
            return;
        };
        // Spread over the looks by pid, so that no look is much dearer than another.
        if !known
            || self
                .looks
                .wrapping_add(stat.pid.unsigned_abs())
                .is_multiple_of(REFRESH_EVERY)
        {
            process.refresh(proc, stat, self.arguments);
        }
        process.seen = self.looks;
        process.ppid = stat.ppid;
        process.threads = stat.num_threads;
        if machine_ticks > 0 {
            let used = ticks.saturating_sub(process.ticks) as f64 / machine_ticks as f64;
            process.cpu.push(
                now,
                (used * self.processors * 100.0).min(self.processors * 100.0),
            );
        }
        process.ticks = ticks;
        process.memory.push(now, stat.rss as f64 * self.page_size);
        if process.kernel_thread {
            process.open_files.push(now, 0.0);
        } else if let Some(files) = proc.open_files(stat.pid) {
            process.open_files.push(now, files as f64);
        }
    }

    /// Takes what was seen since the last report.
    pub(crate) fn report(&mut self, now: SystemTime, host: &str, host_node_id: &str) -> Nodes {
        let processors = self.processors;
        let nodes = self.by_pid.iter_mut().map(|(pid, process)| {
            (
                process_node_id(host, *pid),
                process.node(*pid, now, processors, host_node_id),
            )
        });
        let nodes = nodes.collect();
        self.by_pid.retain(|_, process| !process.ended);
        nodes
    }

    pub(crate) fn get(&self, pid: i32) -> Option<&Process> {
        self.by_pid.get(&pid)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i32, &Process)> {
        self.by_pid
            .iter()
            .filter(|(_, process)| !process.ended)
            .map(|(pid, process)| (*pid, process))
    }
}

impl Process {
    fn new(stat: &Stat, ticks: u64) -> Self {
        Self {
            start: stat.starttime,
            kernel_thread: stat.flags & PF_KTHREAD != 0,
            name: String::new(),
            cmdline: String::new(),
            ppid: stat.ppid,
            threads: stat.num_threads,
            memory_limit: stat.rsslim as f64,
            open_files_limit: None,
            container: None,
            namespace: None,
            ticks,
            cpu: Metric::default(),
            memory: Metric::default(),
            open_files: Metric::default(),
            seen: 0,
            ended: false,
        }
    }

    /// Kernel threads have no command line, files or sockets.
    pub(crate) fn is_kernel_thread(&self) -> bool {
        self.kernel_thread
    }

    fn refresh(&mut self, proc: &mut Proc, stat: &Stat, arguments: bool) {
        let (name, cmdline) = proc.cmdline(stat.pid).unwrap_or_default();
        // Kernel threads, and user ones that erased their title.
        self.name = if name.is_empty() {
            format!("[{}]", stat.comm)
        } else {
            name
        };
        self.cmdline = if arguments {
            cmdline
        } else {
            cmdline.split(' ').next().unwrap_or_default().to_owned()
        };
        self.memory_limit = stat.rsslim as f64;
        self.open_files_limit = proc.open_files_limit(stat.pid).map(|limit| limit as f64);
        self.container = proc.container_id(stat.pid);
        self.namespace = proc.network_namespace(&stat.pid.to_string());
    }

    fn node(&mut self, pid: i32, now: SystemTime, processors: f64, host_node_id: &str) -> Node {
        let mut node = Node::new("process");
        node.latest("pid", now, pid.to_string());
        node.latest("name", now, self.name.clone());
        node.latest("threads", now, self.threads.to_string());
        if !self.cmdline.is_empty() {
            node.latest("cmdline", now, self.cmdline.clone());
        }
        if self.ppid > 0 {
            node.latest("ppid", now, self.ppid.to_string());
        }
        node.on_host(now, host_node_id);
        node.metric(
            "process_cpu_usage_percent",
            self.cpu.drain(Some(processors * 100.0)),
        );
        node.metric(
            "process_memory_usage_bytes",
            self.memory.drain(Some(self.memory_limit)),
        );
        node.metric(
            "open_files_count",
            self.open_files.drain(self.open_files_limit),
        );
        node
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::proc::tests::{stat, tree};

    fn value<'a>(nodes: &'a Nodes, id: &str, key: &str) -> &'a str {
        &nodes[id].latest[key].value
    }

    #[test]
    fn processes_are_reported_with_usage_since_the_last_look() {
        let (dir, mut proc) = tree(&[
            ("2/stat", &stat(2, "kthreadd", 0, 0)),
            ("2/cmdline", ""),
            ("7/stat", &stat(7, "sh", 2, 100)),
            ("7/cmdline", "sh\0-c\0true\0"),
            ("7/fd/0", "-> /dev/null"),
            ("7/limits", "Max open files 1024 4096 files\n"),
        ]);
        let mut processes = Processes::new(4096, 2, true);
        processes.look(&mut proc, UNIX_EPOCH + Duration::from_secs(1), 0);
        std::fs::write(dir.path().join("7/stat"), stat(7, "sh", 2, 150)).expect("written");
        processes.look(&mut proc, UNIX_EPOCH + Duration::from_secs(2), 200);
        let nodes = processes.report(UNIX_EPOCH, "h", "h;<host>");
        assert_eq!(value(&nodes, "h;2", "name"), "[kthreadd]");
        assert!(
            !nodes["h;2"].latest.contains_key("ppid")
                && !nodes["h;2"].latest.contains_key("cmdline")
        );
        assert_eq!(value(&nodes, "h;7", "cmdline"), "sh -c true ");
        assert_eq!(value(&nodes, "h;7", "ppid"), "2");
        let metrics = &nodes["h;7"].metrics;
        let cpu = &metrics["process_cpu_usage_percent"];
        assert_eq!(
            (cpu.samples.len(), cpu.samples[0].1, cpu.max),
            (1, 50.0, 200.0)
        );
        let memory = &metrics["process_memory_usage_bytes"];
        assert_eq!(
            (memory.samples.len(), memory.min, memory.max),
            (2, 102_400.0, u64::MAX as f64)
        );
        assert_eq!(metrics["open_files_count"].max, 1024.0);
    }

    #[test]
    fn ended_process_is_reported_once_more() {
        let (dir, mut proc) = tree(&[("7/stat", &stat(7, "job", 1, 0))]);
        let mut processes = Processes::new(4096, 1, true);
        processes.look(&mut proc, UNIX_EPOCH, 0);
        std::fs::remove_dir_all(dir.path().join("7")).expect("removed");
        processes.look(&mut proc, UNIX_EPOCH, 0);
        assert_eq!(processes.report(UNIX_EPOCH, "h", "h;<host>").len(), 1);
        assert!(processes.report(UNIX_EPOCH, "h", "h;<host>").is_empty());
    }
}
