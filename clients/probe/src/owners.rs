//! Which process has a socket, found by looking for the socket's inode among the open files of processes.
//!
//! Such a search is the dearest thing a probe does, so it happens only for sockets not seen before, looks first where
//! new sockets are likely, ends when all are found, and gives up on those that it cannot find.

use std::collections::{HashMap, HashSet};

use crate::proc::Proc;
use crate::process::Processes;

/// Processes whose files one look may list, so that a look stays short on a machine with very many.
const MAX_SEARCHED: usize = 500;

/// The processes that sockets belong to.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    by_inode: HashMap<u64, Owner>,
    /// The pass over all processes that is under way: the pids yet to search.
    pass: Vec<i32>,
    /// What is looked for in this pass.
    wanted: HashSet<u64>,
    looks: u64,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    pid: Option<i32>,
    /// Passes that did not find it.
    misses: u32,
    /// The look from which it is searched for again.
    retry: u64,
}

impl Owners {
    /// Finds the owners of `inodes`, which are all the sockets there are now.
    pub(crate) fn look(&mut self, proc: &Proc, processes: &Processes, inodes: &HashSet<u64>) {
        self.looks += 1;
        self.by_inode.retain(|inode, owner| {
            inodes.contains(inode) && owner.pid.is_none_or(|pid| processes.get(pid).is_some())
        });
        self.wanted.retain(|inode| inodes.contains(inode));
        if self.pass.is_empty() {
            self.begin(processes, inodes);
        }
        for _ in 0..MAX_SEARCHED {
            if self.wanted.is_empty() {
                self.pass.clear();
            }
            let Some(pid) = self.pass.pop() else { break };
            for inode in proc.socket_inodes(pid) {
                if self.wanted.remove(&inode) {
                    self.by_inode.insert(
                        inode,
                        Owner {
                            pid: Some(pid),
                            misses: 0,
                            retry: 0,
                        },
                    );
                }
            }
        }
        if self.pass.is_empty() {
            self.give_up();
        }
    }

    pub(crate) fn pid(&self, inode: u64) -> Option<i32> {
        self.by_inode.get(&inode)?.pid
    }

    fn begin(&mut self, processes: &Processes, inodes: &HashSet<u64>) {
        let looks = self.looks;
        let is_due = |inode: &&u64| match self.by_inode.get(inode) {
            None => true,
            Some(owner) => owner.pid.is_none() && owner.retry <= looks,
        };
        self.wanted = inodes.iter().filter(is_due).copied().collect();
        if self.wanted.is_empty() {
            return;
        }
        // The last one is searched first: processes that have sockets already, then young ones.
        let busy: HashSet<i32> = self
            .by_inode
            .values()
            .filter_map(|owner| owner.pid)
            .collect();
        self.pass = processes
            .iter()
            .filter(|(_, process)| !process.is_kernel_thread())
            .map(|(pid, _)| pid)
            .collect();
        self.pass
            .sort_unstable_by_key(|pid| (busy.contains(pid), *pid));
    }

    /// Sockets that a whole pass did not find (of processes that cannot be read) are tried again ever more seldom.
    fn give_up(&mut self) {
        for inode in self.wanted.drain() {
            let owner = self.by_inode.entry(inode).or_insert(Owner {
                pid: None,
                misses: 0,
                retry: 0,
            });
            owner.misses = (owner.misses + 1).min(8);
            owner.retry = self.looks + (1 << owner.misses);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::proc::tests::{stat, tree};

    #[test]
    fn sockets_are_found_once_and_forgotten_with_their_process() {
        let (dir, mut proc) = tree(&[
            ("7/stat", &stat(7, "a", 1, 0)),
            ("7/cmdline", "a"),
            ("7/fd/3", "-> socket:[70]"),
            ("8/stat", &stat(8, "b", 1, 0)),
            ("8/cmdline", "b"),
            ("8/fd/3", "-> socket:[80]"),
        ]);
        let mut processes = Processes::new(4096, 1, true);
        processes.look(&mut proc, UNIX_EPOCH, 0);
        let mut owners = Owners::default();
        let inodes = HashSet::from([70, 80, 99]);
        owners.look(&proc, &processes, &inodes);
        assert_eq!(
            [70, 80, 99].map(|inode| owners.pid(inode)),
            [Some(7), Some(8), None]
        );
        assert!(owners.by_inode[&99].retry > owners.looks);

        std::fs::remove_dir_all(dir.path().join("7")).expect("removed");
        for _ in 0..2 {
            processes.look(&mut proc, UNIX_EPOCH, 0);
            processes.report(UNIX_EPOCH, "h", "h;<host>");
        }
        owners.look(&proc, &processes, &HashSet::from([70, 80]));
        assert_eq!([70, 80].map(|inode| owners.pid(inode)), [None, Some(8)]);
        assert!(!owners.by_inode.contains_key(&99));
    }
}
