//! Version managers' shims: `~/.pyenv/shims/python3` and its like.
//!
//! A shim has the name of a tool and finds out which version of it is meant, with dozens of processes, before the tool
//! runs. pyenv, rbenv, nodenv, goenv and asdf have scripts that exec their way to it in one process; mise's and newer
//! asdf's are programs that do the same; volta's forks the tool. They are known by the directory that they stand in, since
//! nothing else tells them from a script that is the tool.

use super::image::Image;
use super::interpreters::without_version;
use super::names::basename;

const MANAGERS: [&[u8]; 12] = [
    b"asdf", b"goenv", b"jenv", b"mise", b"nodenv", b"phpenv", b"plenv", b"proto", b"pyenv", b"rbenv",
    b"rtx", b"volta",
];

/// What an image means to the shim whose process, or whose child, execs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The shim is still on its way.
    OnTheWay,
    /// Something that it runs to find its way.
    Helper,
    /// The tool, or what runs it.
    Arrived,
}

/// The tool that `image` is a shim of, if it is one: a file among shims, or a shell that runs one.
pub(super) fn tool<'a>(image: &Image<'a>) -> Option<&'a [u8]> {
    let script = image.script().filter(|_| image.is_run_by_a_shell());
    [image.file(), script].into_iter().flatten().find(|path| is_shim_path(path)).map(basename)
}

/// What `image` means to a shim of `tool`.
pub(super) fn step(tool: &[u8], forked: bool, image: &Image<'_>) -> Step {
    let same_tool = image.names().any(|name| without_version(name) == without_version(tool));
    let on_the_way = self::tool(image).is_some() || is_manager(image.name());
    match (forked, on_the_way) {
        (false, true) => Step::OnTheWay,
        (_, false) if same_tool => Step::Arrived,
        (false, false) if image.is_run_by_a_shell() => Step::OnTheWay,
        (false, false) => Step::Arrived,
        (true, _) => Step::Helper,
    }
}

fn is_shim_path(path: &[u8]) -> bool {
    let mut parts = path.rsplit(|byte| *byte == b'/').skip(1);
    match parts.next() {
        Some(b"shims") => true,
        Some(b"bin") => parts.next() == Some(b".volta"),
        _ => false,
    }
}

/// `pyenv` and its parts, as `pyenv-exec`.
fn is_manager(name: &[u8]) -> bool {
    MANAGERS
        .iter()
        .any(|manager| name.strip_prefix(*manager).is_some_and(|rest| rest.is_empty() || rest[0] == b'-'))
}

#[cfg(test)]
mod tests {
    use super::{is_manager, is_shim_path};

    #[test]
    fn shims_are_known_by_their_directory() {
        assert!(is_shim_path(b"/root/.pyenv/shims/python3"));
        assert!(is_shim_path(b"/home/u/.volta/bin/node"));
        assert!(!is_shim_path(b"/usr/bin/python3"));
        assert!(!is_shim_path(b"/src/shims/lib/x") && !is_shim_path(b"shims") && !is_shim_path(b""));
    }

    #[test]
    fn a_manager_is_known_with_its_parts() {
        assert!(is_manager(b"pyenv") && is_manager(b"pyenv-exec") && is_manager(b"asdf"));
        assert!(!is_manager(b"pyenvx") && !is_manager(b"py"));
    }
}
