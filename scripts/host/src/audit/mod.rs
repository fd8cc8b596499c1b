//! Whether the hardware holds what the audit says: a debug kernel's account of its SMMUs, and of the tables that components run
//! with, against `capdl-gen audit --json`.
//!
//! The account is asked for on the command line, at moments at which it can be compared: before any component has run, and when
//! a guest's device is to master memory. `docs/audit.md` says what is compared and what is not.

mod compare;
mod expected;
mod spaces;
pub mod tamper;
mod told;

use std::path::Path;

use anyhow::{Context, Result, ensure};

pub use compare::{START, compared};
pub use expected::Audit;
pub use told::{Moment, Stages, moments};

/// What the kernel's command line says to have the account.
pub const OPTION: &str = "sluice.audit=on";
/// Bytes of what is compared.
const PAGE: u64 = 0x1000;
/// The name of the check.
const CHECK: &str = "hardware-equals-audit";

/// As [`judge`], with the audit in the file `path`.
///
/// # Errors
/// As [`judge`], and when the file does not read.
pub fn check<'a>(path: &Path, lines: impl IntoIterator<Item = &'a str>, idle: &[String]) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let said = Audit::read(&text).and_then(|audit| judge(&audit, lines, idle)).context(CHECK)?;
    Ok(format!("{CHECK}: {said}"))
}

/// Every difference at `moment`, one line each; none when hardware and audit say the same.
#[must_use]
pub fn differences(audit: &Audit, moment: &Moment) -> Vec<String> {
    let mut lines = compare::differences(audit, moment);
    lines.extend(spaces::differences(audit, moment));
    lines
}

/// Holds what a machine printed against the audit of its system, in which guests leave the devices `idle` alone: what was
/// compared, for people.
///
/// # Errors
/// Every difference, one line each; or what is missing to compare.
pub fn judge<'a>(audit: &Audit, lines: impl IntoIterator<Item = &'a str>, idle: &[String]) -> Result<String> {
    let moments = moments(lines)?;
    let starts = moments.iter().filter(|moment| moment.name == START).count();
    ensure!(starts == 1 && moments[0].name == START, "of {} moments {starts} are the start", moments.len());
    for device in audit.guests_devices() {
        let times = moments.iter().filter(|moment| moment.name == device).count();
        let wanted = usize::from(!idle.iter().any(|idle| idle == device));
        ensure!(times == wanted, "{device} was to master memory {times} times and not {wanted}");
    }
    let found = moments.iter().flat_map(|moment| {
        let when = if moment.name == START { String::new() } else { format!(", as {} begins", moment.name) };
        differences(audit, moment).into_iter().map(move |line| format!("{line}{when}"))
    });
    let found: Vec<String> = found.collect();
    ensure!(found.is_empty(), "{}", found.join("\n      "));
    let streams: usize = moments.iter().map(|moment| compared(audit, moment)).sum();
    let spaces = moments[0].spaces.len();
    let at = moments.len();
    Ok(format!(
        "{streams} streams at {at} moments and {spaces} address spaces reach what the audit says, and no others do"
    ))
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
        let judged = |lines: &str| judge(&audit, lines.lines(), &[]).map_err(|error| error.to_string());
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
    fn a_guests_device_has_a_moment_of_its_own_unless_it_is_idle() {
        let parties = r#""parties": [{ "name": "a", "kind": "guest", "drives": ["a.edu"] },"#;
        let audit = Audit::read(&AUDIT.replace(r#""parties": ["#, parties)).unwrap();
        let start = "root    | AUDIT begin start\nkernel  | AUDIT smmu 0 abort 256\nroot    | AUDIT end";
        let both = [start, &GOOD.replace("begin start", "begin a.edu")].join("\n");
        let idle = ["a.edu".to_owned()];
        for (lines, idle, is_good) in
            [(start, &idle[..], true), (start, &[], false), (&both, &[], true), (&both, &idle, false)]
        {
            assert_eq!(judge(&audit, lines.lines(), idle).is_ok(), is_good, "{lines} {idle:?}");
        }
    }
}
