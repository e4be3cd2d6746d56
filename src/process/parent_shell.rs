//! Finds the start script that forgot `exec`: its shell then gets the platform's TERM, does not pass
//! it on, and we are killed with uploads unsaved.

/// Shells that run start scripts; none of them passes signals on to what it waits for.
const SHELLS: [&str; 5] = ["sh", "bash", "dash", "ash", "busybox"];

/// Small inits that images put before a start script. They signal their one child only.
const INITS: [&str; 4] = ["tini", "dumb-init", "docker-init", "catatonit"];

/// The name of the shell that stands between the container's start and us, as in a start script whose
/// last line lacks `exec`. `None` when all is well, and where `/proc` can't tell.
#[must_use]
pub fn parent_is_shell_without_exec() -> Option<String> {
    shell_in_between("self", from_proc)
}

/// As [`parent_is_shell_without_exec`], for another process: the daemon that a doctor looks at.
#[must_use]
pub fn shell_without_exec_above(pid: u32) -> Option<String> {
    shell_in_between(&pid.to_string(), from_proc)
}

fn from_proc(process: &str) -> Option<Process> {
    Process::parse(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// What `/proc/PID/stat` tells of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    pid: u32,
    name: String,
    /// 0 for a process whose parent is outside of the container.
    parent: u32,
    group: u32,
}

impl Process {
    fn parse(stat: &str) -> Option<Self> {
        // The name stands in parentheses and may hold spaces and parentheses itself.
        let (pid, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split(' ').skip(1);
        Some(Self {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }
}

fn shell_in_between(process_id: &str, process: impl Fn(&str) -> Option<Process>) -> Option<String> {
    let own = process(process_id)?;
    let parent = process(&own.parent.to_string())?;
    // A shell that a person types into gives every command a process group of its own.
    if !SHELLS.contains(&parent.name.as_str()) || parent.group != own.group {
        return None;
    }
    let is_the_start = parent.pid == 1
        || parent.parent == 0
        || (parent.parent == 1
            && process("1").is_some_and(|init| INITS.contains(&init.name.as_str())));
    is_the_start.then_some(parent.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(pid, name, parent, group)`; the last one is us.
    fn found(processes: &[(u32, &str, u32, u32)]) -> Option<String> {
        shell_in_between("self", |wanted| {
            let row = match wanted {
                "self" => processes.last(),
                pid => processes.iter().find(|row| row.0.to_string() == pid),
            };
            let (pid, name, parent, group) = *row?;
            Some(Process { pid, name: name.into(), parent, group })
        })
    }

    #[test]
    fn a_start_script_without_exec_is_found() {
        assert_eq!(found(&[(1, "bash", 0, 1), (7, "imagecached", 1, 1)]).unwrap(), "bash");
        let behind_tini = [(1, "tini", 0, 1), (6, "sh", 1, 6), (7, "imagecached", 6, 6)];
        assert_eq!(found(&behind_tini).unwrap(), "sh");
        let entered = [(1, "runner", 0, 1), (6, "dash", 0, 6), (7, "imagecached", 6, 6)];
        assert_eq!(found(&entered).unwrap(), "dash");
    }

    #[test]
    fn what_is_well_is_let_be() {
        assert_eq!(found(&[(1, "imagecached", 0, 1)]), None, "we are the start");
        assert_eq!(found(&[(1, "tini", 0, 1), (7, "imagecached", 1, 7)]), None);
        let typed = [(1, "runner", 0, 1), (6, "bash", 0, 6), (7, "imagecached", 6, 7)];
        assert_eq!(found(&typed), None, "typed into a shell");
        let on_a_server = [(1, "systemd", 0, 1), (6, "sh", 1, 6), (7, "imagecached", 6, 6)];
        assert_eq!(found(&on_a_server), None, "systemd signals the whole group");
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn odd_process_names_are_read() {
        let stat = "42 (a) b (c) S 7 9 9 0 -1 4194304";
        let wanted = Process { pid: 42, name: "a) b (c".into(), parent: 7, group: 9 };
        assert_eq!(Process::parse(stat), Some(wanted));
        assert_eq!(Process::parse("nonsense"), None);
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert_eq!(Process::parse(&own).unwrap().pid, std::process::id());
    }
}
