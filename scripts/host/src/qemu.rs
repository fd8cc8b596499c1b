//! The QEMU command line of a system: the platform's machine, the system's devices, the image.
//!
//! `systems/NAME.qemu` lists one argument a line, `#` comments aside, with `${NAME}` where a file comes in that the scripts
//! make or the user chooses.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::platform::Qemu;

/// The files that placeholders stand for, by name.
pub type Files = BTreeMap<String, PathBuf>;

/// The names of the placeholders in the text of a `.qemu` file.
///
/// # Errors
/// When a placeholder has no end.
pub fn placeholders(text: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for line in lines(text) {
        split(line, &mut |piece| {
            if let Piece::Placeholder(name) = piece
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
            Ok(())
        })?;
    }
    Ok(names)
}

/// The arguments in the text of a `.qemu` file.
///
/// # Errors
/// When a placeholder has no end, stands for nothing, or stands for a path that is no text.
pub fn arguments(text: &str, files: &Files) -> Result<Vec<String>> {
    lines(text).map(|line| expand(line, files).with_context(|| format!("in `{line}`"))).collect()
}

/// Who is at the machine's serial port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Serial {
    /// A program, through pipes.
    Program,
    /// A person, at the terminal this runs in: QEMU sets it to raw mode, and Ctrl-A x ends the machine.
    Terminal,
}

/// The whole command line of a machine that a program watches.
#[must_use]
pub fn command(qemu: &Qemu, image: &Path, devices: &[String], boot_arguments: Option<&str>) -> Command {
    command_at(Serial::Program, qemu, image, devices, boot_arguments)
}

/// The whole command line.
#[must_use]
pub fn command_at(
    serial: Serial,
    qemu: &Qemu,
    image: &Path,
    devices: &[String],
    boot_arguments: Option<&str>,
) -> Command {
    let mut command = machine_command(serial, qemu, devices);
    command.args([OsString::from("-kernel"), image.into()]);
    if let Some(text) = boot_arguments {
        command.args(["-append", text]);
    }
    command
}

fn machine_command(serial: Serial, qemu: &Qemu, devices: &[String]) -> Command {
    let serial = match serial {
        Serial::Program => "stdio",
        Serial::Terminal => "mon:stdio",
    };
    let mut command = Command::new(&qemu.program);
    command
        .args(["-M", &qemu.machine, "-cpu", &qemu.cpu, "-m", &qemu.memory])
        .args(&qemu.arguments)
        .args(["-serial", serial])
        .args(devices);
    command
}

/// The whole command line of a machine that a program watches, with the image put into memory at `address` and every
/// core started there as it comes out of reset: no register is set, and the device tree is at the start of RAM.
///
/// At EL3 QEMU has no PSCI that would hold the other cores. One that nobody gives an address starts at 0, in a flash memory of
/// zeroes, and takes exceptions from there for ever; in the image it waits.
///
/// # Errors
/// When the number of cores is none.
pub fn bare_command(qemu: &Qemu, image: &Path, devices: &[String], address: u64) -> Result<Command> {
    let mut loader = OsString::from("loader,force-raw=on,cpu-num=0,");
    loader.push(format!("addr={address:#x},file="));
    // A comma inside an option's value is written twice.
    loader.push(image.to_string_lossy().replace(',', ",,"));
    let mut command = machine_command(Serial::Program, qemu, devices);
    command.args([OsString::from("-device"), loader]);
    for core in 1..cores(&qemu.arguments)? {
        command.args(["-device", &format!("loader,cpu-num={core},addr={address:#x}")]);
    }
    Ok(command)
}

/// How many cores a machine with these arguments has.
fn cores(arguments: &[String]) -> Result<u32> {
    let Some(place) = arguments.iter().rposition(|argument| argument == "-smp") else { return Ok(1) };
    let value = arguments.get(place + 1).map_or("", String::as_str);
    value.parse().with_context(|| format!("`-smp {value}` is no number of cores"))
}

/// Whether a program that calls itself `version_text` (`QEMU emulator version 10.0.2 (…)`) is at least `at_least`.
///
/// # Errors
/// When either is no version, or the program is too old.
pub fn require_version(version_text: &str, at_least: &str) -> Result<()> {
    let words = version_text.lines().next().unwrap_or_default().split_whitespace();
    let found = words.skip_while(|word| *word != "version").nth(1).context("QEMU does not tell its version")?;
    let wanted = version(at_least).with_context(|| format!("`{at_least}` is no version"))?;
    let have = version(found).with_context(|| format!("`{found}` is no version"))?;
    ensure!(have >= wanted, "QEMU {found} is too old: {at_least} or later is needed");
    Ok(())
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

enum Piece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

fn split<'a>(mut line: &'a str, take: &mut impl FnMut(Piece<'a>) -> Result<()>) -> Result<()> {
    while let Some((before, rest)) = line.split_once("${") {
        let Some((name, after)) = rest.split_once('}') else { bail!("`${{{rest}` has no end") };
        take(Piece::Text(before))?;
        take(Piece::Placeholder(name))?;
        line = after;
    }
    take(Piece::Text(line))
}

fn expand(line: &str, files: &Files) -> Result<String> {
    let mut argument = String::new();
    split(line, &mut |piece| {
        match piece {
            Piece::Text(text) => argument.push_str(text),
            Piece::Placeholder(name) => {
                let path = files.get(name).with_context(|| format!("nothing stands for ${{{name}}}"))?;
                let path = path.to_str().with_context(|| format!("{} is no text", path.display()))?;
                // A comma inside an option's value is written twice.
                argument.push_str(&path.replace(',', ",,"));
            }
        }
        Ok(())
    })?;
    Ok(argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        [("DISK", "/a,b.img"), ("SCRATCH", "/s.img")].map(|(name, path)| (name.to_owned(), PathBuf::from(path))).into()
    }

    #[test]
    fn one_argument_a_line_with_files_filled_in() {
        let text = "# disks\n-drive\n  if=none,file=${DISK},format=raw\n\n-x\n${SCRATCH}${SCRATCH}\n";
        assert_eq!(
            arguments(text, &files()).unwrap(),
            ["-drive", "if=none,file=/a,,b.img,format=raw", "-x", "/s.img/s.img"]
        );
        assert_eq!(placeholders(text).unwrap(), ["DISK", "SCRATCH"]);
    }

    #[test]
    fn a_person_has_the_monitor_too() {
        let qemu = Qemu {
            program: "qemu".into(),
            at_least: "10.0".into(),
            machine: "virt".into(),
            cpu: "x".into(),
            memory: "1G".into(),
            arguments: vec![],
        };
        let serial = |serial| {
            let command = command_at(serial, &qemu, Path::new("i.img"), &[], None);
            let arguments: Vec<String> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
            let at = arguments.iter().position(|word| word == "-serial").unwrap();
            arguments[at + 1].clone()
        };
        assert_eq!((serial(Serial::Program), serial(Serial::Terminal)), ("stdio".to_owned(), "mon:stdio".to_owned()));
    }

    #[test]
    fn an_unknown_or_unclosed_placeholder_is_named() {
        let message = |text| format!("{:#}", arguments(text, &files()).unwrap_err());
        assert_eq!(message("-x\na=${DISC}"), "in `a=${DISC}`: nothing stands for ${DISC}");
        assert_eq!(message("a=${DISK"), "in `a=${DISK`: `${DISK` has no end");
        assert!(placeholders("a=${DISK").is_err());
    }

    #[test]
    fn the_command_line_puts_the_machine_first() {
        let qemu = Qemu {
            program: "q".to_owned(),
            at_least: "10.0".to_owned(),
            machine: "virt".to_owned(),
            cpu: "c".to_owned(),
            memory: "1G".to_owned(),
            arguments: vec!["-nodefaults".to_owned()],
        };
        let command = command(&qemu, Path::new("k.img"), &["-device".to_owned(), "edu".to_owned()], Some("a b"));
        let shown: Vec<_> = command.get_args().map(|argument| argument.to_str().unwrap()).collect();
        assert_eq!(
            shown.join(" "),
            "-M virt -cpu c -m 1G -nodefaults -serial stdio -device edu -kernel k.img -append a b"
        );
        assert_eq!(shown.last(), Some(&"a b"));
    }

    #[test]
    fn a_bare_machine_has_its_image_in_memory_and_no_kernel() {
        let qemu = Qemu {
            program: "q".to_owned(),
            at_least: "10.0".to_owned(),
            machine: "virt".to_owned(),
            cpu: "c".to_owned(),
            memory: "1G".to_owned(),
            arguments: vec![],
        };
        let shown = |arguments: &[&str]| {
            let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            let qemu = Qemu { arguments, ..qemu.clone() };
            let command = bare_command(&qemu, Path::new("/a,b.img"), &[], 0x4020_0000)?;
            let shown: Vec<_> = command.get_args().map(|argument| argument.to_str().unwrap()).collect();
            anyhow::Ok(shown.join(" "))
        };
        let loader = "-device loader,force-raw=on,cpu-num=0,addr=0x40200000,file=/a,,b.img";
        assert_eq!(shown(&[]).unwrap(), format!("-M virt -cpu c -m 1G -serial stdio {loader}"));
        // No core is left to start where there is nothing.
        let others = "-device loader,cpu-num=1,addr=0x40200000 -device loader,cpu-num=2,addr=0x40200000";
        let wanted = format!("-M virt -cpu c -m 1G -smp 3 -serial stdio {loader} {others}");
        assert_eq!(shown(&["-smp", "3"]).unwrap(), wanted);
        assert!(shown(&["-smp", "cpus=2"]).is_err());
        assert!(shown(&["-smp"]).is_err());
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(require_version("QEMU emulator version 10.0.2 (Debian 1:10.0.2)", "10.0").is_ok());
        assert!(require_version("QEMU emulator version 11.1.0", "10.0").is_ok());
        assert!(require_version("QEMU emulator version 10.1.0", "10.2").is_err());
        let old = require_version("QEMU emulator version 7.2.17 (Debian)", "10.0").unwrap_err();
        assert_eq!(old.to_string(), "QEMU 7.2.17 is too old: 10.0 or later is needed");
        assert!(require_version("something else", "10.0").is_err());
    }
}
