//! `--user`: the command as somebody else, with that account's rights and no others.
//!
//! The account is in a passwd file of the test's own, which is there for this command alone (a mount namespace).

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use tests::conform::{Case, Seen, Under};

use crate::given::{done, prctl};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nguest:x:4321:4322::/home/guest:/bin/dash\n";
const GROUP: &str =
    "root:x:0:\nguest:x:4322:\nwheel:x:4323:guest\nothers:x:4324:root\nmore:x:4325:root,guest\n";

/// A case in a world with that account. The caller has more groups and capabilities than it is to pass on.
fn with_guest(case: Case) -> Case {
    open_to_guest(case.file("passwd", 0o644, PASSWD).file("group", 0o644, GROUP)).given(|| {
        // SAFETY: numbers alone.
        done(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
        // SAFETY: C strings and null pointers, as mount(2) takes them.
        done(unsafe {
            libc::mount(
                c"".as_ptr(),
                c"/".as_ptr(),
                std::ptr::null(),
                libc::MS_REC | libc::MS_PRIVATE,
                std::ptr::null(),
            )
        })?;
        bind(c"passwd", c"/etc/passwd")?;
        bind(c"group", c"/etc/group")?;
        let groups: [libc::gid_t; 2] = [0, 4324];
        // SAFETY: reads two numbers.
        done(unsafe { libc::setgroups(2, groups.as_ptr()) })?;
        inherit_net_raw()?;
        prctl(libc::PR_SET_KEEPCAPS, 1)
    })
}

fn bind(from: &std::ffi::CStr, to: &std::ffi::CStr) -> io::Result<()> {
    let (none, data) = (std::ptr::null(), std::ptr::null());
    // SAFETY: C strings and null pointers, as mount(2) takes them.
    done(unsafe { libc::mount(from.as_ptr(), to.as_ptr(), none, libc::MS_BIND, data) }).map(drop)
}

/// A capability that is inheritable and ambient: it would survive exec by another user.
fn inherit_net_raw() -> io::Result<()> {
    const NET_RAW: u32 = 13;
    let header = [0x2008_0522_u32, 0];
    let mut data = [0_u32; 6];
    // SAFETY: both are of the size that this version has (capset(2)).
    done(unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) })?;
    data[2] |= 1 << NET_RAW;
    // SAFETY: as before.
    done(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) })?;
    // SAFETY: numbers alone.
    done(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, NET_RAW, 0, 0) }).map(drop)
}

/// `reveal` writes its findings into the working directory, as that user.
fn open_to_guest(case: Case) -> Case {
    std::os::unix::fs::chown(case.path(""), Some(4321), Some(4322)).unwrap();
    case
}

fn revealed(case: Case) -> Seen {
    let seen = with_guest(case).run(Under::Tracer);
    assert_eq!(seen.status, 0, "{}", seen.stderr.escape_ascii());
    seen
}

#[test]
fn the_command_has_the_accounts_groups_and_no_capability() {
    for name in ["guest", "4321"] {
        let seen = revealed(Case::reveal().flags(["--user", name]));
        let fact = |name: &str| seen.facts[&format!("status {name}")].as_str();
        assert_eq!((fact("Uid"), fact("Gid")), ("4321\t4321\t4321\t4321", "4322\t4322\t4322\t4322"));
        assert_eq!(fact("Groups"), "4322 4323 4325");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(fact(set), "0000000000000000", "{set}");
        }
        assert_eq!((seen.facts["keeps capabilities"].as_str(), seen.facts["dumpable"].as_str()), ("0", "1"));
    }
}

#[test]
fn the_command_is_what_setpriv_makes_of_it() {
    let traced = revealed(Case::reveal().flags(["--user", "guest"]));
    let reveal = tests::reveal();
    let setpriv = [
        "setpriv",
        "--reuid=guest",
        "--regid=guest",
        "--init-groups",
        "--inh-caps=-all",
        "--ambient-caps=-all",
    ];
    let login = ["env", "HOME=/home/guest", "SHELL=/bin/dash", "USER=guest", "LOGNAME=guest"];
    let words = setpriv.into_iter().chain(login).chain([reveal.to_str().unwrap(), "revealed.json"]);
    let bare = with_guest(Case::command(words)).run(Under::Nothing);
    assert_eq!(bare.status, 0, "{}", bare.stderr.escape_ascii());
    let passing = |name: &str| {
        ["argv", "namespace mnt", "cwd", "autogroup"].iter().any(|passing| name.starts_with(passing))
    };
    let mut differing = tests::conform::differences(&bare, &traced);
    differing.retain(|name| !passing(name));
    assert_eq!(differing, Vec::<String>::new());
}

#[test]
fn the_login_is_the_accounts_and_what_sudo_says_stays() {
    let case = Case::reveal()
        .env("HOME", "/root")
        .env("SUDO_USER", "ann")
        .env("SUDO_COMMAND", "x y")
        .env("USER", "root");
    let seen = revealed(case.flags(["--user", "guest"]));
    let mut variables: Vec<&String> = seen
        .facts
        .iter()
        .filter(|(name, _)| name.starts_with("environment"))
        .map(|(_, value)| value)
        .collect();
    variables.sort();
    let login = ["HOME=/home/guest", "LOGNAME=guest", "SHELL=/bin/dash", "USER=guest"];
    for variable in login.iter().chain(&["SUDO_USER=ann", "SUDO_COMMAND=x y"]) {
        assert!(variables.iter().any(|there| there == variable), "{variable} in {variables:?}");
    }
    assert_eq!(variables.iter().filter(|variable| variable.starts_with("HOME=")).count(), 1);
}

#[test]
fn who_is_unknown_is_named_and_who_may_not_is_told_what_to_do() {
    let seen = Case::sh("touch ran").flags(["--user", "no-such-user"]).run(Under::Tracer);
    assert_eq!(ExitStatus::from_raw(seen.status).code(), Some(125));
    let case = Case::sh("touch ran").flags(["--user", "root"]).given(|| {
        const SETGID: libc::c_ulong = 6;
        prctl(libc::PR_CAPBSET_DROP, SETGID)
    });
    assert_eq!(ExitStatus::from_raw(case.run(Under::Tracer).status).code(), Some(125));
    assert!(!case.path("ran").exists());
}

/// The working directory stays: whether the account may enter it is the command's business.
#[test]
fn a_directory_that_the_account_may_not_enter_stays_the_working_directory() {
    let case =
        Case::command(["sh", "-c", "pwd -P; ls . 2>&1; exit 6"]).flags(["--user", "nobody"]).given(|| {
            // SAFETY: a C string.
            unsafe { libc::mkdir(c"closed".as_ptr(), 0o700) };
            // SAFETY: a C string.
            done(unsafe { libc::chdir(c"closed".as_ptr()) }).map(drop)
        });
    let seen = case.run(Under::Tracer);
    let said = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert_eq!(ExitStatus::from_raw(seen.status).code(), Some(6), "{said}");
    assert!(said.contains("/closed") && said.contains("Permission denied"), "{said}");
}
