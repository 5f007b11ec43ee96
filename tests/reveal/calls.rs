//! What only system calls tell.

use std::mem::MaybeUninit;

use crate::Facts;

/// `linux/prctl.h`; of those that exist everywhere since 5.10, what survives exec.
const PRCTLS: [(&str, libc::c_int); 9] = [
    ("signal at the parent's death", -1),
    ("subreaper", -2),
    ("dumpable", libc::PR_GET_DUMPABLE),
    ("keeps capabilities", libc::PR_GET_KEEPCAPS),
    ("securebits", libc::PR_GET_SECUREBITS),
    ("timer slack", libc::PR_GET_TIMERSLACK),
    ("no new privileges", libc::PR_GET_NO_NEW_PRIVS),
    ("no huge pages", libc::PR_GET_THP_DISABLE),
    ("machine check policy", libc::PR_MCE_KILL_GET),
];
/// `SCHED_GETATTR_SIZE_VER1` (include/uapi/linux/sched/types.h).
const ATTR_SIZE: usize = 56;

pub(crate) fn ask(facts: &mut Facts) {
    for (name, option) in PRCTLS {
        facts.insert(name.to_owned(), prctl(option).to_string());
    }
    // SAFETY: asks about this process, without pointers.
    let io = unsafe { libc::syscall(libc::SYS_ioprio_get, 1, 0) };
    facts.insert("I/O priority".to_owned(), io.to_string());
    let mut attr = [0_u8; ATTR_SIZE];
    // SAFETY: writes at most `ATTR_SIZE` bytes to a local of that size.
    unsafe { libc::syscall(libc::SYS_sched_getattr, 0, attr.as_mut_ptr(), ATTR_SIZE, 0) };
    facts.insert("scheduling".to_owned(), format!("{attr:?}"));
    // SAFETY: asks about this process, without pointers.
    facts.insert("personality".to_owned(), unsafe { libc::personality(0xffff_ffff) }.to_string());
    // SAFETY: getauxval(3) only reads the auxiliary vector.
    facts.insert("secure exec".to_owned(), unsafe { libc::getauxval(libc::AT_SECURE) }.to_string());
    let mut stack = MaybeUninit::<libc::stack_t>::zeroed();
    // SAFETY: writes a local; a null pointer asks for no change.
    unsafe { libc::sigaltstack(std::ptr::null(), stack.as_mut_ptr()) };
    // SAFETY: zeros are a value of it, and the kernel has filled it.
    facts.insert("signal stack".to_owned(), unsafe { stack.assume_init() }.ss_flags.to_string());
    for (name, signal) in (1..=64).map(|signal| (format!("disposition {signal}"), signal)) {
        facts.insert(name, disposition(signal).to_string());
    }
    // SAFETY: asks about this process, without pointers: KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING.
    let keyring = unsafe { libc::syscall(libc::SYS_keyctl, 0, -3, 0) };
    facts.insert("session keyring".to_owned(), keyring.to_string());
    facts.insert("alarm".to_owned(), (alarm_left() > 0).to_string());
}

fn prctl(option: libc::c_int) -> libc::c_int {
    let mut value: libc::c_int = 0;
    let pointer = match option {
        -1 => libc::PR_GET_PDEATHSIG,
        -2 => libc::PR_GET_CHILD_SUBREAPER,
        // SAFETY: options that take no pointer.
        _ => return unsafe { libc::prctl(option, 0, 0, 0, 0) },
    };
    // SAFETY: both write an int to the pointer.
    unsafe { libc::prctl(pointer, &raw mut value, 0, 0, 0) };
    value
}

/// 0: default, 1: ignored.
fn disposition(signal: libc::c_int) -> usize {
    /// `struct sigaction` as the kernel has it begins with the handler; the C library hides two signals.
    #[repr(C)]
    struct Action {
        rest: [usize; 8],
    }
    let mut action = Action { rest: [0; 8] };
    let none = std::ptr::null::<Action>();
    // SAFETY: asks the kernel, which writes no more than 32 bytes to a local that is larger.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, none, &raw mut action, 8) };
    action.rest[0]
}

fn alarm_left() -> i64 {
    let mut left = MaybeUninit::<libc::itimerval>::zeroed();
    // SAFETY: writes a local.
    unsafe { libc::getitimer(libc::ITIMER_REAL, left.as_mut_ptr()) };
    // SAFETY: integers only, so zeros are a value of it.
    let left = unsafe { left.assume_init() };
    left.it_value.tv_sec + left.it_value.tv_usec
}
