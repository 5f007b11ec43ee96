//! The table in README.md: what a command notices of tracer, and of the wrappers that it may know. Each cell is measured.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::panic::catch_unwind;
use std::process::ExitStatus;
use std::time::Duration;

use tests::conform::{Case, Seen, Under, differences};
use tests::terminal::{CTRL_C, CTRL_Z, Desk};

use crate::given::{block, ignore, prctl};

/// The wrappers, in the order of the columns.
const COLUMNS: [(Under, &str); 4] = [
    (Under::Tracer, "tracer"),
    (Under::Strace, "`strace -f`"),
    (Under::Timeout, "`timeout`"),
    (Under::Script, "`script -e`"),
];

/// A behaviour: as without a wrapper (`yes…`), not (`no…`), or, where two signals race, `at times`.
struct Row {
    what: &'static str,
    is_as_bare: fn(Under, Duration) -> bool,
    cells: [&'static str; 4],
}

const ROWS: &[Row] = &[
    Row {
        what: "the exit code is CMD's",
        is_as_bare: |under, _| {
            [0, 3, 100, 255].iter().all(|code| same_status(under, &format!("exit {code}")))
        },
        cells: ["yes", "yes", "yes", "yes"],
    },
    Row {
        what: "CMD's death by a signal is a death by that signal",
        is_as_bare: |under, _| same_status(under, "kill -TERM $$"),
        cells: ["yes", "yes", "yes", "no: 128+N"],
    },
    Row {
        what: "not found is 127, not executable 126",
        is_as_bare: |under, _| {
            code(under, "./nosuch") == Some(127) && code(under, "/etc/passwd") == Some(126)
        },
        cells: ["yes", "no: 1", "yes", "yes"],
    },
    Row {
        what: "stdin, stdout, stderr and every other descriptor are the caller's",
        is_as_bare: |under, _| {
            !noticed(under, &Case::reveal()).iter().any(|name| name.starts_with("descriptor"))
        },
        cells: ["yes", "yes", "yes", "no: a terminal"],
    },
    Row {
        what: "environment, argv[0], directory, umask, limits, nice, capabilities, namespaces, cgroup …",
        is_as_bare: |under, _| noticed(under, &Case::reveal()).iter().all(|name| of_another_row(name)),
        cells: ["yes", "yes", "yes", "no: a shell's"],
    },
    Row {
        what: "signals that are blocked or ignored",
        is_as_bare: |under, _| {
            let case = Case::reveal().given(|| {
                ignore(&[libc::SIGTTOU, libc::SIGTTIN, libc::SIGINT, libc::SIGPIPE])?;
                block(&[libc::SIGUSR1, libc::SIGTERM, libc::SIGALRM])
            });
            noticed(under, &case)
                .iter()
                .all(|name| !name.starts_with("disposition") && !name.starts_with("status Sig"))
        },
        cells: ["yes", "yes", "no", "no"],
    },
    Row {
        what: "session, process group and controlling terminal",
        is_as_bare: |under, _| {
            let noticed = noticed(under, &Case::reveal());
            ["session", "process group", "terminal"].iter().all(|name| !noticed.contains(*name))
        },
        cells: ["yes", "yes", "yes", "no"],
    },
    Row {
        what: "a debugger can attach (no `ptrace`)",
        is_as_bare: |under, _| !noticed(under, &Case::reveal()).contains("status TracerPid"),
        cells: ["yes", "no", "yes", "yes"],
    },
    Row {
        what: "who is to die with its caller (`setpriv --pdeathsig`) still is",
        is_as_bare: |under, _| {
            let case = Case::reveal().given(|| prctl(libc::PR_SET_PDEATHSIG, 10));
            !noticed(under, &case).contains("signal at the parent's death")
        },
        cells: ["yes", "no", "no", "no"],
    },
    Row {
        what: "a pipe that CMD closes is closed",
        is_as_bare: |under, patience| {
            at_desk(under, patience, |desk| {
                let closes = "$W bash -c 'exec >&- 2>&-; for ((n = 0; n < 100; n++)); do [ -e noticed ] && exit 3; sleep 0.1; done'";
                desk.does(&format!("{closes} | {{ cat; touch noticed; }}; (exit ${{PIPESTATUS[0]}})"), 0, 3);
            })
        },
        cells: ["yes", "yes", "no", "no"],
    },
    Row {
        what: "in a script, CMD reads the terminal",
        is_as_bare: |under, patience| {
            at_desk(under, patience, |desk| {
                desk.line("bash -c '$W sh -c \"read line; echo read \\$line\"; true'");
                desk.line("typed");
                desk.wait_for("read typed\r\n");
                desk.prompt(0, 0);
            })
        },
        cells: ["yes", "yes", "no: `--foreground`", "yes"],
    },
    Row {
        what: "Ctrl-C is heard once, and CMD decides",
        is_as_bare: |under, patience| {
            at_desk(under, patience, |desk| {
                desk.line("$W $WORKLOAD hears 2");
                desk.wait_for("go\r\n");
                desk.send(CTRL_C);
                desk.wait_for("heard\r\n");
                std::fs::write(desk.path("done"), "").unwrap();
                desk.wait_for("heard 1\r\n");
                desk.prompt(0, 9);
            })
        },
        cells: ["yes", "yes", "at times twice", "yes"],
    },
    Row {
        what: "Ctrl-Z stops the job, `fg` goes on with it",
        is_as_bare: |under, patience| {
            at_desk(under, patience, |desk| {
                desk.line("$W bash -c 'echo go; until [ -e done ] || ! [ -e ../cwd ]; do :; done; exit 4'");
                desk.wait_for("go\r\n");
                desk.send(CTRL_Z);
                desk.prompt(1, 148);
                std::fs::write(desk.path("done"), "").unwrap();
                desk.line("fg");
                desk.prompt(0, 4);
            })
        },
        cells: ["yes", "yes", "yes", "no"],
    },
    Row {
        what: "CMD ignores Ctrl-Z and goes on",
        is_as_bare: |under, patience| {
            at_desk(under, patience, |desk| {
                desk.line("$W bash -c 'trap \"\" TSTP; echo go; until [ -e done ] || ! [ -e ../cwd ]; do :; done; exit 4'");
                desk.wait_for("go\r\n");
                desk.send(CTRL_Z);
                std::fs::write(desk.path("done"), "").unwrap();
                desk.prompt(0, 4);
            })
        },
        cells: ["yes", "no", "no", "yes"],
    },
    Row {
        what: "CMD stops itself (`suspend` in a shell), and the job is stopped",
        is_as_bare: |under, patience| {
            at_desk(under, patience, |desk| {
                desk.line("$W bash -c 'kill -STOP $$; exit 4'");
                desk.prompt(1, 147);
                desk.line("fg");
                desk.prompt(0, 4);
            })
        },
        cells: ["yes", "no", "no", "at times"],
    },
    Row {
        what: "a SIGTERM sent to it reaches CMD, which decides",
        is_as_bare: |under, patience| at_desk(under, patience, told_to_end),
        cells: ["yes", "no", "yes", "no"],
    },
    Row {
        what: "and the status is still CMD's",
        is_as_bare: |under, patience| {
            at_desk(under, patience, |desk| {
                told_to_end(desk);
                desk.does("wait $it", 0, 7);
            })
        },
        cells: ["no: SIGTERM; yes with `--preserve-status`", "no", "at times", "no"],
    },
    Row {
        what: "a SIGTERM sent to the job (`kill %1`) is heard once",
        is_as_bare: |under, patience| {
            at_desk(under, patience, |desk| {
                desk.line("$W $WORKLOAD hears 15 &");
                desk.wait_for("go\r\n");
                desk.line("kill %1");
                desk.wait_for("heard\r\n");
                desk.settles();
                std::fs::write(desk.path("done"), "").unwrap();
                desk.wait_for("heard 1\r\n");
            })
        },
        cells: ["yes", "yes", "at times twice", "no"],
    },
];

/// A command in the background that ends in its own way when it is asked to.
fn told_to_end(desk: &mut Desk) {
    desk.line(
        "$W bash -c 'trap \"echo asked; exit 7\" TERM; echo go; until [ -e done ] || ! [ -e ../cwd ]; do :; done' & it=$!",
    );
    desk.wait_for("go\r\n");
    desk.line("kill $it");
    desk.wait_for("asked\r\n");
}

fn same_status(under: Under, script: &str) -> bool {
    Case::sh(script).run(Under::Nothing).status == Case::sh(script).run(under).status
}

/// What a shell gets, where there is no wrapper that could tell.
fn code(under: Under, command: &str) -> Option<i32> {
    let case = if under == Under::Nothing { Case::sh(command) } else { Case::command([command]) };
    ExitStatus::from_raw(case.run(under).status).code()
}

/// The names of what it was given in another way.
fn noticed(under: Under, case: &Case) -> BTreeSet<String> {
    let (bare, wrapped): (Seen, Seen) = (case.run(Under::Nothing), case.run(under));
    differences(&bare, &wrapped).into_iter().collect()
}

fn of_another_row(name: &str) -> bool {
    ["descriptor", "disposition", "status Sig", "status TracerPid", "signal at the parent", "autogroup"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || ["session", "process group", "foreground group", "terminal"].contains(&name)
}

/// Plays a scene; false: not all of it comes.
fn at_desk(under: Under, patience: Duration, scene: fn(&mut Desk)) -> bool {
    catch_unwind(|| {
        let mut desk = Desk::with(under);
        desk.patience(patience);
        scene(&mut desk);
    })
    .is_ok()
}

/// What is to come has all the time; what is not is not waited for long.
fn patience(cell: &str) -> Duration {
    Duration::from_secs(if cell.starts_with("yes") { 30 } else { 1 })
}

#[test]
fn each_cell_of_the_table_is_what_the_wrapper_does() {
    let mut wrong = Vec::new();
    for row in ROWS {
        for ((under, name), cell) in COLUMNS.iter().zip(row.cells) {
            // Others have races of their own: timeout(1) may be told to end before it knows whom it started.
            let tries = if *under == Under::Tracer { 1 } else { 3 };
            let is_so = || (row.is_as_bare)(*under, patience(cell)) == cell.starts_with("yes");
            if !cell.starts_with("at times") && !(0..tries).any(|_| is_so()) {
                wrong.push(format!("{}: {name} is not {cell:?}", row.what));
            }
        }
        assert!((row.is_as_bare)(Under::Nothing, patience("yes")), "{}: bare", row.what);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_readme_shows_the_table() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let table = table();
    assert!(readme.contains(&table), "README.md needs this table:\n{table}");
}

fn table() -> String {
    let mut table = String::from("| as without a wrapper |");
    COLUMNS.iter().for_each(|(_, name)| table += &format!(" {name} |"));
    table += "\n|---|---|---|---|---|\n";
    for row in ROWS {
        table += &format!("| {} | {} |\n", row.what, row.cells.join(" | "));
    }
    table
}
