//! Why the programs do not run here, and what to do: one message instead of an error chain.

use std::path::Path;

use crate::kernel::load::LoadError;

/// `CAP_SYS_ADMIN`, `CAP_PERFMON` and `CAP_BPF` (include/uapi/linux/capability.h).
const SYS_ADMIN: u64 = 1 << 21;
const PERFMON: u64 = 1 << 38;
const BPF: u64 = 1 << 39;
/// The initial pid namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// What keeps tracer from working on this host, if that can be told beforehand.
#[must_use]
pub fn obstacle() -> Option<String> {
    missing_capabilities(effective_capabilities()?).or_else(foreign_pid_namespace)
}

fn missing_capabilities(effective: u64) -> Option<String> {
    if effective & SYS_ADMIN != 0 {
        return None;
    }
    let missing: Vec<&str> = [(BPF, "CAP_BPF"), (PERFMON, "CAP_PERFMON")]
        .into_iter()
        .filter(|(bit, _)| effective & bit == 0)
        .map(|(_, name)| name)
        .collect();
    if missing.is_empty() {
        return None;
    }
    let program = std::env::current_exe();
    let program = program.as_deref().unwrap_or(Path::new("tracer")).display();
    Some(format!(
        "loading BPF programs needs {}, which this user has not; run it with sudo, or once: \
         sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep {program}",
        missing.join(" and ")
    ))
}

/// The capabilities that this process has in effect, a bit each; `None`: `/proc` does not say.
#[must_use]
pub fn effective_capabilities() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn foreign_pid_namespace() -> Option<String> {
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    (namespace != Path::new(INITIAL_PID_NAMESPACE)).then(|| {
        "the kernel's process ids are not those of this pid namespace; run tracer in the host's \
         (docker run --pid=host, or hostPID: true)"
            .to_owned()
    })
}

/// What to do about a refusal by the kernel.
#[must_use]
pub fn advice(error: &LoadError) -> Option<&'static str> {
    if let LoadError::Verifier { .. } = error {
        return Some("this is a bug in tracer: please report it with `uname -r` and what -vv prints");
    }
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        let os = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        match os {
            Some(libc::EPERM | libc::EACCES) => {
                return Some(
                    "the kernel refused although the capabilities are there: a container's seccomp profile or \
                     lockdown=confidentiality does that; see `dmesg | tail` and /sys/kernel/security/lockdown",
                );
            }
            Some(libc::ENOSYS) => return Some("this kernel was built without CONFIG_BPF_SYSCALL=y"),
            Some(libc::ENOMEM) => return Some("not enough memory for the maps; try a smaller --ring-size"),
            _ => source = error.source(),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{BPF, PERFMON, SYS_ADMIN, missing_capabilities};

    #[test]
    fn the_message_names_what_is_missing_and_the_command_that_gives_it() {
        let message = missing_capabilities(BPF).unwrap();
        assert!(message.contains("needs CAP_PERFMON,") && message.contains("setcap cap_bpf,cap_perfmon"));
        assert!(missing_capabilities(0).unwrap().contains("CAP_BPF and CAP_PERFMON"));
    }

    #[test]
    fn root_or_the_two_capabilities_do() {
        assert_eq!(missing_capabilities(SYS_ADMIN), None);
        assert_eq!(missing_capabilities(BPF | PERFMON), None);
    }
}
