use super::story::called;

#[test]
fn each_kind_of_name_is_matched() {
    for (exec, end) in [
        ("/opt/x/claude --resume", "2 filename claude, line 3"),
        ("/opt/x/cli.js as claude --resume", "2 argv0 claude, line 3"),
        ("/opt/x/cli.js as -claude", "2 argv0 claude, line 3"),
        ("/usr/bin/claude by /usr/bin/env node", "2 script claude, line 3"),
        ("/usr/bin/node --no-warnings /usr/bin/claude", "2 script claude, line 3"),
        ("/usr/bin/python3.11 -u ./claude", "2 script claude, line 3"),
        ("/bin/bash /opt/claude", "2 script claude, line 3"),
        ("/usr/bin/cat claude", "none yet"),
        ("/usr/bin/python3 -c claude", "none yet"),
        ("/usr/bin/python3 -m claude", "none yet"),
        ("/usr/bin/node x.js claude", "none yet"),
        ("/usr/bin/claude-code", "none yet"),
        ("/bin/bash -c claude", "none yet"),
    ] {
        let story = format!("1 execs /usr/bin/make\n 1 forks 2\n 2 execs {exec}");
        assert_eq!(called("claude", &story), end, "{exec}");
        assert_eq!(called("/anywhere/claude", &story), end, "{exec}");
    }
}

#[test]
fn a_process_that_takes_the_name_later_is_matched_then() {
    let story = "1 execs /bin/sh -c x\n 1 forks 2\n 2 execs /usr/bin/node x.js\n 2 is called claude";
    assert_eq!(called("claude", story), "2 comm claude, line 4, via sh -c 1");
}

#[test]
fn a_name_longer_than_a_comm_matches_its_beginning() {
    let story = "1 execs /bin/sh -c x\n 1 is called a-rather-long-n";
    assert_eq!(called("a-rather-long-name", story), "1 comm a-rather-long-name, line 2, via sh -c 1");
    assert_eq!(called("a-rather-long-name", "1 execs /bin/a-rather-long-nose"), "none yet");
}

#[test]
fn the_command_itself_may_be_the_one() {
    assert_eq!(called("sudo", "1 execs /usr/bin/sudo claude"), "1 filename sudo, line 1");
    assert_eq!(called("tracer", "1 execs /usr/bin/make"), "none yet");
}

#[test]
fn the_first_of_several_is_taken_and_kept_when_it_ends() {
    let story = "
        1 execs /usr/bin/make
        1 forks 2 3
        2 execs /usr/bin/claude
        3 execs /usr/bin/claude
        2 exits
        1 exits";
    assert_eq!(called("claude", story), "2 filename claude, line 3");
}

#[test]
fn a_process_below_one_whose_fork_was_lost_is_found() {
    assert_eq!(
        called("claude", "1 execs /usr/bin/make\n 7 execs /usr/bin/claude"),
        "7 filename claude, line 2"
    );
}
