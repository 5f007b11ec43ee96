use super::story::{behind, called};

/// What becomes of `sh -c CODE` when it forks these programs, one after another, and ends.
fn forked(code: &str, programs: &[&str]) -> String {
    let mut story = format!("1 execs /bin/sh -c '{code}'\n");
    for (at, program) in programs.iter().enumerate() {
        let pid = at + 2;
        story += &format!("1 forks {pid}\n {pid} execs {program}\n {pid} exits\n");
    }
    behind(&(story + "1 exits"))
}

#[test]
fn a_shell_that_runs_no_program_is_the_workload() {
    assert_eq!(behind("1 execs /bin/sh -c 'exit 3'\n 1 exits"), "1 only_a_shell sh -c, line 1");
    assert_eq!(
        behind("1 execs /bin/sh -c 'while :; do :; done'\n time is up"),
        "1 only_a_shell sh -c, line 1"
    );
    let nested =
        "1 execs /usr/bin/timeout 5 sh -c ':'\n 1 forks 2\n 2 execs /bin/sh -c ':'\n 2 exits\n 1 exits";
    assert_eq!(behind(nested), "2 only_a_shell sh -c, line 3, via timeout 1");
}

#[test]
fn a_shell_is_never_taken_for_a_name_that_was_asked_for() {
    let end = called("claude", "1 execs /bin/sh -c 'exit 3'\n 1 exits");
    assert_eq!(end, "no process called \"claude\" below root 1 before the root ended; seen: sh -c (1)");
}

#[test]
fn a_shell_that_ran_a_wrapper_is_not_only_a_shell() {
    let end = forked("timeout 1 nowhere", &["/usr/bin/timeout 1 nowhere"]);
    assert_eq!(
        end,
        "no process but wrappers below root 1 before the root ended; seen: sh -c (1), timeout (2)"
    );
}

#[test]
fn chores_before_the_workload_are_passed_over() {
    for (code, programs) in [
        ("mkdir -p x; make", ["/bin/mkdir -p x", "/usr/bin/make"].as_slice()),
        ("cat in | make | tee log", &["/usr/bin/tee log", "/bin/cat in", "/usr/bin/make"]),
        ("sleep 1 && cd x && make -j", &["/bin/sleep 1", "/usr/bin/make -j"]),
        ("make; rm x", &["/usr/bin/make", "/bin/rm x"]),
        ("make; ctest", &["/usr/bin/make", "/usr/bin/ctest"]),
    ] {
        let end = forked(code, programs);
        assert!(end.contains(" seen_through make, "), "{code}: {end}");
    }
}

#[test]
fn a_chore_is_the_workload_where_nothing_else_is() {
    for (code, programs, target) in [
        ("sleep 5", ["/bin/sleep 5"].as_slice(), "sleep"),
        ("cd /; sleep 5", &["/bin/sleep 5"], "sleep"),
        ("mkdir x; sleep 5", &["/bin/mkdir x", "/bin/sleep 5"], "sleep"),
    ] {
        let end = forked(code, programs);
        assert!(end.contains(&format!(" seen_through {target}, ")), "{code}: {end}");
    }
    assert_eq!(
        behind("1 execs /usr/bin/timeout 9 sleep 5\n 1 execs /bin/sleep 5"),
        "1 seen_through sleep, line 2, via timeout 1"
    );
}

#[test]
fn a_chore_in_the_shells_own_process_is_what_it_was_for() {
    let end = behind("1 execs /bin/sh -c 'trap x EXIT; $CMD; cat'\n 1 execs /bin/cat");
    assert_eq!(end, "1 seen_through cat, line 2, via sh -c 1");
}

#[test]
fn a_subshell_counts_as_its_shell() {
    let end = behind(
        "1 execs /bin/sh -c '(mkdir x; make)'
         1 forks 2
         2 forks 3
         3 execs /bin/mkdir x
         2 execs /usr/bin/make",
    );
    assert_eq!(end, "2 seen_through make, line 5, via sh -c 1");
}

#[test]
fn a_login_shells_start_up_files_are_not_the_workload() {
    let end = behind(
        "1 execs /usr/bin/su - root -c 'cd /tmp && claude'
         1 forks 2
         2 execs /bin/bash as -bash -c 'cd /tmp && claude'
         2 forks 3 4 5
         3 execs /usr/bin/id -u
         4 execs /root/.pyenv/bin/pyenv by /usr/bin/env bash with init -
         4 execs /usr/bin/bash /root/.pyenv/bin/pyenv init -
         5 execs /usr/bin/bash --norc -ec 'echo x'
         2 forks 6
         6 execs /usr/bin/claude by /usr/bin/env node",
    );
    assert_eq!(end, "6 seen_through claude, line 10, via su 1, bash -c 2");
    let unnamed = "1 execs /bin/bash -lc '$CLAUDE'\n 1 execs /usr/bin/claude";
    assert_eq!(behind(unnamed), "1 seen_through claude, line 2, via bash -c 1");
}

#[test]
fn an_interactive_shell_is_a_workload() {
    let end = behind("1 execs /usr/bin/script\n 1 forks 2\n 2 execs /bin/bash -i");
    assert_eq!(end, "2 seen_through bash, line 3, via script 1");
}
