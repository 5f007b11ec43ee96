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

/// Removes what a tracer or a recovery left in a log directory that was killed while it built the session of the root `pid`
/// there, under whatever name. Only for who has claimed it; another session of the same id may be built at this moment.
pub fn clear(log_dir: &Path, id: &SessionId, pid: u32) {
    let Ok(dirs) = LogPlace::existing(log_dir).and_then(|place| place.dirs()) else { return };
    for name in dirs.sessions.names().unwrap_or_default() {
        let parts = name.to_str().and_then(|name| name.strip_prefix('.')?.rsplit_once('.'));
        let Some((built, builder)) = parts.filter(|(built, _)| built.starts_with(&id.as_str()[..1])) else {
            continue;
        };
        if builder_is_dead(builder) && id.names(pid).any(|name| name.as_str() == built) {
            // It only takes room; nobody takes it for a session.
            let _ = dirs.sessions.entry(&name).remove_tree();
        }
    }
}

/// Whether that is the name of a session that is being built, and its builder is gone. That one may be another machine's.
#[must_use]
pub fn is_begun_by_the_dead(name: &str) -> bool {
    let parts = name.strip_prefix('.').and_then(|name| name.rsplit_once('.'));
    parts.is_some_and(|(built, builder)| {
        built.parse::<SessionId>().is_ok() && builder.contains('_') && builder_is_dead(builder)
    })
}

/// tracer itself, as the directory is called in which it builds a session.
fn builder() -> Identity {
    static ME: OnceLock<Identity> = OnceLock::new();
    let pid = std::process::id();
    *ME.get_or_init(|| Stat::read(pid).map_or(Identity { pid, start: Ticks(0) }, |stat| stat.identity()))
}

/// Whether this names a process that is gone. Version 0.1 called it by its pid alone.
fn builder_is_dead(name: &str) -> bool {
    let (pid, start) = name.split_once('_').map_or((name, None), |(pid, start)| (pid, Some(start)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (true, true, Ok(pid)) = (is_number(pid), start.is_none_or(is_number), pid.parse()) else {
        return false;
    };
    let lives = |stat: Stat| !stat.is_over() && start.is_none_or(|start| start == stat.start.0.to_string());
    !Stat::read(pid).is_some_and(lives)
}
