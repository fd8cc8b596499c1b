//! The list of boots that must stop: `scripts/host/stops.toml`.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::damage::Damage;
use crate::device_tree::Edit;
use crate::platform::Qemu;
use crate::transcript::Line;

/// A boot that must stop, as a difference from one that runs.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// What is wrong.
    pub name: String,
    /// The system whose image is booted, instead of the list's.
    pub system: Option<String>,
    /// What is done to the image.
    pub image: Option<Damage>,
    /// The machine's type, instead of the platform's.
    pub machine: Option<String>,
    /// Its core, instead of the platform's.
    pub cpu: Option<String>,
    /// Its memory, instead of the platform's.
    pub memory: Option<String>,
    /// Its devices, instead of the list's.
    pub devices: Option<Vec<String>>,
    /// Changes to the device tree it is given.
    #[serde(default)]
    pub tree: Vec<Edit>,
    /// How the one line begins that says why.
    pub says: String,
    /// Whether the machine is switched off afterwards. A kernel that knows no firmware to call stands still.
    #[serde(default = "yes")]
    pub powers_off: bool,
}

const fn yes() -> bool {
    true
}

/// The list.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stops {
    /// The system whose image is booted.
    pub system: String,
    /// The devices it expects.
    pub devices: Vec<String>,
    /// The boots.
    #[serde(rename = "stop")]
    pub stops: Vec<Stop>,
}

impl Stops {
    /// The list in `text`.
    ///
    /// # Errors
    /// When it is no such list, a name is there twice, a boot differs in nothing, or its line is none that stops.
    pub fn read(text: &str) -> Result<Self> {
        let list: Self = toml::from_str(text)?;
        for (position, stop) in list.stops.iter().enumerate() {
            let again = list.stops[..position].iter().any(|other| other.name == stop.name);
            ensure!(!again, "{} is listed twice", stop.name);
            ensure!(stop.differs(), "{}: nothing differs from the boot that runs", stop.name);
            ensure!(matches!(Line::read(&stop.says), Line::Stop(_)), "{}: `{}` stops no boot", stop.name, stop.says);
        }
        Ok(list)
    }

    /// Every system that an entry boots, once.
    #[must_use]
    pub fn systems(&self) -> BTreeSet<&str> {
        let own = self.stops.iter().filter_map(|stop| stop.system.as_deref());
        own.chain([self.system.as_str()]).collect()
    }
}

impl Stop {
    fn differs(&self) -> bool {
        let machine = self.machine.is_some() || self.cpu.is_some() || self.memory.is_some() || self.devices.is_some();
        machine || self.image.is_some() || !self.tree.is_empty()
    }

    /// The machine of this boot.
    #[must_use]
    pub fn qemu(&self, platform: &Qemu) -> Qemu {
        let pick = |own: &Option<String>, other: &str| own.clone().unwrap_or_else(|| other.to_owned());
        Qemu {
            machine: pick(&self.machine, &platform.machine),
            cpu: pick(&self.cpu, &platform.cpu),
            memory: pick(&self.memory, &platform.memory),
            ..platform.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "system = \"s\"\ndevices = []\n";

    fn error(stops: &str) -> String {
        Stops::read(&format!("{HEAD}{stops}")).unwrap_err().to_string()
    }

    #[test]
    fn a_boot_is_a_difference_and_a_line() {
        let one = "[[stop]]\nname = \"a\"\nimage = { header = [1, 2] }\nsays = \"kernel  | STOP: x\"\n";
        let list = Stops::read(&format!("{HEAD}{one}")).unwrap();
        assert_eq!(list.stops[0].image, Some(Damage::Header(1, 2)));
        assert!(list.stops[0].powers_off);
        assert_eq!(list.systems(), ["s"].into());
        assert!(error(&format!("{one}{one}")).contains("listed twice"));
    }

    #[test]
    fn a_boot_that_cannot_stop_is_no_entry() {
        assert!(error("[[stop]]\nname = \"a\"\nsays = \"kernel  | STOP: x\"\n").contains("nothing differs"));
        assert!(error("[[stop]]\nname = \"a\"\ncpu = \"b\"\nsays = \"edu     | STOP: x\"\n").contains("stops no boot"));
        assert!(error("[[stop]]\nname = \"a\"\nspeed = 1\nsays = \"\"\n").contains("unknown field"));
    }

    #[test]
    fn what_is_not_named_is_the_platforms() {
        let one = "[[stop]]\nname = \"a\"\ncpu = \"small\"\nsays = \"kernel  | STOP: x\"\n";
        let list = Stops::read(&format!("{HEAD}{one}")).unwrap();
        let platform = Qemu {
            program: "q".to_owned(),
            at_least: "10.0".to_owned(),
            machine: "virt".to_owned(),
            cpu: "large".to_owned(),
            memory: "1G".to_owned(),
            arguments: vec!["-x".to_owned()],
        };
        assert_eq!(list.stops[0].qemu(&platform), Qemu { cpu: "small".to_owned(), ..platform });
    }
}
