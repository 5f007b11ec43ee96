//! `tracer recover`.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;

use super::ground::{default_log_dir, tmpfs_path};
use super::{logger, report, span};
use crate::recover::gates::{Action, Gate};
use crate::recover::under_way::UnderWay;
use crate::recover::{Report, Request, recover};
use crate::run::outcome::FAILED;
use crate::session::text::for_terminal;

const EXAMPLES: &str = "\
Examples:
  sudo tracer recover
  sudo tracer recover --dry-run --json";

const AFTER: &str = "\
Exit status: 0; 1 if something that was to be finished or removed could not be; 125 if tracer itself failed, or could
not tell all on stdout.";

/// Make sessions of what tracers that were killed left behind
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, after_help = AFTER)]
pub(super) struct Recover {
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// One JSON object a line on stdout, for each file
    #[arg(long)]
    json: bool,
    /// Leave files that were written less than TIME ago
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span::parse)]
    min_age: Duration,
    /// Keep sessions in DIR [default: where their tracers would have]
    #[arg(long, value_name = "DIR", env = "TRACER_LOG_DIR")]
    log_dir: Option<PathBuf>,
    /// Look in DIR/tracer-UID [default: /dev/shm]
    #[arg(long, value_name = "DIR", env = "TRACER_TMPFS_PATH")]
    tmpfs_path: Option<PathBuf>,
}

impl Recover {
    pub(super) fn main(self) -> u8 {
        logger::install(log::LevelFilter::Warn);
        let request = match self.request() {
            Ok(request) => request,
            Err(message) => return fail(&message),
        };
        let mut telling = Telling { json: self.json, dry_run: self.dry_run, ..Telling::default() };
        let told = recover(&request, &AtomicBool::new(false), |report| {
            telling.tell(&report, &mut io::stdout().lock());
        });
        if let Err(error) = told {
            return fail(&error.to_string());
        }
        if !self.json {
            report::say(&telling.last_line());
        }
        match telling.untold {
            // Who closes a pipe has read all that he wanted.
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                fail(&format!("stdout can't be written ({error}): not all that was done is told there"))
            }
            _ => u8::from(telling.failed > 0),
        }
    }

    fn request(&self) -> Result<Request, String> {
        Ok(Request {
            tmpfs_path: tmpfs_path(self.tmpfs_path.clone())?,
            log_dir: self.log_dir.clone(),
            default_log_dir: default_log_dir().ok(),
            min_age: self.min_age,
            dry_run: self.dry_run,
            reserved: None,
            under_way: UnderWay::default(),
        })
    }
}

fn fail(message: &str) -> u8 {
    report::say(message);
    FAILED
}

#[derive(Debug, Default)]
struct Telling {
    json: bool,
    dry_run: bool,
    finished: u64,
    removed: u64,
    left: u64,
    failed: u64,
    /// Why no more is told. What is to be done is done all the same.
    untold: Option<io::Error>,
}

impl Telling {
    fn tell(&mut self, report: &Report, out: &mut impl Write) {
        if report.error.is_some() {
            self.failed += 1;
        }
        match report.decision.action {
            Action::Leave => self.left += 1,
            Action::Remove if report.error.is_none() => self.removed += 1,
            Action::Finish if report.error.is_none() => self.finished += 1,
            Action::Remove | Action::Finish => {}
        }
        if self.untold.is_none() {
            self.untold = self.write(report, out).err();
        }
    }

    fn write(&self, report: &Report, out: &mut impl Write) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut *out, report)?;
            writeln!(out)
        } else {
            writeln!(out, "{}", line(report, self.dry_run))
        }
    }

    fn last_line(&self) -> String {
        let would = if self.dry_run { "would be " } else { "" };
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        format!(
            "{} {would}recovered, {} {would}removed, {} left{failed}",
            self.finished, self.removed, self.left
        )
    }
}

/// What became of a file, for a person.
fn line(report: &Report, dry_run: bool) -> String {
    let file = for_terminal(report.file.as_bytes());
    let (reason, gate) = (report.decision.reason, gate(report.decision.gate));
    if let Some(error) = &report.error {
        return format!("{file}: left, {error} ({gate})");
    }
    match (report.decision.action, dry_run) {
        (Action::Leave, _) => format!("{file}: left, {reason} ({gate})"),
        (Action::Remove, true) => format!("{file}: would be removed, {reason} ({gate})"),
        (Action::Remove, false) => format!("{file}: removed, {reason} ({gate})"),
        (Action::Finish, true) => format!("{file}: would be recovered, {reason} ({gate})"),
        (Action::Finish, false) if report.session.is_none() => {
            format!(
                "{file}: removed, {reason} ({gate}); its session was in its place, and somebody removed it"
            )
        }
        (Action::Finish, false) => {
            let place = report.session.as_deref().map(|place| place.as_os_str().as_bytes());
            let place = for_terminal(place.unwrap_or_default());
            let damaged = match report.damaged_lines {
                0 => String::new(),
                1 => ", but for a damaged line".to_owned(),
                more => format!(", but for {more} damaged lines"),
            };
            let lost = match report.lost_bytes {
                0 => String::new(),
                bytes => format!(", without {bytes} bytes of older rows that are gone"),
            };
            let another = match &report.enrolled_id {
                Some(id) => format!(", since {} is another's", for_terminal(id.as_bytes())),
                None => String::new(),
            };
            format!("{file}: recovered, {reason} ({gate}); session {place}{another}{damaged}{lost}")
        }
    }
}

fn gate(gate: Gate) -> String {
    format!("{gate:?}")
}

#[cfg(test)]
mod tests {
    use super::{Telling, line};
    use crate::recover::Report;
    use crate::recover::gates::{Action, Decision, Gate};

    fn report(action: Action) -> Report {
        Report {
            file: "a\nb".to_owned(),
            decision: Decision { gate: Gate::G5, action, reason: "its process is gone" },
            session_id: Some("s".to_owned()),
            enrolled_id: None,
            session: Some("/log/sessions/s".into()),
            damaged_lines: 1,
            lost_bytes: 0,
            error: None,
        }
    }

    #[test]
    fn a_line_is_one_line_and_says_what_why_and_where() {
        let told = line(&report(Action::Finish), false);
        let expected =
            "a\\nb: recovered, its process is gone (G5); session /log/sessions/s, but for a damaged line";
        assert_eq!(told, expected);
        assert_eq!(line(&report(Action::Remove), true), "a\\nb: would be removed, its process is gone (G5)");
        let renamed = Report { enrolled_id: Some("x".to_owned()), ..report(Action::Finish) };
        assert!(line(&renamed, false).contains("session /log/sessions/s, since x is another's, but for"));
        let failed = Report { error: Some("no room".to_owned()), ..report(Action::Finish) };
        assert_eq!(line(&failed, false), "a\\nb: left, no room (G5)");
    }

    /// All that a person sees of a recovery: stdout, and the closing line on stderr.
    fn told(dry_run: bool) -> String {
        let report = |number: u32, gate, action, reason| Report {
            file: format!("tracer_trace_{number}_88.jsonl"),
            decision: Decision { gate, action, reason },
            session_id: None,
            enrolled_id: None,
            session: None,
            damaged_lines: 0,
            lost_bytes: 0,
            error: None,
        };
        let place = (!dry_run).then(|| "/var/log/tracer/sessions/0197a".into());
        let reports = [
            Report { session: place.clone(), ..report(1, Gate::G5, Action::Finish, "its process is gone") },
            Report {
                session: place,
                damaged_lines: u32::from(!dry_run) as usize,
                ..report(2, Gate::G5, Action::Finish, "its process is gone, and somebody else has the pid")
            },
            report(3, Gate::G2, Action::Remove, "it is from before a reboot"),
            report(4, Gate::G0, Action::Leave, "it was written a moment ago, and may be live"),
            report(5, Gate::G7, Action::Leave, "it is a FIFO"),
            Report {
                file: "\u{1b}[2J\n".to_owned(),
                ..report(6, Gate::G7, Action::Leave, "it has no name that tracer would give")
            },
        ];
        let mut telling = Telling { dry_run, ..Telling::default() };
        let mut out = Vec::new();
        for report in reports {
            telling.tell(&report, &mut out);
        }
        if !dry_run {
            let failed = report(7, Gate::G5, Action::Finish, "its process is gone");
            let why = "the log directory /var/log/tracer can't be used (Read-only file system (os error 30)); give another one with --log-dir";
            telling.tell(&Report { error: Some(why.to_owned()), ..failed }, &mut out);
        }
        String::from_utf8(out).unwrap() + &telling.last_line()
    }

    #[test]
    fn a_person_reads_a_line_a_file_and_a_count() {
        insta::assert_snapshot!(told(false), @r"
        tracer_trace_1_88.jsonl: recovered, its process is gone (G5); session /var/log/tracer/sessions/0197a
        tracer_trace_2_88.jsonl: recovered, its process is gone, and somebody else has the pid (G5); session /var/log/tracer/sessions/0197a, but for a damaged line
        tracer_trace_3_88.jsonl: removed, it is from before a reboot (G2)
        tracer_trace_4_88.jsonl: left, it was written a moment ago, and may be live (G0)
        tracer_trace_5_88.jsonl: left, it is a FIFO (G7)
        \u{1b}[2J\n: left, it has no name that tracer would give (G7)
        tracer_trace_7_88.jsonl: left, the log directory /var/log/tracer can't be used (Read-only file system (os error 30)); give another one with --log-dir (G5)
        2 recovered, 1 removed, 3 left, 1 failed
        ");
    }

    #[test]
    fn a_dry_run_says_what_would_be_done() {
        insta::assert_snapshot!(told(true), @r"
        tracer_trace_1_88.jsonl: would be recovered, its process is gone (G5)
        tracer_trace_2_88.jsonl: would be recovered, its process is gone, and somebody else has the pid (G5)
        tracer_trace_3_88.jsonl: would be removed, it is from before a reboot (G2)
        tracer_trace_4_88.jsonl: left, it was written a moment ago, and may be live (G0)
        tracer_trace_5_88.jsonl: left, it is a FIFO (G7)
        \u{1b}[2J\n: left, it has no name that tracer would give (G7)
        2 would be recovered, 1 would be removed, 3 left
        ");
    }

    #[test]
    fn what_failed_is_not_counted_as_done() {
        let mut telling = Telling { json: true, ..Telling::default() };
        let mut out = Vec::new();
        let failed = Report { error: Some("x".to_owned()), ..report(Action::Finish) };
        telling.tell(&failed, &mut out);
        telling.tell(&report(Action::Leave), &mut out);
        assert_eq!(out.split(|byte| *byte == b'\n').count(), 3);
        assert_eq!(telling.last_line(), "0 recovered, 0 removed, 1 left, 1 failed");
    }
}
