//! Whether a device had requests in flight whenever its guest's life ended, and none of them was left when it was handed out again:
//! by the events that QEMU logs.
//!
//! What a guest says of its requests is from before its end. QEMU logs each request of a virtio disk as it takes it and as it
//! completes it, and each write to configuration space, in the order in which they happen. A life ends for the device when it may
//! master memory no more, which whoever ends a guest says first; the next begins when its registers are switched on again.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::transcript::Line;

/// The command register, and bits of it (PCI Local Bus 3.0, 6.2.2).
const COMMAND: u64 = 0x4;
const MEMORY: u64 = 1 << 1;
const MASTER: u64 = 1 << 2;

/// A device that is looked at. It has to be the only virtio disk of its machine: QEMU does not log which one a request is of.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flight {
    /// Its kind and place, as QEMU's event `pci_cfg_write` has them: `virtio-blk-pci 01:00.0`.
    pub device: String,
    /// Whose lives end with requests in flight.
    pub lives_of: String,
}

/// The end of a life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct End {
    /// Requests that it had completed in this life.
    completed: u64,
    /// Those it had taken besides.
    in_flight: usize,
}

impl Flight {
    /// What the events in the file `log` show, beside the `lines` of the run.
    ///
    /// # Errors
    /// When a life but the last ended with nothing in flight or without any I/O before, or a request was left.
    pub fn compare(&self, lines: &[String], log: &Path) -> Result<String> {
        let events = std::fs::read_to_string(log).with_context(|| format!("QEMU has left no {}", log.display()))?;
        let restarts = lines.iter().filter(|line| Line::read(line) == Line::Life(self.lives_of.clone())).count();
        self.judge(restarts, &events)
    }

    fn judge(&self, restarts: usize, events: &str) -> Result<String> {
        let ends = self.ends(events)?;
        ensure!(restarts > 0, "{} was never started again", self.lives_of);
        ensure!(
            ends.len() == restarts + 1,
            "{} was taken from its guest {} times; {} had {} lives",
            self.device,
            ends.len(),
            self.lives_of,
            restarts + 1
        );
        for (number, end) in ends.iter().take(restarts).enumerate() {
            let End { completed, in_flight } = *end;
            ensure!(in_flight > 0, "{} had nothing in flight at the end of life {number}", self.device);
            ensure!(completed > 0, "{} had done nothing by the end of life {number}", self.device);
        }
        let told = ends
            .iter()
            .take(restarts)
            .map(|end| format!("{} beside {}", end.in_flight, end.completed))
            .collect::<Vec<_>>();
        Ok(format!(
            "{} had requests in flight at the end of each of {restarts} lives: {} done",
            self.device,
            told.join(", ")
        ))
    }

    /// The ends of lives: whenever the device had mastered memory and may no more.
    fn ends(&self, events: &str) -> Result<Vec<End>> {
        let mut ends = Vec::new();
        let mut flying: BTreeSet<&str> = BTreeSet::new();
        let (mut command, mut completed) = (0, 0);
        for line in events.lines() {
            match Event::read(line, &self.device) {
                Event::Taken(request) => {
                    ensure!(flying.insert(request), "QEMU took the request {request} twice");
                }
                // Not all are reads and writes: a driver also asks for the serial number.
                Event::Completed(request) => {
                    completed += u64::from(flying.remove(request) && command & MASTER != 0);
                }
                Event::Command(new) => {
                    if command & MASTER != 0 && new & MASTER == 0 {
                        ends.push(End { completed, in_flight: flying.len() });
                        completed = 0;
                    }
                    if command & MEMORY == 0 && new & MEMORY != 0 && !flying.is_empty() {
                        bail!("{} was handed out again with {} requests of the life before", self.device, flying.len());
                    }
                    command = new;
                }
                Event::Other => {}
            }
        }
        Ok(ends)
    }
}

/// What a line of the log says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Event<'a> {
    /// The disk has this request to read or to write.
    Taken(&'a str),
    /// It has done this one.
    Completed(&'a str),
    /// The device's command register is written.
    Command(u64),
    Other,
}

impl<'a> Event<'a> {
    fn read(line: &'a str, device: &str) -> Self {
        let request = |rest: &'a str| {
            let mut words = rest.split(' ').skip_while(|word| *word != "req");
            words.nth(1)
        };
        let event = match line.split_once(' ') {
            Some(("virtio_blk_handle_read" | "virtio_blk_handle_write", rest)) => request(rest).map(Event::Taken),
            Some(("virtio_blk_req_complete", rest)) => request(rest).map(Event::Completed),
            Some(("pci_cfg_write", rest)) => rest.strip_prefix(device).and_then(command).map(Event::Command),
            _ => None,
        };
        event.unwrap_or(Event::Other)
    }
}

/// The value in ` @REGISTER <- VALUE`, when the register is the command.
fn command(text: &str) -> Option<u64> {
    let number = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let (register, value) = text.strip_prefix(" @")?.split_once(" <- ")?;
    (number(register)? == COMMAND).then(|| number(value))?
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: &str =
        "pci_cfg_write virtio-blk-pci 01:00.0 @0x4 <- 0x402\npci_cfg_write virtio-blk-pci 01:00.0 @0x4 <- 0x6\n";
    const OFF: &str = "pci_cfg_write virtio-blk-pci 01:00.0 @0x4 <- 0x400\n";

    fn taken(request: u32) -> String {
        format!("virtio_blk_handle_read vdev 0x1 req {request:#x} sector 0 nsectors 8\n")
    }

    fn written(request: u32) -> String {
        format!("virtio_blk_handle_write vdev 0x1 req {request:#x} sector 0 nsectors 8\n")
    }

    fn completed(request: u32) -> String {
        format!("virtio_blk_req_complete vdev 0x1 req {request:#x} status 0\n")
    }

    /// A life that did a read and ends with a write in flight, which is gone before the next begins.
    fn life() -> String {
        [ON, &taken(1), &completed(1), &written(2), OFF, &completed(2)].concat()
    }

    fn judge(restarts: usize, events: &str) -> Result<String, String> {
        let flight = Flight { device: "virtio-blk-pci 01:00.0".into(), lives_of: "guest0".into() };
        flight.judge(restarts, events).map_err(|error| error.to_string())
    }

    #[test]
    fn lives_that_end_with_requests_in_flight_are_told() {
        let said = judge(2, &[life(), life(), ON.into(), OFF.into()].concat()).unwrap();
        assert!(said.ends_with("2 lives: 1 beside 1, 1 beside 1 done"), "{said}");
    }

    #[test]
    fn every_life_but_the_last_has_to_end_so() {
        let quiet = [ON, &taken(1), &completed(1), OFF].concat();
        let idle = [ON, &taken(1), OFF, &completed(1)].concat();
        let last = [ON, OFF].concat();
        assert!(
            judge(2, &[life(), quiet, last.clone()].concat())
                .unwrap_err()
                .contains("nothing in flight at the end of life 1")
        );
        assert!(judge(1, &[idle, last.clone()].concat()).unwrap_err().contains("done nothing"));
        assert!(judge(2, &[life(), last.clone()].concat()).unwrap_err().contains("2 times; guest0 had 3 lives"));
        assert!(judge(1, "").unwrap_err().contains("0 times"), "no log shows nothing");
        assert!(judge(0, &last).unwrap_err().contains("never started again"));
    }

    #[test]
    fn a_request_that_is_left_is_noticed() {
        let left = [ON, &taken(1), &completed(1), &taken(2), OFF, ON, &completed(2), OFF].concat();
        assert!(judge(1, &left).unwrap_err().contains("with 1 requests of the life before"));
    }

    #[test]
    fn only_the_devices_own_command_register_counts() {
        let flight = Flight { device: "virtio-blk-pci 01:00.0".into(), lives_of: String::new() };
        let read = |line| Event::read(line, &flight.device);
        assert_eq!(read("pci_cfg_write virtio-blk-pci 01:00.0 @0x4 <- 0x402"), Event::Command(0x402));
        for other in [
            "pci_cfg_write virtio-blk-pci 01:00.0 @0x48 <- 0x8000",
            "pci_cfg_write virtio-blk-pci 02:00.0 @0x4 <- 0x402",
            "pci_cfg_write nvme 00:01.0 @0x4 <- 0x400",
            "pci_cfg_write virtio-blk-pci 01:00.0 @0x4 <- ",
            "virtio_blk_req_complete",
            "virtio_blk_req_complete vdev 0x1 req",
            "",
        ] {
            assert_eq!(read(other), Event::Other, "{other}");
        }
    }
}
