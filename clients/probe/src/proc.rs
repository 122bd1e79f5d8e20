//! Reads of `/proc`, from any root, with one reused buffer.
//!
//! Nothing read here is trusted: processes choose their own names and command lines, and may end at any moment.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use procfs_core::FromRead as _;
pub(crate) use procfs_core::process::Stat;

/// Most bytes kept of a command line; some programs put whole configurations there.
const MAX_CMDLINE: usize = 4096;
/// Most bytes read of a file whose size the kernel bounds by itself.
const MAX_FILE: u64 = 1 << 20;

/// A mounted procfs.
#[derive(Debug)]
pub(crate) struct Proc {
    root: PathBuf,
    buffer: Vec<u8>,
}

impl Proc {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            buffer: Vec::with_capacity(4096),
        }
    }

    /// The ids of the processes there are.
    pub(crate) fn pids(&self) -> io::Result<Vec<i32>> {
        let names = fs::read_dir(&self.root)?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Ok(names.filter(|pid| *pid > 0).collect())
    }

    /// What the kernel says about a process; none when it is gone.
    pub(crate) fn stat(&mut self, pid: i32) -> Option<Stat> {
        self.read(&format!("{pid}/stat"), MAX_FILE).ok()?;
        // The name of a process is any bytes, but the parser wants text.
        match Stat::from_read(&self.buffer[..]) {
            Ok(stat) => Some(stat),
            Err(_) => Stat::from_read(String::from_utf8_lossy(&self.buffer).as_bytes()).ok(),
        }
    }

    /// The name (argument 0) and the arguments of a process joined by spaces, each followed by one.
    /// Both are blank for a kernel thread.
    pub(crate) fn cmdline(&mut self, pid: i32) -> Option<(String, String)> {
        self.read(&format!("{pid}/cmdline"), MAX_CMDLINE as u64)
            .ok()?;
        let name = self
            .buffer
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        let spaced: Vec<u8> = self
            .buffer
            .iter()
            .map(|byte| if *byte == 0 { b' ' } else { *byte })
            .collect();
        Some((name, String::from_utf8_lossy(&spaced).into_owned()))
    }

    /// How many files a process has open.
    pub(crate) fn open_files(&self, pid: i32) -> Option<u64> {
        let path = self.root.join(format!("{pid}/fd"));
        // Since Linux 6.2 the size of this directory is the answer; before, it was 0.
        match fs::metadata(&path).ok()?.size() {
            0 => Some(fs::read_dir(&path).ok()?.count() as u64),
            files => Some(files),
        }
    }

    /// The soft limit of open files of a process.
    pub(crate) fn open_files_limit(&mut self, pid: i32) -> Option<u64> {
        let limits = self.text(&format!("{pid}/limits"))?;
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// The inodes of the sockets that a process has open.
    pub(crate) fn socket_inodes(&self, pid: i32) -> impl Iterator<Item = u64> + use<> {
        let entries = fs::read_dir(self.root.join(format!("{pid}/fd")))
            .ok()
            .into_iter()
            .flatten();
        entries.filter_map(|entry| socket_inode(&fs::read_link(entry.ok()?.path()).ok()?))
    }

    /// The inode that names the network namespace of a process.
    pub(crate) fn network_namespace(&self, pid: &str) -> Option<u64> {
        let link = fs::read_link(self.root.join(pid).join("ns/net")).ok()?;
        link.to_str()?
            .strip_prefix("net:[")?
            .strip_suffix(']')?
            .parse()
            .ok()
    }

    /// The container that the control groups of a process name: the last 64 hexadecimal digits in a row.
    pub(crate) fn container_id(&mut self, pid: i32) -> Option<String> {
        let groups = self.text(&format!("{pid}/cgroup"))?;
        groups.lines().find_map(|line| {
            let mut parts = line.rsplit(|c: char| !c.is_ascii_hexdigit());
            parts.find(|part| part.len() == 64).map(str::to_owned)
        })
    }

    /// A whole file as text.
    pub(crate) fn text(&mut self, path: &str) -> Option<&str> {
        self.read(path, MAX_FILE).ok()?;
        std::str::from_utf8(&self.buffer).ok()
    }

    /// A whole file as bytes, up to `limit` of them.
    pub(crate) fn bytes(&mut self, path: &str, limit: u64) -> io::Result<&[u8]> {
        self.read(path, limit)?;
        Ok(&self.buffer)
    }

    fn read(&mut self, path: &str, limit: u64) -> io::Result<()> {
        self.buffer.clear();
        File::open(self.root.join(path))?
            .take(limit)
            .read_to_end(&mut self.buffer)?;
        Ok(())
    }
}

fn socket_inode(link: &Path) -> Option<u64> {
    link.to_str()?
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A procfs in a directory of its own.
    pub(crate) fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Proc) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            match text.strip_prefix("-> ") {
                Some(target) => std::os::unix::fs::symlink(target, path).expect("a link"),
                None => fs::write(path, text).expect("a file"),
            }
        }
        let proc = Proc::new(dir.path());
        (dir, proc)
    }

    /// The text of `/proc/PID/stat`.
    pub(crate) fn stat(pid: i32, name: &str, ppid: i32, ticks: u64) -> String {
        format!(
            "{pid} ({name}) S {ppid} 1 1 0 -1 4194560 1 1 0 0 {ticks} 0 0 0 20 0 3 0 100 1000 25 \
             18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        )
    }

    #[test]
    fn odd_names_do_not_confuse_the_parser() {
        let (_dir, mut proc) = tree(&[("7/stat", &stat(7, "a) b (c", 1, 5))]);
        let stat = proc.stat(7).expect("a process");
        assert_eq!(
            (stat.comm.as_str(), stat.ppid, stat.num_threads, stat.rss),
            ("a) b (c", 1, 3, 25)
        );
        assert!(proc.stat(8).is_none());
    }

    #[test]
    fn command_line_is_bounded_and_spaced() {
        let long = "x".repeat(3 * MAX_CMDLINE);
        let (_dir, mut proc) = tree(&[
            ("7/cmdline", "nginx\0-g\0daemon off;\0"),
            ("8/cmdline", &long),
            ("9/cmdline", ""),
        ]);
        assert_eq!(
            proc.cmdline(7),
            Some(("nginx".into(), "nginx -g daemon off; ".into()))
        );
        assert_eq!(
            proc.cmdline(8).map(|(_, line)| line.len()),
            Some(MAX_CMDLINE)
        );
        assert_eq!(proc.cmdline(9), Some((String::new(), String::new())));
    }

    #[test]
    fn links_give_sockets_and_namespaces() {
        let (_dir, proc) = tree(&[
            ("7/fd/0", "-> /dev/null"),
            ("7/fd/1", "-> socket:[42]"),
            ("7/ns/net", "-> net:[4026531833]"),
        ]);
        assert_eq!(proc.socket_inodes(7).collect::<Vec<_>>(), [42]);
        assert_eq!(proc.network_namespace("7"), Some(4_026_531_833));
        assert_eq!(proc.network_namespace("8"), None);
    }

    #[test]
    fn container_is_found_in_every_layout_of_control_groups() {
        let id = "06aefb933a6d8e7cce5c76d86b8d2c3e6a9a9cf4d7fd6e0e6b9fec426764beb2";
        for (group, expected) in [
            (format!("12:cpu:/docker/{id}\n"), Some(id)),
            (format!("0::/system.slice/docker-{id}.scope\n"), Some(id)),
            (
                format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope\n"),
                Some(id),
            ),
            ("0::/user.slice\n".to_owned(), None),
            ("0::/\n".to_owned(), None),
        ] {
            let (_dir, mut proc) = tree(&[("7/cgroup", &group)]);
            assert_eq!(proc.container_id(7).as_deref(), expected, "{group}");
        }
    }

    #[test]
    fn limit_of_open_files_is_the_soft_one() {
        let (_dir, mut proc) = tree(&[(
            "7/limits",
            "Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\n",
        )]);
        assert_eq!(proc.open_files_limit(7), Some(1024));
    }
}
