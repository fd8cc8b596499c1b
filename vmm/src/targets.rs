//! Memory of others that a guest is to aim its devices at, in tests that look whether it stays as it is.
//!
//! Where things are in the machine confers nothing; a guest that is not told could guess it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sluice_abi::PAGE_SIZE;
use sluice_abi::smmu::{Record, event};
use sluice_canary::{CHANNEL, ShownDamage, Vault};
use sluice_rt::{Env, Memory, RtError, record};
use sluice_vmm::layout::RAM_BASE;

use crate::error::Error;
use crate::guest::Guest;

/// Arguments in which the root task names targets.
const MACHINE: [&str; 3] = ["kernel_canary", "smmu_base", "gic_base"];
/// What the VMM's own page is filled with.
const CANARY: u64 = 0x0dd0_5eed_fee1_900d;
/// A page where no guest and no machine has anything, within 40 bits.
const NOWHERE: u64 = 0x7f_ffff_e000;

/// A page, and which accesses of it stage 2 was seen to stop.
#[derive(Debug)]
struct Target {
    name: String,
    at: u64,
    read: bool,
    written: bool,
}

/// All targets; none where the tests ask for none.
#[derive(Debug)]
pub(crate) struct Targets {
    /// Where the guest's own memory ends.
    ram_end: u64,
    pages: Vec<Target>,
    /// Where the guest's memory is in the machine, when it is there in one piece.
    ram: Option<u64>,
    own: Option<Memory>,
    vault: Option<Vault>,
}

impl Targets {
    pub(crate) fn of(env: &Env, guest: &Guest<'_>) -> Result<Self, Error> {
        let ram_end = RAM_BASE + env.region(&env.guest()?.ram)?.len() as u64;
        let mut targets = Self { ram_end, pages: Vec::new(), ram: None, own: None, vault: None };
        let Some(untyped) = env.arg("targets") else { return Ok(targets) };
        for name in MACHINE {
            let digits = env.arg(name).and_then(|text| text.strip_prefix("0x"));
            let at = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
            // A release kernel has no canary: the check that is missing then says so.
            // Behind a virtual SMMU, the guest has that one's registers there.
            let own = name == "smmu_base" && env.guest()?.smmu.is_some();
            at.filter(|_| !own).into_iter().for_each(|at| targets.add(name, at));
        }
        if let Ok(endpoint) = env.channel_client(CHANNEL) {
            let vault = Vault(endpoint);
            targets.add("component", vault.whereabouts().map_err(|error| error.to_string())?.0);
            // Of another guest, where one has lent it to the keeper (`Guest::lend`).
            if let Some(at) = vault.adopted().map_err(|error| error.to_string())? {
                targets.add("guest", at.0);
            }
            targets.vault = Some(vault);
        }
        let (own, at) = guest.page_of_vmm(untyped)?;
        own.fill64(CANARY);
        targets.own = Some(own);
        targets.add("vmm", at.0);
        targets.add("nowhere", NOWHERE);
        targets.ram = whereabouts(env)?;
        Ok(targets)
    }

    fn add(&mut self, name: &str, at: u64) {
        self.pages.push(Target { name: name.replace('_', "-"), at, read: false, written: false });
    }

    /// What a guest is told, for its command line.
    ///
    /// Where its own memory has the same address that address leads there, and nothing is told: the check of the fault that
    /// does not come fails.
    pub(crate) fn words(&self) -> String {
        let foreign = self.pages.iter().filter(|page| !(RAM_BASE..self.ram_end).contains(&page.at));
        let pages: Vec<String> = foreign.map(|page| format!("{}={:#x}", page.name, page.at)).collect();
        let ram = self.ram.map(|at| format!(" sluice.ram={at:#x}")).unwrap_or_default();
        if pages.is_empty() { ram } else { format!(" sluice.targets={}{ram}", pages.join(",")) }
    }

    /// A fault record that is not the guest's affair.
    pub(crate) fn fault(&mut self, fault: &Record) {
        let stage2 = fault.event == event::F_TRANSLATION && fault.flags & Record::STAGE2 != 0;
        let page = |at: u64| at & !(PAGE_SIZE - 1);
        for target in self.pages.iter_mut().filter(|target| stage2 && page(target.at) == page(fault.ipa)) {
            let kind = if fault.flags & Record::READ != 0 { &mut target.read } else { &mut target.written };
            *kind = true;
        }
    }

    /// Records the outcome.
    pub(crate) fn conclude(&self) {
        for Target { name, at, read, written } in &self.pages {
            let detail = format!("{at:#x}: stage 2 stopped a read: {read}, a write: {written}");
            record(&format!("{name}-fault"), *read && *written, format_args!("{detail}"));
        }
        if let Some(own) = self.own {
            let damaged = (0..own.len()).step_by(8).filter(|at| own.read64(*at) != CANARY).count();
            record("vmm-intact", damaged == 0, format_args!("{damaged} words changed"));
        }
        if let Some(vault) = self.vault {
            match vault.check() {
                Ok(damage) => record("component-intact", damage.is_none(), format_args!("{}", ShownDamage(damage))),
                Err(error) => record("component-intact", false, format_args!("{error}")),
            };
        }
    }
}

/// Where the guest's memory is in the machine: a guest that knows can write tables as if nothing translated below them.
fn whereabouts(env: &Env) -> Result<Option<u64>, Error> {
    let (frames, size_bits) = env.region_frames(&env.guest()?.ram)?;
    let mut first = None;
    for (frame, index) in frames.zip(0u64..) {
        let at = frame.get_address().map_err(RtError::refused("find a frame"))?.0.wrapping_sub(index << size_bits);
        if *first.get_or_insert(at) != at {
            return Ok(None);
        }
    }
    Ok(first)
}
