//! Whatever the events are, there is one target at most, and it is a process of the tree.

use proptest::prelude::*;

use super::story::Story;
use crate::kernel::event::{Args, Exec};
use crate::process::target::Wanted;
use crate::process::target::chain::Kind;
use crate::process::target::image::Image;

const DEEDS: [&str; 12] = [
    "execs /bin/sh -c 'mkdir x; make'",
    "execs /bin/bash as -bash -c make",
    "execs /usr/bin/timeout 5 make",
    "execs /root/.pyenv/shims/python3 by /usr/bin/env bash",
    "execs /root/.pyenv/libexec/pyenv by /usr/bin/env bash",
    "execs /usr/bin/dbus-run-session make",
    "execs /usr/bin/dbus-daemon",
    "execs /bin/mkdir x",
    "execs /opt/bin/python3",
    "execs /usr/bin/make",
    "is called make",
    "exits",
];

fn story() -> impl Strategy<Value = String> {
    let line =
        (1_u32..6, 0..DEEDS.len() + 4, 2_u32..6).prop_map(|(pid, deed, child)| match DEEDS.get(deed) {
            Some(deed) => format!("{pid} {deed}\n"),
            None => format!("{pid} forks {child}\n"),
        });
    prop::collection::vec(line, 0..40).prop_map(|lines| lines.concat())
}

fn exec() -> impl Strategy<Value = Exec> {
    let word = prop_oneof!["[-+a-z/=]{0,6}".prop_map(String::into_bytes), any::<Vec<u8>>()];
    let program = prop::sample::select(vec!["sh", "env", "timeout", "busybox", "node", "sudo", "python3"]);
    let args = prop::collection::vec(word, 0..6).prop_map(|words| words.join(&0));
    (program, any::<bool>(), args, any::<bool>(), any::<bool>()).prop_map(
        |(program, script, args, truncated, unreadable)| Exec {
            filename: program.into(),
            filename_truncated: truncated,
            interp: script.then(|| "/usr/bin/env".into()),
            args: Args { total: args.len() as u64, bytes: args.into(), truncated, unreadable },
            old_tid: 1,
            uid: 0,
            euid: None,
            namespace: None,
            cgroup_id: None,
            cwd: None,
        },
    )
}

proptest! {
    #[test]
    fn a_target_is_decided_once_and_by_its_own_exec(story in story()) {
        let told = Story::tell(&Wanted::BehindWrappers, &story);
        if let Some(target) = told.resolver.target() {
            let line = usize::try_from(target.how().at_ns).unwrap();
            let deed = story.lines().nth(line - 1).unwrap();
            prop_assert!(deed.starts_with(&format!("{} execs ", target.pid())), "{}", deed);
        }
    }

    #[test]
    fn by_name_nothing_of_another_name_is_found(story in story()) {
        let told = Story::tell(&Wanted::named(b"make").unwrap(), &story);
        if let Some(target) = told.resolver.target() {
            prop_assert_eq!(target.comm(), b"make");
        }
    }

    #[test]
    fn any_exec_can_be_looked_at(exec in exec()) {
        let image = Image::of(&exec);
        let name = Kind::of(&image).map(|kind| kind.name(&image));
        prop_assert!(name.is_none_or(|name| !name.is_empty()));
    }
}
