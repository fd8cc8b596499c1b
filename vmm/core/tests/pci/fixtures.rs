//! Functions as QEMU has them.

use sluice_vmm::pci::{Function, PciHost};

/// The start of a function's configuration space, and its memory BARs with their sizes.
pub(crate) struct Fixture {
    pub(crate) config: Vec<u8>,
    pub(crate) bars: Vec<(u8, u64)>,
}

impl Fixture {
    /// The function called `name` in the list beside this file.
    pub(crate) fn named(name: &str) -> Self {
        let mut lines = include_str!("functions.txt").lines();
        let head = lines.find(|line| line.split(' ').next() == Some(name)).expect("a function of the list");
        let bar = |word: &str| {
            let (index, size) = word.split_once(":0x").expect("a BAR");
            (index.parse().expect("a number"), u64::from_str_radix(size, 16).expect("a size"))
        };
        let digits = lines.take_while(|line| line.len() == 64).flat_map(|line| line.as_bytes().chunks(2));
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("digits"), 16).expect("digits");
        let mut config: Vec<u8> = digits.map(byte).collect();
        config.resize(256, 0);
        Self { config, bars: head.split(' ').skip(1).map(bar).collect() }
    }

    pub(crate) fn function(&self, slot: u8) -> Function {
        Function::new(slot, &self.config, &self.bars, true).expect("a function")
    }
}

/// A host with these functions from slot 1 on, about to start.
pub(crate) fn host(names: &[&str]) -> PciHost {
    let functions = names.iter().zip(1..).map(|(name, slot)| Fixture::named(name).function(slot)).collect();
    let mut host = PciHost::new(functions).expect("a host");
    let _ = host.reset();
    host
}
