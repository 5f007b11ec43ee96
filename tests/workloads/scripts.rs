//! Scripts: one whose interpreter is a script, and those whose interpreter this is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::environment::me;
use crate::sys;

/// Runs `./outer`, whose interpreter is `inner`, whose interpreter is this binary's `show`.
pub(crate) fn script_chain(_args: &[String]) -> i32 {
    let inner = std::env::current_dir().unwrap().join("inner");
    script(Path::new("outer"), &format!("#!{} of-outer\n", inner.display()));
    script(&inner, &format!("#!{} show\n", me().display()));
    sys::exec(Path::new("./outer"), &[b"outer", b"first", b"second"])
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// The words of the case that a script names in its second line; what the script was called with is for others to see.
pub(crate) fn words_of(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().nth(1).expect("a script for this program has its case in the second line");
    line.split_whitespace().map(str::to_owned).collect()
}
