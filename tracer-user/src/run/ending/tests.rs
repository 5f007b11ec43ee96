use proptest::prelude::*;

use super::Action::{Deliver, Finish, Kill, PassOn, Start, Terminate};
use super::Input::{Delivered, Ended, Gone, Keyed, Matched, Told, Unresolved, Up};
use super::{Action, Ending, Input, Orphans, Policy, Timer, Why};

const TERM: i32 = libc::SIGTERM;
const INT: i32 = libc::SIGINT;
const USR1: i32 = libc::SIGUSR1;

const INPUTS: [Input; 16] = [
    Ended,
    Up(Timer::Timeout),
    Up(Timer::Idle),
    Up(Timer::Drain),
    Up(Timer::KillAfter),
    Up(Timer::Patience),
    Up(Timer::Delivery),
    Matched,
    Told(TERM),
    Told(INT),
    Told(USR1),
    Keyed(INT),
    Unresolved,
    Gone,
    Delivered,
    Keyed(libc::SIGQUIT),
];

/// What tracer does unless told otherwise.
const USUAL: Policy = Policy { orphans: Orphans::Report, drains: false, kills: true, kills_when_told: false };

fn policies() -> Vec<Policy> {
    let mut all = Vec::new();
    for orphans in [Orphans::Report, Orphans::Kill, Orphans::Wait] {
        for bits in 0..8 {
            let [drains, kills, kills_when_told] = [1, 2, 4].map(|bit| bits & bit != 0);
            all.push(Policy { orphans, drains, kills, kills_when_told });
        }
    }
    all
}

/// The reason that an input gives, if it is the first to give one.
fn reason(input: Input) -> Option<Why> {
    match input {
        Ended => Some(Why::Ended),
        Up(Timer::Timeout) => Some(Why::TimedOut),
        Up(Timer::Idle) => Some(Why::Idle),
        Matched => Some(Why::Matched),
        Told(TERM) => Some(Why::Told),
        Unresolved => Some(Why::Unresolved),
        _ => None,
    }
}

/// What comes of these inputs, one after another.
fn story(policy: Policy, inputs: &[Input]) -> (Vec<Vec<Action>>, Option<Why>) {
    let mut ending = Ending::new(policy);
    let actions = inputs.iter().map(|input| ending.take(*input)).collect();
    (actions, ending.why())
}

#[track_caller]
fn assert_story(policy: Policy, steps: &[(Input, &[Action])], why: Why) {
    let inputs: Vec<Input> = steps.iter().map(|(input, _)| *input).collect();
    let (actions, reason) = story(policy, &inputs);
    let expected: Vec<Vec<Action>> = steps.iter().map(|(_, actions)| actions.to_vec()).collect();
    assert_eq!(actions, expected, "{steps:?}");
    assert_eq!(reason, Some(why), "{steps:?}");
}

/// What holds of every order of inputs.
#[track_caller]
fn assert_sound(policy: Policy, inputs: &[Input]) {
    let mut ending = Ending::new(policy);
    let mut all = Vec::new();
    for input in inputs {
        let (over, before) = (ending.is_over(), ending.why());
        let actions = ending.take(*input);
        assert!(!over || actions.is_empty(), "{actions:?} after the end: {policy:?} {inputs:?}");
        if let Some(before) = before {
            assert_eq!(ending.why(), Some(before), "a second reason: {policy:?} {inputs:?}");
        }
        all.extend(actions);
    }
    assert_eq!(ending.why(), inputs.iter().find_map(|input| reason(*input)), "{policy:?} {inputs:?}");
    for once in [Terminate, Kill, Deliver, Finish, Start(Timer::KillAfter), Start(Timer::Drain)] {
        let count = all.iter().filter(|action| **action == once).count();
        assert!(count <= 1, "{once:?} {count} times: {policy:?} {inputs:?}");
    }
    let place = |wanted: Action| all.iter().position(|action| *action == wanted);
    if let (Some(kill), Some(term)) = (place(Kill), place(Terminate)) {
        assert!(term < kill, "SIGTERM after SIGKILL: {policy:?} {inputs:?}");
    }
    assert_eq!(ending.is_over(), all.last() == Some(&Finish), "{policy:?} {inputs:?}");
    let has_ended = inputs.contains(&Ended);
    assert!(has_ended || !ending.is_over(), "over, and the command runs: {policy:?} {inputs:?}");
}

/// Calls `look` with every sequence of this length.
fn each_sequence(length: usize, look: &mut impl FnMut(&[Input])) {
    fn grow(sequence: &mut Vec<Input>, left: usize, look: &mut impl FnMut(&[Input])) {
        if left == 0 {
            return look(sequence);
        }
        for input in INPUTS {
            sequence.push(input);
            grow(sequence, left - 1, look);
            sequence.pop();
        }
    }
    grow(&mut Vec::new(), length, look);
}

#[test]
fn told_to_end_it_does_not_wait_for_orphans_it_ends_them() {
    let policy = Policy { orphans: Orphans::Wait, ..USUAL };
    let steps: [(Input, &[Action]); 5] = [
        (Told(TERM), &[PassOn(TERM)]),
        (Ended, &[Terminate, Start(Timer::KillAfter)]),
        (Gone, &[Deliver, Start(Timer::Delivery)]),
        (Delivered, &[Finish]),
        (Gone, &[]),
    ];
    assert_story(policy, &steps, Why::Told);
}

#[test]
fn in_every_order_of_three_things_the_first_ending_is_the_reason_and_nothing_follows_the_end() {
    for policy in policies() {
        each_sequence(3, &mut |inputs| assert_sound(policy, inputs));
    }
}

#[test]
fn whatever_happened_two_orders_and_the_ends_of_all_bring_it_to_an_end() {
    let rest = [Told(TERM), Told(TERM), Ended, Gone, Delivered];
    for policy in policies() {
        each_sequence(2, &mut |inputs| {
            let mut ending = Ending::new(policy);
            for input in inputs.iter().chain(&rest) {
                let _ = ending.take(*input);
            }
            assert!(ending.is_over(), "{policy:?} {inputs:?}");
        });
    }
}

proptest! {
    #[test]
    fn in_any_order_of_many_things_too(
        policy in prop::sample::select(policies()),
        inputs in prop::collection::vec(prop::sample::select(INPUTS.to_vec()), 0..40),
    ) {
        assert_sound(policy, &inputs);
    }
}

#[test]
fn a_command_that_ends_by_itself_is_the_end_of_it() {
    assert_story(USUAL, &[(Ended, &[Deliver]), (Delivered, &[Finish]), (Ended, &[])], Why::Ended);
}

#[test]
fn when_a_time_is_up_the_tree_is_asked_and_then_killed() {
    for (timer, why) in [(Timer::Timeout, Why::TimedOut), (Timer::Idle, Why::Idle)] {
        assert_story(
            USUAL,
            &[
                (Up(timer), &[Terminate, Start(Timer::KillAfter)]),
                (Ended, &[]),
                (Up(Timer::KillAfter), &[Kill, Start(Timer::Patience)]),
                (Gone, &[Deliver, Start(Timer::Delivery)]),
                (Delivered, &[Finish]),
            ],
            why,
        );
    }
}

#[test]
fn without_a_time_to_kill_after_nobody_is_killed() {
    let policy = Policy { kills: false, ..USUAL };
    let steps: &[(Input, &[Action])] = &[(Up(Timer::Timeout), &[Terminate]), (Up(Timer::Timeout), &[])];
    assert_story(policy, steps, Why::TimedOut);
}

#[test]
fn a_match_ends_the_tree_after_the_drain() {
    assert_story(USUAL, &[(Matched, &[Terminate, Start(Timer::KillAfter)])], Why::Matched);
    let policy = Policy { drains: true, ..USUAL };
    assert_story(
        policy,
        &[
            (Matched, &[Start(Timer::Drain)]),
            (Matched, &[]),
            (Up(Timer::Drain), &[Terminate, Start(Timer::KillAfter)]),
        ],
        Why::Matched,
    );
}

#[test]
fn a_command_that_ends_within_the_drain_is_matched_all_the_same() {
    let policy = Policy { drains: true, ..USUAL };
    assert_story(
        policy,
        &[
            (Matched, &[Start(Timer::Drain)]),
            (Ended, &[]),
            (Gone, &[Deliver, Start(Timer::Delivery)]),
            (Up(Timer::Drain), &[]),
        ],
        Why::Matched,
    );
}

#[test]
fn an_order_is_passed_on_and_a_second_one_hurries() {
    assert_story(
        USUAL,
        &[(Told(TERM), &[PassOn(TERM)]), (Told(TERM), &[Kill, Start(Timer::Patience)]), (Told(TERM), &[])],
        Why::Told,
    );
    assert_story(
        USUAL,
        &[(Told(TERM), &[PassOn(TERM)]), (Ended, &[Deliver, Start(Timer::Delivery)])],
        Why::Told,
    );
}

#[test]
fn with_kill_after_an_order_has_a_time_and_a_later_ending_does_not_make_it_longer() {
    let policy = Policy { kills_when_told: true, ..USUAL };
    assert_story(
        policy,
        &[
            (Told(TERM), &[PassOn(TERM), Start(Timer::KillAfter)]),
            (Up(Timer::Timeout), &[Terminate]),
            (Up(Timer::KillAfter), &[Kill, Start(Timer::Patience)]),
        ],
        Why::Told,
    );
}

#[test]
fn other_signals_are_the_commands_own_business() {
    assert_story(
        USUAL,
        &[
            (Told(INT), &[PassOn(INT)]),
            (Told(INT), &[PassOn(INT)]),
            (Keyed(INT), &[]),
            (Told(USR1), &[PassOn(USR1)]),
            (Ended, &[Deliver]),
        ],
        Why::Ended,
    );
}

#[test]
fn who_outlives_the_command_is_ended_or_waited_for_where_that_is_wanted() {
    let kill = Policy { orphans: Orphans::Kill, ..USUAL };
    let steps: &[(Input, &[Action])] =
        &[(Ended, &[Terminate, Start(Timer::KillAfter)]), (Gone, &[Deliver]), (Delivered, &[Finish])];
    assert_story(kill, steps, Why::Ended);
    let wait = Policy { orphans: Orphans::Wait, ..USUAL };
    assert_story(wait, &[(Ended, &[]), (Gone, &[Deliver])], Why::Ended);
}

#[test]
fn who_is_waited_for_can_still_be_ended() {
    let wait = Policy { orphans: Orphans::Wait, ..USUAL };
    for end in [Up(Timer::Timeout), Up(Timer::Idle), Matched, Told(TERM), Told(INT), Keyed(INT)] {
        assert_story(wait, &[(Ended, &[]), (end, &[Terminate, Start(Timer::KillAfter)])], Why::Ended);
    }
    assert_story(wait, &[(Ended, &[]), (Told(USR1), &[])], Why::Ended);
}

#[test]
fn without_a_workload_the_tree_is_killed_at_once() {
    assert_story(
        USUAL,
        &[
            (Unresolved, &[Kill, Start(Timer::Patience)]),
            (Ended, &[]),
            (Gone, &[Deliver, Start(Timer::Delivery)]),
        ],
        Why::Unresolved,
    );
}

#[test]
fn somebody_who_can_not_be_killed_is_not_waited_for_but_the_command_is() {
    let kill: &[Action] = &[Kill, Start(Timer::Patience)];
    let end: &[Action] = &[Deliver, Start(Timer::Delivery)];
    assert_story(USUAL, &[(Unresolved, kill), (Up(Timer::Patience), &[]), (Ended, end)], Why::Unresolved);
    assert_story(USUAL, &[(Unresolved, kill), (Ended, &[]), (Up(Timer::Patience), end)], Why::Unresolved);
}

#[test]
fn a_reader_who_takes_nothing_is_waited_for_unless_somebody_hurries() {
    for hurry in [Told(TERM), Told(INT), Keyed(INT)] {
        assert_story(USUAL, &[(Ended, &[Deliver]), (hurry, &[Finish])], Why::Ended);
    }
    assert_story(
        USUAL,
        &[
            (Told(TERM), &[PassOn(TERM)]),
            (Ended, &[Deliver, Start(Timer::Delivery)]),
            (Up(Timer::Delivery), &[Finish]),
        ],
        Why::Told,
    );
}
