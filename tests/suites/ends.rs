//! How processes end: one exit each, with the status and the totals that `wait4` reports.

use tests::Trace;

#[test]
fn a_leader_that_exits_first_does_not_end_its_process() {
    let session = Trace::observed(["leader-first"]).run();
    session.assert_whole().assert_agrees();
    assert_eq!(session.reaped()[0].exit_code, Some(7), "the workload does what it says");
}

#[test]
fn a_last_thread_that_just_exits_leaves_the_leaders_status() {
    let session = Trace::observed(["last-thread-exits"]).run();
    session.assert_whole().assert_agrees();
    assert_eq!(session.reaped()[0].exit_code, Some(9), "the workload does what it says");
}

#[test]
fn an_exit_group_from_another_thread_is_the_processs_status() {
    let session = Trace::observed(["thread-exits-group"]).run();
    session.assert_whole().assert_agrees();
    assert_eq!(session.reaped()[0].exit_code, Some(6), "the workload does what it says");
}
