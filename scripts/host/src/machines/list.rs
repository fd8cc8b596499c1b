//! The list of machines: `scripts/host/machines.toml`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::platform::Qemu;
use crate::transcript::Line;

/// The list.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machines {
    /// Its entries.
    #[serde(rename = "machine")]
    pub entries: Vec<Entry>,
}

/// A system and the machines it is booted on: every core with every size of memory.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The system.
    pub system: String,
    /// Cores, as `-cpu` names them.
    pub cpu: Vec<String>,
    /// Sizes of memory in `M` or `G`.
    pub memory: Vec<String>,
    /// Whether there is an SMMU.
    #[serde(default = "yes")]
    pub smmu: bool,
    /// Whether there is an EL3 and nothing on it: the image is put into memory, and entered there.
    #[serde(default)]
    pub bare: bool,
    /// How much of the memory is in the first of two nodes.
    pub first_node: Option<String>,
    /// More arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// How lines begin that must be printed too.
    #[serde(default)]
    pub prints: Vec<String>,
    /// How the one line begins that says why this boot must stop.
    pub says: Option<String>,
    /// Devices, as `COMPONENT.DEVICE`, whose DMA does not come to the SMMU although the device tree says so: they must be
    /// quarantined, and their components left out.
    #[serde(default)]
    pub past_smmu: Vec<String>,
}

const fn yes() -> bool {
    true
}

/// The end of a machine's type that puts an SMMU before its PCIe host.
const SMMU: &str = ",iommu=smmuv3";

/// The end of a machine's type that gives its cores an EL3, in which they start when no kernel is loaded.
const EL3: &str = ",secure=on";

/// The end of a machine's type whose PCI functions reach memory past the SMMU. It does not say so in a device tree that it is
/// given.
const PAST: &str = ",default_bus_bypass_iommu=on";

/// One machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine<'a> {
    /// The entry it is of.
    pub entry: &'a Entry,
    cpu: &'a str,
    memory: &'a str,
}

impl Machines {
    /// The list in `text`.
    ///
    /// # Errors
    /// When it is no such list, a machine is there twice, a size is none, or a line that should stop a boot does not.
    pub fn read(text: &str) -> Result<Self> {
        let list: Self = toml::from_str(text)?;
        let mut names = BTreeSet::new();
        for machine in list.machines() {
            let name = machine.name();
            machine.sizes().with_context(|| name.clone())?;
            if let Some(says) = &machine.entry.says {
                ensure!(matches!(Line::read(says), Line::Stop(_)), "{name}: `{says}` stops no boot");
            }
            ensure!(names.insert(name.clone()), "{name} is listed twice");
        }
        ensure!(!names.is_empty(), "no machine is listed");
        Ok(list)
    }

    /// Every machine.
    pub fn machines(&self) -> impl Iterator<Item = Machine<'_>> {
        self.entries.iter().flat_map(|entry| {
            entry.cpu.iter().flat_map(move |cpu| entry.memory.iter().map(move |memory| Machine { entry, cpu, memory }))
        })
    }

    /// Every system that is booted, once.
    #[must_use]
    pub fn systems(&self) -> BTreeSet<&str> {
        self.entries.iter().map(|entry| entry.system.as_str()).collect()
    }
}

impl Machine<'_> {
    /// What tells it from the others.
    #[must_use]
    pub fn name(&self) -> String {
        let Self { entry, cpu, memory } = self;
        let nodes = entry.first_node.as_ref().map_or_else(String::new, |first| format!(" from {first}"));
        let smmu = if entry.smmu { "" } else { " no SMMU" };
        let bare = if entry.bare { " at EL3" } else { "" };
        let past = if entry.past_smmu.is_empty() { "" } else { " past the SMMU" };
        let more = entry.arguments.join(" ");
        format!("{} on {cpu} {memory}{nodes}{smmu}{past}{bare} {more}", entry.system).trim_end().to_owned()
    }

    /// MiB in each memory node.
    fn sizes(&self) -> Result<Vec<u64>> {
        let all = mebibytes(self.memory)?;
        let Some(first) = &self.entry.first_node else { return Ok(vec![all]) };
        let first = mebibytes(first)?;
        ensure!(0 < first && first < all, "there is nothing for the second node");
        Ok(vec![first, all - first])
    }

    /// The machine, as a change to the platform's, whose device tree is in the file `tree`.
    ///
    /// # Errors
    /// When the platform has no SMMU to be left out.
    pub fn qemu(&self, platform: &Qemu, tree: &Path) -> Result<Qemu> {
        let without = platform.machine.replace(SMMU, "");
        ensure!(without != platform.machine, "`{}` has no {SMMU}", platform.machine);
        let mut arguments = platform.arguments.clone();
        let sizes = self.sizes()?;
        if sizes.len() > 1 {
            for (node, size) in sizes.iter().enumerate() {
                let memory = format!("memory-backend-ram,id=node{node},size={size}M");
                let node = format!("node,memdev=node{node}");
                arguments.extend(["-object", &memory, "-numa", &node].map(str::to_owned));
            }
        }
        arguments.extend(self.entry.arguments.iter().cloned());
        let mut machine = if self.entry.smmu { platform.machine.clone() } else { without };
        if !self.entry.past_smmu.is_empty() {
            machine += PAST;
            arguments.extend(["-dtb".to_owned(), tree.display().to_string()]);
        }
        Ok(Qemu {
            machine: if self.entry.bare { machine + EL3 } else { machine },
            cpu: self.cpu.to_owned(),
            memory: self.memory.to_owned(),
            arguments,
            ..platform.clone()
        })
    }

    /// What of `lines` is not what this machine has the kernel print.
    ///
    /// # Errors
    /// When its size is none.
    pub fn problems(&self, lines: &[String]) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        let has = |end: &str| lines.iter().any(|line| line.starts_with("kernel  | ") && line.ends_with(end));
        let memory = format!(", {} MiB of memory", self.sizes()?.iter().sum::<u64>());
        if !has(&memory) {
            problems.push(format!("the kernel did not find{}", &memory[1..]));
        }
        let found = lines.iter().any(|line| line.starts_with("kernel  | SMMU 0: "));
        if found != self.entry.smmu {
            problems.push(format!("the kernel found {} SMMU", if found { "an" } else { "no" }));
        }
        if lines.iter().any(|line| line.starts_with("kernel  | entered at EL3; ")) != self.entry.bare {
            problems.push("the kernel was entered at another exception level".to_owned());
        }
        for wanted in &self.entry.prints {
            if !lines.iter().any(|line| line.starts_with(wanted)) {
                problems.push(format!("it does not say: {wanted}"));
            }
        }
        Ok(problems)
    }
}

fn mebibytes(size: &str) -> Result<u64> {
    let (number, factor) = match size.strip_suffix('G') {
        Some(number) => (number, 1024),
        None => (size.strip_suffix('M').unwrap_or(size), 1),
    };
    let number: u64 = number.parse().with_context(|| format!("`{size}` is no size in M or G"))?;
    Ok(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "[[machine]]\nsystem = \"s\"\ncpu = [\"a\", \"b\"]\nmemory = [\"512M\", \"2G\"]\n";

    fn platform() -> Qemu {
        Qemu {
            program: "q".to_owned(),
            at_least: "10.0".to_owned(),
            machine: "virt,iommu=smmuv3".to_owned(),
            cpu: "c".to_owned(),
            memory: "1G".to_owned(),
            arguments: vec!["-x".to_owned()],
        }
    }

    #[test]
    fn every_core_has_every_size() {
        let list = Machines::read(ENTRY).unwrap();
        let names: Vec<_> = list.machines().map(|machine| machine.name()).collect();
        assert_eq!(names, ["s on a 512M", "s on a 2G", "s on b 512M", "s on b 2G"]);
        let last = list.machines().last().unwrap().qemu(&platform(), Path::new("t")).unwrap();
        assert_eq!(last, Qemu { cpu: "b".to_owned(), memory: "2G".to_owned(), ..platform() });
    }

    #[test]
    fn nodes_and_a_missing_smmu_are_in_name_and_command() {
        let list =
            Machines::read(&format!("{ENTRY}first_node = \"256M\"\nsmmu = false\narguments = [\"-y\"]")).unwrap();
        let machine = list.machines().nth(1).unwrap();
        assert_eq!(machine.name(), "s on a 2G from 256M no SMMU -y");
        let qemu = machine.qemu(&platform(), Path::new("t")).unwrap();
        let wanted = "-x -object memory-backend-ram,id=node0,size=256M -numa node,memdev=node0 \
                      -object memory-backend-ram,id=node1,size=1792M -numa node,memdev=node1 -y";
        assert_eq!((qemu.machine.as_str(), qemu.arguments.join(" ").as_str()), ("virt", wanted));
    }

    #[test]
    fn devices_past_the_smmu_come_with_a_tree_that_does_not_say_so() {
        let list = Machines::read(&format!("{ENTRY}past_smmu = [\"a.b\"]")).unwrap();
        let machine = list.machines().next().unwrap();
        assert_eq!(machine.name(), "s on a 512M past the SMMU");
        let qemu = machine.qemu(&platform(), Path::new("t")).unwrap();
        assert_eq!(qemu.machine, "virt,iommu=smmuv3,default_bus_bypass_iommu=on");
        assert_eq!(qemu.arguments, ["-x", "-dtb", "t"]);
    }

    #[test]
    fn a_bare_machine_has_an_el3_and_the_kernel_came_from_there() {
        let list = Machines::read(&format!("{ENTRY}bare = true")).unwrap();
        let machine = list.machines().next().unwrap();
        assert_eq!(machine.name(), "s on a 512M at EL3");
        assert_eq!(machine.qemu(&platform(), Path::new("t")).unwrap().machine, "virt,iommu=smmuv3,secure=on");
        let lines = ["kernel  | x at 0x0, 512 MiB of memory", "kernel  | SMMU 0: x"].map(str::to_owned);
        assert_eq!(machine.problems(&lines).unwrap(), ["the kernel was entered at another exception level"]);
    }

    #[test]
    fn what_the_kernel_says_of_its_machine_is_compared() {
        let list = Machines::read(&format!("{ENTRY}prints = [\"edu     | CHECK pass a\"]")).unwrap();
        let machine = list.machines().nth(1).unwrap();
        let problems = |lines: [&str; 3]| machine.problems(&lines.map(str::to_owned)).unwrap();
        let good = ["kernel  | x at 0x0, 2048 MiB of memory", "kernel  | SMMU 0: x", "edu     | CHECK pass a: b"];
        assert_eq!(problems(good), [""; 0]);
        assert_eq!(problems(["edu     | x, 2048 MiB of memory", good[1], good[2]]).len(), 1, "another says so");
        assert_eq!(problems(["kernel  | x, 12048 MiB of memory", good[1], good[2]]).len(), 1);
        assert_eq!(problems([good[0], "", good[2]]), ["the kernel found no SMMU"]);
        assert_eq!(problems([good[0], good[1], ""]), ["it does not say: edu     | CHECK pass a"]);
    }

    #[test]
    fn what_is_no_machine_is_refused() {
        let error = |text: &str| format!("{:#}", Machines::read(text).unwrap_err());
        assert!(error(&format!("{ENTRY}{ENTRY}")).contains("listed twice"));
        assert!(error(&ENTRY.replace("512M", "512K")).contains("no size"));
        assert!(error(&format!("{ENTRY}first_node = \"1G\"")).contains("nothing for the second"));
        assert!(error(&format!("{ENTRY}says = \"edu     | STOP: x\"")).contains("stops no boot"));
        assert!(error(&format!("{ENTRY}speed = 1")).contains("unknown field"));
    }
}
