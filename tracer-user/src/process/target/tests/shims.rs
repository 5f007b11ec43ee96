use super::story::{behind, called};

const PYENV: &str = "
    1 execs /bin/bash -c 'python3 -c 1'
    1 execs /root/.pyenv/shims/python3 by /usr/bin/env bash with -c 1
    1 execs /usr/bin/bash /root/.pyenv/shims/python3 -c 1
    1 execs /root/.pyenv/libexec/pyenv by /usr/bin/env bash with exec python3 -c 1
    1 execs /usr/bin/bash /root/.pyenv/libexec/pyenv exec python3 -c 1
    1 forks 2 3
    2 execs /usr/bin/readlink pyenv
    3 execs /root/.pyenv/libexec/pyenv-which by /usr/bin/env bash with python3
    3 execs /usr/bin/bash /root/.pyenv/libexec/pyenv-which python3
    3 forks 4
    4 execs /bin/sed x
    1 execs /root/.pyenv/versions/3.11.7/bin/python3.11 -c 1";

#[test]
fn a_shim_is_seen_through_to_the_real_program() {
    assert_eq!(behind(PYENV), "1 seen_through python3.11, line 12, via bash -c 1, shim python3 1");
}

#[test]
fn by_name_too_a_shim_is_not_yet_the_program() {
    assert_eq!(called("python3", PYENV), "1 shim python3, line 12, via bash -c 1, shim python3 1");
    assert_eq!(called("python3.11", PYENV), "1 filename python3.11, line 12, via bash -c 1, shim python3 1");
    assert_eq!(called("sed", PYENV), "4 filename sed, line 11, via bash -c 1");
}

#[test]
fn a_shim_that_forks_the_tool_is_seen_through() {
    let volta = "
        1 execs /root/.volta/bin/node x.js
        1 forks 2
        2 execs /usr/bin/uname
        1 forks 3
        3 execs /root/.volta/tools/image/node/20/bin/node x.js";
    assert_eq!(behind(volta), "3 seen_through x.js, line 5, via shim node 1");
    assert_eq!(called("node", volta), "3 filename node, line 5, via shim node 1");
}

#[test]
fn a_shim_may_go_through_its_manager() {
    let asdf = "
        1 execs /root/.asdf/shims/npm by /usr/bin/env bash with ci
        1 execs /usr/bin/bash /root/.asdf/shims/npm ci
        1 execs /usr/local/bin/asdf exec npm ci
        1 execs /root/.asdf/installs/nodejs/20/bin/npm by /usr/bin/env node with ci";
    assert_eq!(behind(asdf), "1 seen_through npm, line 4, via shim npm 1");
    assert_eq!(called("npm", asdf), "1 script npm, line 4, via shim npm 1");
}

#[test]
fn a_tool_that_is_a_shell_script_is_known_by_its_name() {
    let end = behind(
        "1 execs /root/.rbenv/shims/tool by /bin/bash
         1 execs /root/.rbenv/libexec/rbenv-exec by /bin/bash with tool
         1 execs /root/.rbenv/versions/3/bin/tool by /bin/bash",
    );
    assert_eq!(end, "1 seen_through tool, line 3, via shim tool 1");
}

#[test]
fn a_shim_of_a_workloads_own_is_found_by_name() {
    let end = called(
        "python3",
        "1 execs /usr/bin/make\n 1 forks 2\n 2 execs /root/.pyenv/shims/python3 by /bin/bash\n 2 forks 3\n 3 execs /bin/sed\n 2 execs /opt/bin/python3 -c 1",
    );
    assert_eq!(end, "2 filename python3, line 6, via shim python3 2");
}

#[test]
fn a_shim_that_finds_nothing_leaves_no_target() {
    let end = behind("1 execs /root/.pyenv/shims/nose by /bin/bash\n 1 forks 2\n 2 execs /bin/cat\n 1 exits");
    assert_eq!(end, "no process but wrappers below root 1 before the root ended; seen: shim nose (1)");
}
