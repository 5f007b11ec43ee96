//! Small programs that misbehave on purpose: `workload NAME [ARG]…`, one file a family of cases.
//!
//! `workload observe -- NAME [ARG]…` runs a case as its child and writes the ground truth about it (see
//! `tests::truth`) into the file that `WORKLOAD_TRUTH` names. A case that has children of its own writes their truth by
//! the same means. Whatever goes wrong, SIGALRM ends each process after half a minute.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a case that can't do what its name says must die loudly: its test sees the status"
)]

mod accounted;
mod bystander;
mod clones;
mod cores;
mod daemon;
mod demand;
mod environment;
mod execs;
mod family;
mod forks;
mod hears;
mod images;
mod lives;
mod names;
mod namespaces;
mod observe;
mod oom;
mod posture;
mod scripts;
mod show;
mod signals;
mod storms;
mod stubborn;
mod sys;
mod threads;
mod trace;
mod troubles;

/// A case: its arguments in, its exit code out.
type Case = fn(&[String]) -> i32;

/// Exit code of a process that was given no arguments at all.
const NO_ARGUMENTS: i32 = 21;

const CASES: &[(&str, Case)] = &[
    ("observe", observe::observe),
    ("noop", |_| 0),
    ("exit", |args| args[0].parse().unwrap()),
    ("show", show::show),
    ("leader-first", threads::leader_first),
    ("last-thread-exits", threads::last_thread_exits),
    ("thread-execs", threads::thread_execs),
    ("thread-forks", threads::thread_forks),
    ("thread-exits-group", threads::thread_exits_group),
    ("threads-killed", threads::threads_killed),
    ("thread-storm", threads::thread_storm),
    ("segv", signals::segv),
    ("raise", signals::raise),
    ("assassin", signals::assassin),
    ("segv-with-core", signals::segv_with_core),
    ("murder", signals::murder),
    ("hears", hears::hears),
    ("announce", signals::announce),
    ("alarm", signals::alarm),
    ("two-senders", signals::two_senders),
    ("handled", signals::handled),
    ("dump-core", cores::dump_core),
    ("vfork", clones::vfork),
    ("clone-vm", clones::clone_vm),
    ("clone-parent", clones::clone_parent),
    ("new-pid-namespace", namespaces::new_pid_namespace),
    ("namespace-init", namespaces::namespace_init),
    ("namespace-falls", namespaces::namespace_falls),
    ("daemon", daemon::daemon),
    ("failed-execs", execs::failed_execs),
    ("exec-again", execs::exec_again),
    ("no-argv", execs::no_argv),
    ("big-argv", execs::big_argv),
    ("long-path", execs::long_path),
    ("memfd", images::memfd),
    ("setuid", images::setuid),
    ("script-chain", scripts::script_chain),
    ("odd-comm", names::odd_comm),
    ("odd-file-name", names::odd_file_name),
    ("rename-main", names::rename_main),
    ("rename-thread", names::rename_thread),
    ("accounted", accounted::accounted),
    ("oom", oom::oom),
    ("oom-target", oom::oom_target),
    ("glutton", oom::glutton),
    ("quiet", troubles::quiet),
    ("zombie-maker", troubles::zombie_maker),
    ("hoarder", troubles::hoarder),
    ("spinner", troubles::spinner),
    ("leaker", troubles::leaker),
    ("taker", troubles::taker),
    ("martyr", troubles::martyr),
    ("sleeper", troubles::sleeper),
    ("renamer", troubles::renamer),
    ("storm", storms::storm),
    ("burst", storms::burst),
    ("on-demand", demand::on_demand),
    ("spawn", demand::spawn_many),
    ("fork", forks::fork_many),
    ("parallel", forks::parallel),
    ("deep", forks::deep),
    ("crowd", forks::crowd),
    ("family", forks::family),
    ("assemble", forks::assemble),
    ("in-crowd", forks::in_crowd),
    ("dies-behind-its-back", bystander::dies_behind_its_back),
    ("behind-its-back", bystander::behind_its_back),
    ("rename", lives::rename),
    ("become", lives::become_),
    ("sampled", lives::sampled),
    ("hold", lives::hold),
    ("spin", lives::spin),
    ("child", lives::child),
    ("write-to-nobody", lives::write_to_nobody),
    ("posture", posture::posture),
    ("zombie", posture::zombie),
    ("holders", posture::holders),
    ("stubborn", stubborn::stubborn),
    ("family", family::family),
    ("bomb", family::bomb),
    ("deaf", family::deaf),
    ("orders", family::orders),
    ("orphans", family::orphans),
];

fn main() {
    sys::limit_life();
    sys::forget_handlers();
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    std::process::exit(if args.is_empty() { NO_ARGUMENTS } else { run(&args) });
}

/// The case that these words name. A path names a script, which names the case.
fn run(words: &[String]) -> i32 {
    let (name, rest) = words.split_first().expect("a case");
    if name.contains('/') {
        return run(&scripts::words_of(name));
    }
    let case = CASES.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no case {name:?}"));
    (case.1)(rest)
}
