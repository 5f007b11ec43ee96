//! README's table of kernels: written from what is on record, between two markers, and by nobody else.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, bail};

use super::record::{self, Passed};
use crate::workspace::Workspace;

const BEGIN: &str = "<!-- The kernels, as `cargo xtask test --kernel LIST --record` found them. -->\n";
const END: &str = "<!-- End of the kernels. -->\n";

/// What the lack of a fact means there.
const LACKS: [(&str, &str); 4] = [
    (
        "group_dead",
        "`sched_process_exit` does not say who is the last thread: it is the one that finds `signal->live` at 0 and removes \
         the process from the map",
    ),
    ("unpreempted", "a program may be preempted at work: each has copies (below)"),
    ("mark_victim_task", "`mark_victim` names an OOM victim by its pid alone"),
    ("fd_by_size", "descriptors are counted one by one, and another user's not at all"),
];

/// Writes the table into README.md.
pub(crate) fn write(workspace: &Workspace, kernels: &[Passed]) -> Result<()> {
    let path = workspace.root().join("README.md");
    let readme = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (before, _, after) = parts(&readme)?;
    let text = format!("{before}{BEGIN}{}{END}{after}", rendered(kernels));
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Fails where README.md has another table than the record gives.
pub(crate) fn check(workspace: &Workspace, readme: &str) -> Result<()> {
    let (_, table, _) = parts(readme)?;
    if table != rendered(&record::kernels(workspace)?) {
        bail!(
            "README.md's table of kernels is not what tests/KERNELS.json gives: \
             `cargo xtask test --kernel LIST --record` writes both"
        );
    }
    Ok(())
}

/// What comes before the table, the table, and what comes after it.
fn parts(readme: &str) -> Result<(&str, &str, &str)> {
    let split = readme.split_once(BEGIN).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(END)?;
        Some((before, table, after))
    });
    split.with_context(|| format!("README.md has no place for the kernels: {BEGIN}{END}"))
}

fn rendered(kernels: &[Passed]) -> String {
    let mut text = String::from("\n| kernel | tests passed | what is different there |\n|---|---|---|\n");
    for Passed { kernel, version, passed, facts, .. } in kernels {
        let lacks = LACKS.iter().filter(|(fact, _)| facts.get(*fact).is_some_and(|has| has == false));
        let lacks: Vec<&str> = lacks.map(|(_, words)| *words).collect();
        let lacks = if lacks.is_empty() { "nothing".to_owned() } else { lacks.join("; ") };
        let _ = writeln!(text, "| {kernel} (Debian {version}) | {passed} | {lacks} |");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_what_its_kernel_lacks() {
        let facts = |group_dead: bool| {
            [("group_dead".to_owned(), group_dead.into()), ("fields".to_owned(), 51.into())].into()
        };
        let passed = |kernel: &str, group_dead| Passed {
            kernel: kernel.to_owned(),
            release: String::new(),
            version: "1-1".to_owned(),
            passed: 9,
            facts: facts(group_dead),
        };
        let table = rendered(&[passed("5.10", false), passed("newest", true)]);
        assert!(table.contains("| 5.10 (Debian 1-1) | 9 | `sched_process_exit` does not say"), "{table}");
        assert!(table.contains("| newest (Debian 1-1) | 9 | nothing |"), "{table}");
    }

    #[test]
    fn the_table_stands_between_its_markers() {
        let readme = format!("a\n{BEGIN}b\n{END}c\n");
        assert_eq!(parts(&readme).unwrap(), ("a\n", "b\n", "c\n"));
        assert!(parts("a\n").is_err());
    }
}
