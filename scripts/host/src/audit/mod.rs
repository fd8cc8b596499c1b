//! Whether the hardware holds what the audit says: a debug kernel's account of its SMMUs, and of the tables that components and
//! guests run with, against `capdl-gen audit --json`.
//!
//! The account is asked for on the command line, at moments at which it can be compared: before any component has run, when
//! a guest has been made, when a device of it is to master memory, and when it is over. `docs/audit.md` says what is compared and what is not.

mod compare;
mod expected;
mod guests;
mod spaces;
pub mod tamper;
mod told;

use std::path::Path;

use anyhow::{Context, Result, ensure};

pub use compare::{START, compared};
pub use expected::Audit;
pub use told::{Moment, Stages, moments};

use crate::transcript::Line;

/// What the kernel's command line says to have the account.
pub const OPTION: &str = "sluice.audit=on";
/// Bytes of what is compared.
const PAGE: u64 = 0x1000;
/// The name of the check.
const CHECK: &str = "hardware-equals-audit";

/// What is not as the audit alone would have it, because the system says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Exceptions<'a> {
    /// Devices that their guests never let master memory.
    pub idle: &'a [String],
    /// Guests behind whose memory their VMMs have mapped a page of their own.
    pub lent: &'a [String],
}

/// As [`judge`], with the audit in the file `path`.
///
/// # Errors
/// As [`judge`], and when the file does not read.
pub fn check<'a>(path: &Path, lines: impl IntoIterator<Item = &'a str>, exceptions: Exceptions<'_>) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let said = Audit::read(&text).and_then(|audit| judge(&audit, lines, exceptions)).context(CHECK)?;
    Ok(format!("{CHECK}: {said}"))
}

/// Every difference of streams and components at `moment`, one line each; none when hardware and audit say the same.
#[must_use]
pub fn differences(audit: &Audit, moment: &Moment) -> Vec<String> {
    let mut lines = compare::differences(audit, moment);
    lines.extend(spaces::differences(audit, moment));
    lines
}

/// Holds what a machine printed against the audit of its system: what was compared, for people.
///
/// # Errors
/// Every difference, one line each; or what is missing to compare.
pub fn judge<'a>(
    audit: &Audit,
    lines: impl IntoIterator<Item = &'a str>,
    exceptions: Exceptions<'_>,
) -> Result<String> {
    let lines: Vec<&str> = lines.into_iter().collect();
    let moments = moments(lines.iter().copied())?;
    let starts = moments.iter().filter(|moment| moment.name == START).count();
    ensure!(starts == 1 && moments[0].name == START, "of {} moments {starts} are the start", moments.len());
    for device in audit.guests_devices() {
        let times = moments.iter().filter(|moment| moment.name == device).count();
        let wanted = usize::from(!exceptions.idle.iter().any(|idle| idle == device));
        ensure!(times == wanted, "{device} was to master memory {times} times and not {wanted}");
    }
    for guest in audit.guests() {
        let made = moments.iter().filter(|moment| moment.name == guests::made(&guest.name)).count();
        // Its first, and those that a VMM or the root task begins.
        let lives = 1 + lines.iter().filter(|line| Line::read(line) == Line::Life(guest.name.clone())).count();
        ensure!(made == lives, "{} has had {lives} lives and was looked at {made} times before it ran", guest.name);
        let ends = moments.iter().filter(|moment| moment.name == guests::END).count();
        ensure!(ends == 1, "guests were looked at {ends} times in the end");
    }
    let known = guests::Known::new(audit, &moments[0], exceptions.lent);
    let found = moments.iter().flat_map(|moment| {
        let mut found = differences(audit, moment);
        found.extend(guests::differences(audit, moment, &known));
        let when = when(&moment.name);
        found.into_iter().map(move |line| format!("{line}{when}"))
    });
    let found: Vec<String> = found.collect();
    ensure!(found.is_empty(), "{}", found.join("\n      "));
    let streams: usize = moments.iter().map(|moment| compared(audit, moment)).sum();
    let spaces: usize = moments[0].spaces.len();
    let guests: usize = moments.iter().map(|moment| guests::compared(moment, &known)).sum();
    let of_guests = if guests > 0 { format!(", guests' {guests} times,") } else { String::new() };
    let at = moments.len();
    Ok(format!(
        "{streams} streams at {at} moments and {spaces} address spaces{of_guests} reach what the audit says, and no others do"
    ))
}

/// When that was, behind a line.
fn when(moment: &str) -> String {
    match moment.split_once(' ') {
        Some((guest, what)) => format!(", as {guest} is {what}"),
        None if moment == START => String::new(),
        None if moment == guests::END => ", in the end".to_owned(),
        None => format!(", as {moment} begins"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIT: &str = r#"{ "memories": [], "reach": [], "parties": [
        { "name": "a.edu", "kind": "device", "drives": [], "mode": "s2", "streams": ["0:0x0008"] } ] }"#;
    const GOOD: &str = "root    | AUDIT begin start\nkernel  | AUDIT stream 0:0x0008 entry 0x9000 stage 2\n\
        kernel  | AUDIT smmu 0 abort 255\nroot    | AUDIT end";

    #[test]
    fn there_must_be_a_start_and_no_difference() {
        let audit = Audit::read(AUDIT).unwrap();
        let judged =
            |lines: &str| judge(&audit, lines.lines(), Exceptions::default()).map_err(|error| error.to_string());
        assert!(judged(GOOD).unwrap().starts_with("1 streams at 1 moments"));
        let bypass = GOOD.replace("stage 2", "bypass");
        assert_eq!(judged(&bypass).unwrap_err(), "0:0x0008 (a.edu) bypasses translation instead of s2");
        assert!(judged("nothing").unwrap_err().starts_with("of 0 moments"));
        assert!(judged(&[GOOD, GOOD].join("\n")).unwrap_err().starts_with("of 2 moments"));
        assert!(judged(&GOOD.replace("begin start", "begin a.edu")).unwrap_err().starts_with("of 1 moments 0"));
        let later = bypass.replace("begin start", "begin a.edu");
        let error = judged(&[GOOD, &later].join("\n")).unwrap_err();
        assert_eq!(error, "0:0x0008 (a.edu) bypasses translation instead of s2, as a.edu begins");
    }

    #[test]
    fn a_guest_has_its_moments_and_its_device_one_unless_it_is_idle() {
        let parties = r#""parties": [{ "name": "a", "kind": "guest", "drives": ["a.edu"] },"#;
        let audit = Audit::read(&AUDIT.replace(r#""parties": ["#, parties)).unwrap();
        let guest = "root    | AUDIT made a\nkernel  | AUDIT memory 0x1000 0x1000\nkernel  | AUDIT tables 0x1000\n\
            kernel  | AUDIT processor 0x1800 tables 0x1000\nroot    | AUDIT end";
        let quiet = |name| format!("root    | AUDIT begin {name}\nkernel  | AUDIT smmu 0 abort 256\n{guest}");
        let start = "root    | AUDIT begin start\nkernel  | AUDIT smmu 0 abort 256\nroot    | AUDIT end".to_owned();
        let (made, over, end) = (quiet("a made"), quiet("a over"), quiet("end"));
        let device = GOOD.replace("begin start", "begin a.edu").replace("root    | AUDIT end", guest);
        let idle = ["a.edu".to_owned()];
        let judged = |moments: &[&String], idle: &[String]| {
            let lines: Vec<&str> = moments.iter().flat_map(|moment| moment.lines()).collect();
            judge(&audit, lines, Exceptions { idle, lent: &[] }).map_err(|error| error.to_string())
        };
        let next = "root    | a starts life 1: 9 KiB left, as at first".to_owned();
        let (again, others) =
            ("a       | the guest starts again".to_owned(), "b       | the guest starts again".to_owned());
        for moments in [
            &[&start, &made, &device, &end][..],
            &[&start, &made, &device, &over, &next, &made, &end],
            &[&start, &made, &device, &again, &made, &over, &next, &made, &others, &end],
        ] {
            assert!(judged(moments, &[]).is_ok_and(|said| said.contains("guests' ")), "{moments:?}");
            assert!(judged(moments, &idle).is_err());
        }
        assert!(judged(&[&start, &made, &end], &idle).is_ok());
        for (moments, part) in [
            (&[&start, &made, &end][..], "a.edu was to master memory 0 times"),
            (&[&start, &device, &end], "a has had 1 lives and was looked at 0 times before it ran"),
            (&[&start, &made, &device, &over, &next, &end], "2 lives and was looked at 1 times"),
            (&[&start, &made, &device, &again, &end], "2 lives and was looked at 1 times"),
            (&[&start, &made, &device, &over, &next, &again, &made, &end], "3 lives and was looked at 2 times"),
            (&[&start, &made, &made, &device, &end], "1 lives and was looked at 2 times"),
            (&[&start, &made, &device], "looked at 0 times in the end"),
            (&[&start, &made, &device, &end, &end], "looked at 2 times in the end"),
        ] {
            let error = judged(moments, &[]).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let more = "0x1000\nkernel  | AUDIT reach space 0x0 0x1000 r 0x9000 normal\nkernel  | AUDIT processor";
        let strange = |moment: &String| moment.replace("0x1000\nkernel  | AUDIT processor", more);
        let line = "a (guest) reaches 0x0+0x1000 (memory of no region, 0x9000, r), which it should not";
        for (moments, when) in [
            (&[&start, &strange(&made), &device, &end], "as a is made"),
            (&[&start, &made, &strange(&device), &end], "as a.edu begins"),
            (&[&start, &made, &device, &strange(&end)], "in the end"),
        ] {
            assert_eq!(judged(moments, &[]).unwrap_err(), format!("{line}, {when}"));
        }
        let error = judged(&[&start, &made, &device, &strange(&over), &end], &[]).unwrap_err();
        assert_eq!(error, format!("{line}, as a is over"));
    }
}
