//! `--user`: the command as somebody else, with nothing of the caller's rights left.
//!
//! All that can fail for a reason that a person understands is done before the fork: the account is looked up, with its
//! groups, and the capabilities that the change needs are asked for. Between fork and exec there are only system calls,
//! each the kernel's own: the C library's would reach for the other threads of a process.
//!
//! As after a login, groups are the account's alone, HOME, SHELL, USER and LOGNAME are its own, and the rest of the
//! environment stays (so also what sudo says of its caller). The bounding set stays: it is the host's, and `sudo` inside the
//! command needs it. The working directory stays too, whether the account may enter it or not.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::unistd::{Uid, User, getgrouplist};

/// Who the command is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    home: PathBuf,
    shell: PathBuf,
}

/// Why the command can't be somebody.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// There is no such account.
    #[error("--user: there is no user '{0}' here; `getent passwd` lists them")]
    Unknown(String),
    /// The accounts can't be read.
    #[error("--user: the account of '{name}' can't be looked up")]
    LookUp {
        /// Whose.
        name: String,
        /// Why.
        #[source]
        why: nix::Error,
    },
    /// Only who has these may change to another user.
    #[error("--user: becoming '{0}' needs CAP_SETUID and CAP_SETGID; run tracer with sudo")]
    NotAllowed(String),
}

/// The variables of a login, as `su` sets them.
const OF_A_LOGIN: [&str; 4] = ["HOME", "SHELL", "USER", "LOGNAME"];
/// `CAP_SETGID` and `CAP_SETUID` (include/uapi/linux/capability.h).
const NEEDED: u64 = 1 << 6 | 1 << 7;
/// `_LINUX_CAPABILITY_VERSION_3`.
const CAPABILITIES_3: u32 = 0x2008_0522;

impl Account {
    /// Looks up a name, or a user id.
    pub fn look_up(name: &str) -> Result<Self, UserError> {
        let failed = |why| UserError::LookUp { name: name.to_owned(), why };
        let mut user = User::from_name(name).map_err(failed)?;
        if let (None, Ok(uid)) = (&user, name.parse()) {
            user = User::from_uid(Uid::from_raw(uid)).map_err(failed)?;
        }
        let user = user.ok_or_else(|| UserError::Unknown(name.to_owned()))?;
        // A name that the system's own list holds has no NUL.
        let c_name = CString::new(user.name.as_bytes()).map_err(|_| UserError::Unknown(name.to_owned()))?;
        let groups = getgrouplist(&c_name, user.gid).map_err(failed)?;
        Ok(Self {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
            home: user.dir,
            shell: user.shell,
            name: user.name,
        })
    }

    /// Whether this process, with these effective capabilities, may become it.
    pub fn check(&self, effective: u64) -> Result<(), UserError> {
        if effective & NEEDED == NEEDED { Ok(()) } else { Err(UserError::NotAllowed(self.name.clone())) }
    }

    /// The environment that it finds, made from the one that is there: `NAME=VALUE` each.
    #[must_use]
    pub fn environment(&self, there: impl Iterator<Item = (OsString, OsString)>) -> Vec<CString> {
        // A shell that is not named is the one that login(1) takes.
        let shell =
            if self.shell.as_os_str().is_empty() { "/bin/sh".as_ref() } else { self.shell.as_os_str() };
        let values = [self.home.as_os_str(), shell, self.name.as_ref(), self.name.as_ref()];
        let own = OF_A_LOGIN.iter().zip(values).map(|(name, value)| (OsString::from(name), value.to_owned()));
        let rest = there.filter(|(name, _)| !OF_A_LOGIN.iter().any(|own| name == *own));
        let joined = rest.chain(own).map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
        // What came from C strings has no NUL.
        joined.filter_map(|bytes| CString::new(bytes).ok()).collect()
    }

    /// Its user id.
    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// In the child: becomes it. The error's number, where the kernel refuses.
    pub(super) fn become_it(&self) -> Result<(), libc::c_int> {
        let [uid, gid] = [self.uid, self.gid];
        // SAFETY: reads as many numbers as there are.
        done(unsafe { libc::syscall(libc::SYS_setgroups, self.groups.len(), self.groups.as_ptr()) })?;
        // SAFETY: numbers alone.
        done(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })?;
        // SAFETY: numbers alone.
        done(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) })?;
        if uid == 0 { Ok(()) } else { drop_capabilities() }
    }
}

/// The change of the user id clears them all but the inheritable ones, unless the caller ruled that out (securebits).
fn drop_capabilities() -> Result<(), libc::c_int> {
    // SAFETY: numbers alone.
    done(i64::from(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 0, 0, 0, 0) }))?;
    // SAFETY: numbers alone.
    done(i64::from(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) }))?;
    let header = [CAPABILITIES_3, 0];
    let none = [0_u32; 6];
    // SAFETY: both are of the size that this version has (capset(2)).
    done(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) })
}

fn done(result: libc::c_long) -> Result<(), libc::c_int> {
    if result >= 0 {
        return Ok(());
    }
    Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EPERM))
}

#[cfg(test)]
mod tests {
    use super::{Account, NEEDED, UserError};

    fn account() -> Account {
        let (home, shell) = ("/home/guest".into(), "".into());
        Account { name: "guest".into(), uid: 7, gid: 8, groups: vec![8], home, shell }
    }

    #[test]
    fn a_login_is_the_accounts_own_and_the_rest_of_the_environment_stays_in_order() {
        let there = [("A", "1"), ("HOME", "/root"), ("SUDO_USER", "ann"), ("USER", "root"), ("Z", "=")];
        let made = account().environment(there.map(|(name, value)| (name.into(), value.into())).into_iter());
        let made: Vec<&str> = made.iter().map(|each| each.to_str().unwrap()).collect();
        assert_eq!(
            made,
            [
                "A=1",
                "SUDO_USER=ann",
                "Z==",
                "HOME=/home/guest",
                "SHELL=/bin/sh",
                "USER=guest",
                "LOGNAME=guest"
            ]
        );
    }

    #[test]
    fn a_name_and_a_number_name_the_same_account() {
        let root = Account::look_up("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(Account::look_up("0").unwrap(), root);
    }

    #[test]
    fn who_is_not_there_is_named_and_so_is_what_is_missing() {
        assert!(
            matches!(Account::look_up("no such user"), Err(UserError::Unknown(name)) if name == "no such user")
        );
        assert!(account().check(NEEDED).is_ok());
        let error = account().check(1 << 7).unwrap_err().to_string();
        assert!(error.contains("CAP_SETGID") && error.contains("sudo"), "{error}");
    }
}
