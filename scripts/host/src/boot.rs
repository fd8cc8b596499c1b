//! Runs a machine, hands out its lines as they come, and ends it when it hangs.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::keys::Step;
use crate::transcript::Line;
use crate::verdict::End;

/// How long a machine may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Without a line.
    pub silence: Duration,
    /// Altogether.
    pub total: Duration,
    /// After a line that says that kernel or root task stopped: the rest of its message, and the power-off.
    pub after_stop: Duration,
    /// Lines altogether.
    pub lines: usize,
    /// After the root task's result, for a machine that cannot power itself off; `None` where it has to.
    pub after_result: Option<Duration>,
}

/// How long a machine that cannot end itself is waited for after its result.
pub(crate) const AFTER_RESULT: Duration = Duration::from_millis(200);

impl Limits {
    /// For a system that ends by itself. A disk read prints its progress every tenth; the slowest emulation on a busy
    /// machine is a few megabytes a second.
    pub const CHECKED: Self = Self {
        silence: Duration::from_secs(60),
        total: Duration::from_secs(600),
        after_stop: Duration::from_secs(3),
        lines: 100_000,
        after_result: None,
    };
    /// For a system with guests: a guest says nothing while it reads a disk, and two may wait for each other's processor.
    pub const GUEST: Self =
        Self { silence: Duration::from_secs(150), total: Duration::from_secs(1200), ..Self::CHECKED };
    /// For a soak run, which prints its progress.
    pub const SOAK: Self =
        Self { silence: Duration::from_secs(120), total: Duration::from_secs(4 * 3600), ..Self::CHECKED };
    /// For a system that a user watches and ends.
    pub const WATCHED: Self = Self {
        silence: Duration::MAX,
        total: Duration::MAX,
        after_stop: Duration::from_secs(3),
        lines: usize::MAX,
        after_result: None,
    };
}

/// What a machine printed and how it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transcript {
    /// Its lines, without line ends.
    pub lines: Vec<String>,
    /// Its end.
    pub end: End,
}

/// Runs `command` to its end or to a limit. `watch` sees every line as it comes.
///
/// # Errors
/// When the program cannot be started or waited for.
pub fn run(command: Command, limits: Limits, watch: &mut dyn FnMut(&str)) -> Result<Transcript> {
    run_typing(command, limits, &[], watch)
}

/// As [`run`], and types `steps` on the machine's input; without any, the input is closed.
///
/// # Errors
/// As [`run`].
pub fn run_typing(
    mut command: Command,
    limits: Limits,
    steps: &[Step],
    watch: &mut dyn FnMut(&str),
) -> Result<Transcript> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(if steps.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}; scripts/setup installs it"))?;
    let mut input = child.stdin.take();
    let output = child.stdout.take().context("a machine without output")?;
    let mut errors = child.stderr.take().context("a machine without error output")?;
    let (sender, lines) = channel();
    let reader = thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        // A receiver that hung up has ended the machine: there is nobody left to read for.
        while matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            if sender.send(text).is_err() {
                break;
            }
            line.clear();
        }
    });
    let complaints = thread::spawn(move || {
        let mut text = Vec::new();
        let read = errors.read_to_end(&mut text);
        read.map(|_| String::from_utf8_lossy(&text).trim().to_owned()).unwrap_or_default()
    });
    let mut printed = Vec::new();
    let mut steps = steps.iter().peekable();
    let stopped_by = listen(&lines, limits, &mut printed, &mut |line| {
        watch(line);
        while let (Some(step), Some(machine)) = (steps.next_if(|step| line.contains(&step.after)), &mut input) {
            // A machine that is gone takes no keys; its end says so.
            if machine.write_all(&step.keys).and_then(|()| machine.flush()).is_err() {
                break;
            }
        }
    });
    drop(lines);
    let end = finish(&mut child, stopped_by.as_ref(), limits.after_result.is_some())?;
    reader.join().ok().context("the reader of the machine's output panicked")?;
    let complaints = complaints.join().ok().context("the reader of the machine's errors panicked")?;
    let end = match stopped_by {
        Some(end) => end,
        None if end.success() => End::PoweredOff,
        None if complaints.is_empty() => End::Failed(end.to_string()),
        None => End::Failed(format!("{end}, {complaints}")),
    };
    for complaint in complaints.lines() {
        let line = format!("qemu    | {complaint}");
        watch(&line);
        printed.push(line);
    }
    Ok(Transcript { lines: printed, end })
}

/// Collects lines until the output closes (`None`) or a limit is passed.
fn listen(
    lines: &Receiver<String>,
    limits: Limits,
    printed: &mut Vec<String>,
    watch: &mut dyn FnMut(&str),
) -> Option<End> {
    let start = Instant::now();
    let mut silence = limits.silence;
    let mut concluded = false;
    loop {
        let left = limits.total.saturating_sub(start.elapsed());
        match lines.recv_timeout(silence.min(left)) {
            Ok(line) => {
                watch(&line);
                match (Line::read(&line), limits.after_result) {
                    (Line::Stop(_), _) => (silence, concluded) = (limits.after_stop, false),
                    (Line::Result(_), Some(rest)) => (silence, concluded) = (rest, true),
                    _ => {}
                }
                printed.push(line);
                if printed.len() > limits.lines {
                    return Some(End::Flood(limits.lines));
                }
            }
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if concluded => return Some(End::Concluded),
            Err(RecvTimeoutError::Timeout) if silence <= left => return Some(End::Silent(silence)),
            Err(RecvTimeoutError::Timeout) => return Some(End::Endless(limits.total)),
        }
    }
}

/// The child's status; a child that passed a limit, or closed its output and lives on, is killed. One that cannot end itself
/// when it is done is asked to end first: QEMU lets its plugins finish then, and says that it was asked.
fn finish(child: &mut Child, stopped_by: Option<&End>, is_asked: bool) -> Result<ExitStatus> {
    const GRACE: Duration = Duration::from_secs(5);
    let closed = Instant::now();
    while stopped_by.is_none() && closed.elapsed() < GRACE {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let is_asked = is_asked && Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?.success();
    let since = Instant::now();
    while is_asked && since.elapsed() < GRACE {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().context("cannot end the machine")?;
    child.wait().context("cannot wait for the machine")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limits: Limits) -> (Transcript, Vec<String>) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut watched = Vec::new();
        let transcript = run(command, limits, &mut |line| watched.push(line.to_owned())).unwrap();
        (transcript, watched)
    }

    const SHORT: Limits = Limits {
        silence: Duration::from_millis(1500),
        total: Duration::from_secs(20),
        after_stop: Duration::from_millis(100),
        lines: 50,
        after_result: None,
    };

    #[test]
    fn lines_are_seen_without_their_ends_and_a_good_exit_is_a_power_off() {
        let (transcript, watched) = shell("printf 'a\\r\\nb\\n\\377\\nlast'", SHORT);
        assert_eq!(transcript.lines, ["a", "b", "\u{fffd}", "last"]);
        assert_eq!(transcript.lines, watched);
        assert_eq!(transcript.end, End::PoweredOff);
    }

    #[test]
    fn keys_are_typed_when_their_line_has_come_and_in_order() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo b; echo a; read one; echo got $one; read two; echo got $two"]);
        let steps = crate::keys::read("a => 1\\n\ngot 1 => 2\\n\n").unwrap();
        let transcript = run_typing(command, SHORT, &steps, &mut |_| {}).unwrap();
        assert_eq!(
            (transcript.lines, transcript.end),
            (["b", "a", "got 1", "got 2"].map(String::from).to_vec(), End::PoweredOff)
        );
        assert_eq!(shell("cat", SHORT).0.end, End::PoweredOff, "without keys the input is closed");
    }

    #[test]
    fn a_hang_is_ended_and_what_came_before_is_kept() {
        let start = Instant::now();
        let (transcript, _) = shell("echo before; exec sleep 60", SHORT);
        assert_eq!(transcript.lines, ["before"]);
        assert_eq!(transcript.end, End::Silent(SHORT.silence));
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_line_now_and_then_does_not_extend_the_total() {
        let limits = Limits { total: Duration::from_millis(700), ..SHORT };
        let (transcript, _) = shell("while echo tick; do sleep 0.2; done", limits);
        assert_eq!(transcript.end, End::Endless(limits.total));
    }

    #[test]
    fn a_flood_is_ended() {
        let (transcript, _) = shell("while echo again; do :; done", SHORT);
        assert_eq!(transcript.end, End::Flood(50));
        assert_eq!(transcript.lines.len(), 51);
    }

    #[test]
    fn a_machine_that_cannot_end_itself_is_ended_after_its_result() {
        let script = "echo 'root    | RESULT 1 passed, 0 failed'; echo more; exec sleep 60";
        let limits = Limits { after_result: Some(Duration::from_millis(100)), ..SHORT };
        let (transcript, _) = shell(script, limits);
        assert_eq!((transcript.end, transcript.lines.len()), (End::Concluded, 2));
        assert_eq!(shell(script, SHORT).0.end, End::Silent(SHORT.silence));
        let (transcript, _) =
            shell(&format!("{}; echo 'kernel  | PANIC: x'; sleep 60", &script[..script.find(';').unwrap()]), limits);
        assert_eq!(transcript.end, End::Silent(limits.after_stop), "a panic after the result is no good end");
    }

    #[test]
    fn after_a_panic_there_is_no_long_wait() {
        let (transcript, _) = shell("echo 'kernel  | PANIC: x'; exec sleep 60", SHORT);
        assert_eq!(transcript.end, End::Silent(SHORT.after_stop));
    }

    #[test]
    fn a_failing_emulator_is_not_a_power_off() {
        let (transcript, _) = shell("echo a; echo no such device >&2; exit 3", SHORT);
        assert_eq!(transcript.end, End::Failed("exit status: 3, no such device".to_owned()));
        assert_eq!(transcript.lines, ["a", "qemu    | no such device"]);
        let error = run(Command::new("/nonexistent/qemu"), SHORT, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("cannot start /nonexistent/qemu"));
    }
}
