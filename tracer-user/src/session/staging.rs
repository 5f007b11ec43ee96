//! The directory in which a session is built, beside its place: by its name, who builds it. What the dead began goes.

use std::path::Path;
use std::sync::OnceLock;

use super::id::SessionId;
use crate::process::identity::{Identity, Ticks};
use crate::process::stat::Stat;
use crate::record::log_place::LogPlace;

/// How the directory is called in which this process builds that session.
pub(super) fn name(id: &SessionId) -> String {
    let me = builder();
    format!(".{id}.{}_{}", me.pid, me.start.0)
}

/// The names of the directories in a log directory in which sessions are built, or were.
#[must_use]
pub fn list(log_dir: &Path) -> Vec<String> {
    let Ok(dirs) = LogPlace::existing(log_dir).and_then(|place| place.dirs()) else { return Vec::new() };
    let names = dirs.sessions.names().unwrap_or_default().into_iter();
    let texts = names.filter_map(|name| name.into_string().ok());
    texts.filter(|name| parts(name).is_some_and(|(_, builder)| whose(builder).is_some())).collect()
}

/// Of those `begun` in a log directory, removes what a tracer or a recovery left that was killed while it built the session of the
/// root `pid`, under whatever name. Only for who has claimed it; another session of the same id may be built at this moment.
pub fn clear(log_dir: &Path, begun: &[String], id: &SessionId, pid: u32) {
    let is_left = |name: &&String| {
        parts(name).is_some_and(|(built, builder)| id.has_name(pid, built) && builder_is_dead(builder))
    };
    let mut left = begun.iter().filter(is_left).peekable();
    if left.peek().is_none() {
        return;
    }
    let Ok(dirs) = LogPlace::existing(log_dir).and_then(|place| place.dirs()) else { return };
    for name in left {
        // It only takes room; nobody takes it for a session.
        let _ = dirs.sessions.entry(name).remove_tree();
    }
}

/// Whether that is the name of a session that is being built, and its builder is gone. That one may be another machine's.
#[must_use]
pub fn is_begun_by_the_dead(name: &str) -> bool {
    parts(name).is_some_and(|(built, builder)| {
        built.parse::<SessionId>().is_ok() && builder.contains('_') && builder_is_dead(builder)
    })
}

/// The session that is built, and the builder.
fn parts(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix('.')?.rsplit_once('.')
}

/// tracer itself, as the directory is called in which it builds a session.
fn builder() -> Identity {
    static ME: OnceLock<Identity> = OnceLock::new();
    let pid = std::process::id();
    *ME.get_or_init(|| Stat::read(pid).map_or(Identity { pid, start: Ticks(0) }, |stat| stat.identity()))
}

/// The process that this names, by its pid and its start. Version 0.1 called it by its pid alone.
fn whose(builder: &str) -> Option<(u32, Option<&str>)> {
    let (pid, start) = builder.split_once('_').map_or((builder, None), |(pid, start)| (pid, Some(start)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(pid) || !start.is_none_or(is_number) {
        return None;
    }
    Some((pid.parse().ok()?, start))
}

/// Whether this names a process that is gone.
fn builder_is_dead(name: &str) -> bool {
    let Some((pid, start)) = whose(name) else { return false };
    let lives = |stat: Stat| !stat.is_over() && start.is_none_or(|start| start == stat.start.0.to_string());
    !Stat::read(pid).is_some_and(lives)
}
