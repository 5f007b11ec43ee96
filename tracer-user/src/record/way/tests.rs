//! Ways of one user; what somebody else owns is in the live tests, which are root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Objection, existing, made};

fn scratch() -> (TempDir, impl Fn(&str) -> PathBuf) {
    let dir = crate::scratch();
    let path = fs::canonicalize(dir.path()).unwrap();
    (dir, move |name: &str| path.join(name))
}

#[test]
fn what_is_missing_on_the_way_is_made_where_that_is_asked_for() {
    let (_dir, at) = scratch();
    assert_eq!(existing(&at("a/b")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    made(&at("a/b")).unwrap().entry("file").create().unwrap();
    made(&at("a/./x/../b")).unwrap();
    assert!(at("a/b/file").exists() && at("a/x").is_dir());
    assert_eq!(fs::metadata(at("a/b")).unwrap().permissions().mode() & 0o022, 0);
    assert_eq!(made(&at("a/b/file/c")).unwrap_err().kind(), std::io::ErrorKind::NotADirectory);
}

#[test]
fn a_link_of_ones_own_is_followed_wherever_it_leads() {
    let (_dir, at) = scratch();
    fs::create_dir_all(at("there/below")).unwrap();
    fs::create_dir(at("links")).unwrap();
    symlink("../there", at("links/relative")).unwrap();
    symlink(at("links/relative"), at("links/absolute")).unwrap();
    existing(&at("links/absolute/below")).unwrap().entry("one").create().unwrap();
    made(&at("links/relative/below/../new")).unwrap();
    assert!(at("there/below/one").exists() && at("there/new").is_dir());
    symlink(at("links/loop"), at("links/loop")).unwrap();
    let error = existing(&at("links/loop/below")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
}

#[test]
fn a_link_in_a_directory_that_others_may_write_to_is_not_followed_but_in_one_like_tmp() {
    let (_dir, at) = scratch();
    fs::create_dir(at("there")).unwrap();
    fs::create_dir(at("open")).unwrap();
    symlink(at("there"), at("open/link")).unwrap();
    for (mode, is_followed) in [(0o755, true), (0o777, false), (0o1777, true), (0o757, false)] {
        fs::set_permissions(at("open"), PermissionsExt::from_mode(mode)).unwrap();
        match existing(&at("open/link")) {
            Ok(_) => assert!(is_followed, "{mode:o}"),
            Err(error) => {
                let objection = error.get_ref().and_then(|error| error.downcast_ref());
                assert!(
                    !is_followed && matches!(objection, Some(Objection::Link { .. })),
                    "{mode:o}: {error}"
                );
                let words = error.to_string();
                assert!(words.contains("open/link") && words.contains(&format!("{mode:04o}")), "{words}");
            }
        }
    }
    // A directory that is no link may be on ground of others: nobody can turn it.
    fs::create_dir(at("open/mine")).unwrap();
    made(&at("open/mine/below")).unwrap();
}
