//! The layout is the explanation, so it is held: data flows one way, and only `kernel` knows aya.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The line along which data flows. A folder imports only what stands before it, itself, and `process`.
const LINE: [&str; 7] = ["kernel", "process", "record", "session", "recover", "run", "cli"];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

fn lines_of(folder: &str) -> Vec<(PathBuf, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    let text = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_default();
        text.lines().map(|line| (path.clone(), line.to_owned())).collect::<Vec<_>>()
    };
    sources(&dir)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .flat_map(text)
        .collect()
}

#[test]
fn a_folder_imports_only_what_stands_before_it() {
    for (place, folder) in LINE.iter().enumerate() {
        let lines = lines_of(folder);
        assert!(!lines.is_empty(), "{folder} has sources");
        for later in LINE[place + 1..].iter().filter(|later| **later != "process") {
            let wrong = lines.iter().find(|(_, line)| line.contains(&format!("crate::{later}::")));
            assert!(wrong.is_none(), "{folder} imports {later}: {wrong:?}");
        }
    }
}

#[test]
fn only_kernel_knows_aya() {
    for folder in LINE.iter().filter(|folder| **folder != "kernel") {
        let wrong =
            lines_of(folder).into_iter().find(|(_, line)| line.contains("aya::") || line.contains("aya_log"));
        assert_eq!(wrong, None, "{folder} uses aya");
    }
}
