//! Signals by name (signal(7)). The numbers are those of x86-64 and arm64, which agree.

/// Names of signals 1 to 31.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// `SIGKILL`, `SIGRTMIN+3`, or `signal 99` for what is none.
#[must_use]
pub fn name(signal: u8) -> String {
    match signal {
        1..=31 => format!("SIG{}", NAMES[usize::from(signal) - 1]),
        34..=64 => format!("SIGRTMIN+{}", signal - 34),
        _ => format!("signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_those_of_this_machine() {
        let name = |signal: i32| super::name(u8::try_from(signal).unwrap());
        assert_eq!(name(libc::SIGKILL), "SIGKILL");
        assert_eq!(name(libc::SIGSYS), "SIGSYS");
        assert_eq!(name(libc::SIGRTMIN()), "SIGRTMIN+0");
        assert_eq!(super::name(0), "signal 0");
    }
}
