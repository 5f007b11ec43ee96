use super::story::{behind, called};

/// Wrappers that exec the command in their own process.
const EXEC: [&str; 24] = [
    "/usr/bin/env X=1 claude",
    "/usr/bin/env -i -u HOME X=1 claude",
    "/usr/bin/env -S 'X=1 claude'",
    "/usr/bin/nice -n 5 claude",
    "/usr/bin/ionice -c3 claude",
    "/usr/bin/setsid claude",
    "/usr/bin/stdbuf -oL claude",
    "/usr/bin/nohup claude",
    "/usr/bin/chrt -b 0 claude",
    "/usr/bin/taskset -c 0 claude",
    "/usr/bin/prlimit --nofile=10 claude",
    "/usr/bin/setpriv --reuid 1 --no-new-privs claude",
    "/usr/bin/sudo -u x claude",
    "/usr/bin/systemd-run --scope --uid=1 claude",
    "/usr/bin/sudo -u x -- X=1 claude",
    "/bin/sh -c claude",
    "/bin/bash -ec 'exec claude'",
    "/bin/dash -c claude",
    "/bin/zsh -c claude",
    "/bin/bash as -bash -c claude",
    "/bin/busybox as sh -c claude",
    "/bin/busybox timeout 5 claude",
    "/usr/bin/unbuffer by /bin/sh with claude",
    "/usr/bin/tclsh8.6 /usr/bin/unbuffer claude",
];

/// Wrappers that fork it.
const FORK: [&str; 15] = [
    "/usr/bin/script -qefc claude /dev/null",
    "/usr/bin/timeout -k 5 60 claude",
    "/usr/bin/sudo claude",
    "/usr/bin/su -c claude",
    "/usr/sbin/runuser -u x -- claude",
    "/usr/bin/xvfb-run by /bin/sh with -a claude",
    "/usr/bin/dbus-run-session -- claude",
    "/usr/bin/tini -- claude",
    "/usr/bin/dumb-init claude",
    "/usr/bin/unbuffer by /usr/bin/tclsh with claude",
    "/usr/bin/time -f %e claude",
    "/usr/bin/flock /tmp/lock claude",
    "/usr/bin/strace -f -o /dev/null claude",
    "/usr/bin/fakeroot by /bin/bash with claude",
    "/usr/bin/tracer run -- claude",
];

fn name(wrapper: &str) -> String {
    let words: Vec<&str> = wrapper.split(' ').collect();
    let file = match words[0] {
        "/usr/bin/tclsh8.6" => "unbuffer",
        "/bin/busybox" => words[1..].iter().find(|word| **word != "as").unwrap(),
        file => file.rsplit('/').next().unwrap(),
    };
    let shell = ["sh", "bash", "dash", "zsh"].contains(&file);
    if shell { format!("{file} -c") } else { file.to_owned() }
}

#[test]
fn each_wrapper_that_execs_is_seen_through() {
    for wrapper in EXEC {
        let end = behind(&format!("1 execs {wrapper}\n 1 execs /usr/bin/claude"));
        assert_eq!(end, format!("1 seen_through claude, line 2, via {} 1", name(wrapper)), "{wrapper}");
    }
}

#[test]
fn each_wrapper_that_forks_is_seen_through() {
    for wrapper in FORK {
        let end = behind(&format!("1 execs {wrapper}\n 1 forks 2\n 2 execs /usr/bin/claude"));
        assert_eq!(end, format!("2 seen_through claude, line 3, via {} 1", name(wrapper)), "{wrapper}");
    }
}

#[test]
fn any_two_wrappers_are_seen_through_in_either_order() {
    for outer in FORK {
        for inner in EXEC.into_iter().chain(FORK) {
            let end = behind(&format!(
                "1 execs {outer}\n 1 forks 2\n 2 execs {inner}\n 2 forks 3\n 3 execs /usr/bin/make"
            ));
            // A start-up file of a login shell, or zsh, may run make too: only a process that the code names is taken.
            let expected = if ["/bin/zsh", "/bin/bash as -bash"].iter().any(|shell| inner.starts_with(shell))
            {
                "none yet".to_owned()
            } else {
                format!("3 seen_through make, line 5, via {} 1, {} 2", name(outer), name(inner))
            };
            assert_eq!(end, expected, "{outer} {inner}");
        }
    }
}

#[test]
fn a_command_that_is_no_wrapper_is_its_own_target() {
    for command in [
        "/usr/bin/make",
        "./test.sh by /bin/sh",
        "/bin/bash script.sh",
        "/bin/bash",
        "/usr/bin/env",
        "/usr/bin/env X=1",
        "/usr/bin/sudo -l",
        "/usr/bin/timeout --help",
        "/usr/bin/taskset -p 12",
        "/usr/bin/strace -p 12",
        "/usr/bin/systemd-run claude",
        "./script by /usr/bin/python3",
        "/usr/bin/tracer ls",
    ] {
        let end = behind(&format!("1 execs {command}\n 1 forks 2\n 2 execs /usr/bin/claude"));
        assert!(end.starts_with("1 direct ") && end.ends_with(", line 1"), "{command}: {end}");
    }
}

#[test]
fn wrappers_nest_in_any_order() {
    let end = behind(
        "1 execs /usr/bin/sudo timeout 60 script -qefc 'env X=1 claude' /dev/null
         1 forks 2
         2 execs /usr/bin/timeout 60 script -qefc 'env X=1 claude' /dev/null
         2 forks 3
         3 execs /usr/bin/script -qefc 'env X=1 claude' /dev/null
         3 forks 4
         4 execs /bin/sh -c 'env X=1 claude'
         4 execs /usr/bin/env X=1 claude
         4 execs /usr/bin/claude by /usr/bin/env node
         4 execs /usr/bin/node /usr/bin/claude
         4 is called claude",
    );
    assert_eq!(end, "4 seen_through claude, line 9, via sudo 1, timeout 2, script 3, sh -c 4, env 4");
}

#[test]
fn sudo_with_a_terminal_of_its_own_has_a_monitor_between() {
    let end = behind(
        "1 execs /usr/bin/sudo -u x claude
         1 forks 2
         2 execs /usr/sbin/unix_chkpwd x nullok
         2 exits
         1 forks 3
         3 forks 4
         4 execs /usr/bin/claude",
    );
    assert_eq!(end, "4 seen_through claude, line 7, via sudo 1");
}

#[test]
fn a_wrappers_helpers_are_passed_over_with_all_that_they_start() {
    let xvfb_run = behind(
        "1 execs /usr/bin/xvfb-run by /bin/sh with -a claude
         1 forks 2 3 4 5
         2 execs /usr/bin/getopt --options x
         3 execs /usr/bin/mcookie
         4 execs /usr/bin/Xvfb :99
         4 forks 6
         6 execs /bin/sh -c 'xkbcomp -w 1'
         6 execs /usr/bin/xkbcomp -w 1
         5 execs /usr/bin/claude",
    );
    assert_eq!(xvfb_run, "5 seen_through claude, line 9, via xvfb-run 1");
    let dbus = behind(
        "1 execs /usr/bin/dbus-run-session -- claude
         1 forks 2
         2 execs /usr/bin/dbus-daemon --nofork
         2 forks 3
         3 execs /usr/libexec/dconf-service
         1 forks 4
         4 execs /usr/bin/claude",
    );
    assert_eq!(dbus, "4 seen_through claude, line 7, via dbus-run-session 1");
    let unbuffer = behind(
        "1 execs /usr/bin/unbuffer by /usr/bin/env tclsh with claude
         1 execs /usr/bin/tclsh /usr/bin/unbuffer claude
         1 forks 2
         2 execs /bin/sh -c '/bin/stty sane'
         2 execs /bin/stty sane
         1 forks 3
         3 execs /usr/bin/claude",
    );
    assert_eq!(unbuffer, "3 seen_through claude, line 7, via unbuffer 1");
}

#[test]
fn a_wrapper_that_runs_nothing_is_never_the_target() {
    let end = behind("1 execs /usr/bin/timeout 60 nowhere\n 1 forks 2\n 2 exits\n 1 exits");
    assert_eq!(end, "no process but wrappers below root 1 before the root ended; seen: timeout (1)");
    let end = behind("1 execs /usr/bin/sudo claude\n time is up");
    assert_eq!(end, "no process but wrappers below root 1 before the time to find it was up; seen: sudo (1)");
    let end = called("claude", "1 execs /usr/bin/timeout 60 nowhere\n 1 exits");
    assert_eq!(end, "no process called \"claude\" below root 1 before the root ended; seen: timeout (1)");
}

#[test]
fn a_wrapper_whose_arguments_were_cut_is_still_a_wrapper() {
    let end = behind("1 execs /usr/bin/env A=1 B=2 ...\n 1 execs /usr/bin/claude");
    assert_eq!(end, "1 seen_through claude, line 2, via env 1");
}
