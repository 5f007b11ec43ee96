//! What happens goes into the race of endings; what it says is done.

use super::Follower;
use crate::kernel::events::boot_ns;
use crate::run::apart::Ask;
use crate::run::ending::{Action, Input, Timer};
use crate::run::gone::Gone;
use crate::run::job;
use crate::run::kill::terminate;
use crate::run::passing::has_it;
use crate::run::signals::{Number, Sent, stop_by};
use crate::run::streams::Seen;
use crate::run::urgency::Urgency;

impl Follower<'_> {
    /// Something happened.
    pub(super) fn happened(&mut self, input: Input) {
        let undecided = self.ending.why().is_none();
        if undecided {
            self.since_ns = boot_ns();
        }
        for action in self.ending.take(input) {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::PassOn(signal) if self.has_already == Some(signal) => {}
            Action::PassOn(signal) => self.signal_command(signal),
            Action::Terminate => self.terminate(),
            Action::Kill => {
                self.hurry();
                self.kill();
            }
            Action::Start(timer) => self.start_timer(timer),
            Action::Deliver => {
                // Nobody's end is waited for any more.
                self.gone = Gone::default();
                self.deliver();
            }
            Action::Finish => self.tell_of_what_was_not_taken(),
        }
    }

    pub(super) fn start_timer(&mut self, timer: Timer) {
        if let Some(time) = self.plan.limits.of(timer) {
            self.timers.start(timer, time);
        }
    }

    /// A timer is up. Who was not heard was not silent.
    pub(super) fn up(&mut self, timer: Timer) {
        self.timers.stop(timer);
        if timer == Timer::LastWords {
            self.streams.wind_up();
            return self.delivered();
        }
        if timer == Timer::Idle {
            let seen = self.streams.step();
            self.heard(seen);
            if seen.output || self.streams.is_held_up() {
                self.start_timer(Timer::Idle);
                return;
            }
        }
        self.happened(Input::Up(timer));
    }

    /// tracer was sent a signal.
    pub(super) async fn signal(&mut self, sent: Sent) {
        let is_running = self.ended.is_none();
        match sent.signal {
            libc::SIGCHLD if is_running => self.attend(false),
            libc::SIGCHLD => {}
            libc::SIGCONT => {
                self.streams.resumed();
                if is_running {
                    self.attend(true);
                }
            }
            // Whoever is waited for was sent it too, where it was keyed.
            signal if job::OF_TERMINALS.contains(&signal) && !is_running => stop_by(signal),
            signal if sent.keyed => self.keyed(signal),
            signal if job::OF_TERMINALS.contains(&signal) && self.streams.have_a_terminal() => {
                // Its handler, if it has one.
                self.signal_command(signal);
                self.apart.suspend(self.child, self.programs, Ask { signal, is_typed: false });
            }
            // An editor at Ctrl-Z stops its whole group, itself among it; a second stop would be one more after `fg`.
            signal if job::OF_TERMINALS.contains(&signal) && self.child.is_it_in_our_group(sent.sender) => {}
            signal => {
                let told = has_it(sent, &mut self.listener, &mut self.recording).await;
                // To the command, to tracer, and to the group that both are in: one request.
                if told.is_some() && std::mem::replace(&mut self.told_of, told) == told {
                    return;
                }
                self.has_already = told.map(|_| signal);
                self.happened(Input::Told(signal));
                self.has_already = None;
            }
        }
    }

    /// The command has stopped, or the job is to go on.
    fn attend(&mut self, continued: bool) {
        let stood_still = if self.streams.have_a_terminal() {
            // What it wrote before it stopped is shown before the shell's prompt.
            self.output();
            self.apart.attend(self.child, &mut self.streams, continued)
        } else {
            job::attend(self.child, continued)
        };
        if stood_still {
            // Who stood still was not silent.
            self.start_timer(Timer::Idle);
        }
    }

    /// Ctrl-Z came to the command's terminal. Its kernel side has stopped the command's own jobs, but never the command.
    fn suspend(&mut self, is_typed: bool) {
        if self.ended.is_none() && self.streams.foreground() == self.child.group() {
            self.apart.suspend(self.child, self.programs, Ask { signal: libc::SIGTSTP, is_typed });
        }
    }

    fn keyed(&mut self, signal: Number) {
        let is_running = self.ended.is_none();
        if signal == libc::SIGHUP && is_running && self.streams.have_a_terminal() {
            // Nobody sits at tracer's terminal any more, so nobody does at the command's.
            self.signal_command(signal);
        } else if is_running
            && !self.streams.have_a_terminal()
            && stops(signal)
            && self.child.left_our_group()
        {
            // What the terminal sent to tracer's group has not reached it.
            self.happened(Input::Told(signal));
        } else if self.ended.is_some() || !self.streams.keyed(signal) {
            self.happened(Input::Keyed(signal));
        } else if signal == libc::SIGTSTP {
            self.suspend(false);
        }
    }

    /// Some output can be brought on.
    pub(super) fn output(&mut self) {
        let seen = self.streams.step();
        self.heard(seen);
        self.delivered();
    }

    /// The command has ended: what it wrote before was before that.
    pub(super) fn hear_the_rest(&mut self) {
        let seen = self.streams.take_rest();
        self.heard(seen);
    }

    fn heard(&mut self, seen: Seen) {
        if seen.output {
            self.start_timer(Timer::Idle);
        }
        if seen.matched {
            self.happened(Input::Matched);
        }
        if seen.stops {
            self.suspend(true);
        }
    }

    /// Whoever of the tree outlives the command and holds its output may be about to write (`> >(tee log)`): for a short time
    /// that is heard too.
    fn deliver(&mut self) {
        if self.streams.outlive_the_command() && self.programs.members().next().is_some() {
            self.recording.root_is_outlived();
            self.start_timer(Timer::LastWords);
        } else {
            self.streams.wind_up();
        }
        self.delivered();
    }

    fn delivered(&mut self) {
        if self.streams.is_done() {
            self.happened(Input::Delivered);
        }
    }

    fn tell_of_what_was_not_taken(&self) {
        let held = self.streams.held();
        if held > 0 {
            log::warn!("{held} bytes of output are lost: whoever was to read them did not");
        }
    }

    /// The command alone. One that has ended needs none.
    fn signal_command(&self, signal: Number) {
        if self.ended.is_none() {
            self.child.signal(signal);
        }
    }

    fn hurry(&mut self) {
        if self.urgency.is_none() {
            self.urgency = Urgency::take();
        }
    }

    fn terminate(&mut self) {
        self.hurry();
        terminate(self.programs, self.ended.is_none().then_some(self.child));
        if !self.has_the_command() {
            self.signal_command(libc::SIGTERM);
        }
    }

    fn kill(&mut self) {
        self.killing.step(self.programs, self.ended.is_none().then_some(self.child));
        if !self.has_the_command() {
            self.signal_command(libc::SIGKILL);
        }
    }

    /// Whether the tree has the command, as it should: unless there was no room for it.
    fn has_the_command(&self) -> bool {
        let command = self.child.pid.as_raw_nonzero().get();
        self.programs.members().any(|(id, _)| id.pid.cast_signed() == command)
    }

    /// Kills whoever is new, and sees whether anybody is left.
    pub(super) fn look_for_the_living(&mut self) {
        if self.ending.is_killing() {
            self.kill();
        }
        if (self.ending.is_killing() || self.ending.awaits_the_tree())
            && !self.gone.look(self.programs.members().map(|(id, _)| id))
        {
            self.happened(Input::Gone);
        }
    }
}

/// By which people stop what runs in a terminal.
fn stops(signal: Number) -> bool {
    matches!(signal, libc::SIGINT | libc::SIGQUIT | libc::SIGHUP)
}
