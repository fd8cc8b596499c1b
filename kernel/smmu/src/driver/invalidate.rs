//! Forgetting translations, and what happens when the SMMU does not.

use super::{Mode, Smmu};
use crate::command::Tag;
use crate::command_queue::Stop;
use crate::{Bus, Command, CommandError, Failure, Stage1Command};

/// Plain invalidations that are still better than dropping the whole context, for SMMUs without ranges.
const MAX_SINGLE_INVALIDATIONS: u64 = 32;
/// log2 of the smallest page.
const PAGE_BITS: u32 = sluice_abi::PAGE_BITS;

impl Smmu {
    /// Forgets everything cached under a context's tag, both stages, and waits.
    ///
    /// # Errors
    /// The SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn invalidate_context(&self, bus: &impl Bus, vmid: u16) -> Result<(), Failure> {
        self.queue_invalidate_context(bus, vmid)?;
        self.sync(bus)
    }

    /// Forgets what stage 2 of a context says of a range, and waits. Arguments as [`invalidate`](Self::invalidate).
    ///
    /// # Errors
    /// The SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn invalidate_range(
        &self,
        bus: &impl Bus,
        vmid: u16,
        ipa: u64,
        bytes: u64,
        leaf_bits: u32,
    ) -> Result<(), Failure> {
        self.invalidate(bus, vmid, ipa, bytes, leaf_bits)?;
        self.sync(bus)
    }

    /// Every context of the SMMU, and waits.
    ///
    /// # Errors
    /// The SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn invalidate_all(&self, bus: &impl Bus) -> Result<(), Failure> {
        self.issue(bus, Command::TlbiNsnhAll)?;
        self.sync(bus)
    }

    /// Queues [`invalidate_context`](Self::invalidate_context) without waiting; only [`sync`](Self::sync) completes it.
    ///
    /// # Errors
    /// The SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn queue_invalidate_context(&self, bus: &impl Bus, vmid: u16) -> Result<(), Failure> {
        self.issue(bus, Command::whole(self.tag(vmid)))
    }

    /// Queues forgetting stage 1 of a context and what combines it with stage 2. After stage 2 of a context with a stage 1
    /// has changed it is the last of three steps with a [`sync`](Self::sync) behind each, and
    /// [`queue_forget_descriptors`](Self::queue_forget_descriptors) the second: while an entry of stage 2 is cached, a
    /// fetched descriptor may bring it back, and while a descriptor is cached, a walk may.
    ///
    /// # Errors
    /// The SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn queue_invalidate_stage1(&self, bus: &impl Bus, vmid: u16) -> Result<(), Failure> {
        self.issue(bus, Command::TlbiNhAll { vmid })
    }

    /// Queues forgetting a stream's context descriptors, and with them where stage 2 had put what they point at.
    ///
    /// # Errors
    /// The SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn queue_forget_descriptors(&self, bus: &impl Bus, sid: u32) -> Result<(), Failure> {
        self.issue(bus, Command::CfgiCdAll { sid })
    }

    /// Queues forgetting the entries and context descriptors of all streams.
    ///
    /// # Errors
    /// The SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn queue_forget_configuration(&self, bus: &impl Bus) -> Result<(), Failure> {
        self.issue(bus, Command::CfgiAll)
    }

    /// Queues what a holder of context `vmid` wants forgotten; `streams` are those bound to it.
    ///
    /// # Errors
    /// The SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn queue_stage1(
        &self,
        bus: &impl Bus,
        command: Stage1Command,
        vmid: u16,
        mut streams: impl Iterator<Item = u32>,
    ) -> Result<(), Failure> {
        match command {
            Stage1Command::Translations(words) => self.issue(bus, Command::Holders { vmid, words }),
            Stage1Command::Descriptors(words) => {
                streams.try_for_each(|sid| self.issue(bus, Command::HoldersOf { sid, words }))
            }
        }
    }

    const fn tag(&self, number: u16) -> Tag {
        if self.features.stage2 { Tag::Vmid(number) } else { Tag::Asid(number) }
    }

    /// Queues the invalidation of `bytes` at `ipa` that were mapped by leaves of 2^`leaf_bits` bytes (table
    /// descriptors over the range included), without waiting; only [`sync`](Self::sync) completes it.
    ///
    /// Does not reach entries that combine stage 1 with stage 2: a context with a stage 1 needs
    /// [`queue_invalidate_context`](Self::queue_invalidate_context) (4.4.3, TLBI_S2_IPA).
    ///
    /// # Errors
    /// The SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn invalidate(&self, bus: &impl Bus, vmid: u16, ipa: u64, bytes: u64, leaf_bits: u32) -> Result<(), Failure> {
        if bytes == 0 {
            return Ok(());
        }
        let first = ipa >> PAGE_BITS;
        let last = ipa.saturating_add(bytes - 1) >> PAGE_BITS;
        let pages = last - first + 1;
        let leaf_shift = leaf_bits.saturating_sub(PAGE_BITS).min(u64::BITS - 1);
        let leaves = (first >> leaf_shift)..=(last >> leaf_shift);
        let tag = self.tag(vmid);
        if leaves.start() == leaves.end() {
            // Any address of a leaf will do.
            self.issue(bus, Command::address(tag, ipa))
        } else if self.features.range_invalidation {
            let (mut at, mut left) = (first << PAGE_BITS, pages);
            while left > 0 {
                let (command, covered) = Command::part(tag, at, left);
                self.issue(bus, command)?;
                at += covered << PAGE_BITS;
                left -= covered;
            }
            Ok(())
        } else if leaves.end() - leaves.start() < MAX_SINGLE_INVALIDATIONS {
            for leaf in leaves {
                self.issue(bus, Command::address(tag, leaf << (leaf_shift + PAGE_BITS)))?;
            }
            Ok(())
        } else {
            self.queue_invalidate_context(bus, vmid)
        }
    }

    /// Waits until everything queued has taken effect: when it returns, no transaction uses what was invalidated.
    ///
    /// While the SMMU is down there is nothing to wait for: it translates nothing, and enabling it forgets everything.
    ///
    /// # Errors
    /// The SMMU was taken down to abort, or is [`Failure::Uncontrollable`].
    pub fn sync(&self, bus: &impl Bus) -> Result<(), Failure> {
        self.issue(bus, Command::Sync)?;
        match self.mode.get() {
            Mode::Enabled => self.commands.drain(bus).or_else(|stop| self.recover(bus, stop)),
            Mode::Untouched | Mode::Aborting | Mode::Bypassed => Ok(()),
        }
    }

    pub(super) fn issue(&self, bus: &impl Bus, command: Command) -> Result<(), Failure> {
        match self.mode.get() {
            Mode::Enabled => {
                self.commands.make_room(bus).or_else(|stop| self.recover(bus, stop))?;
                self.commands.push(bus, command);
                Ok(())
            }
            Mode::Untouched | Mode::Aborting | Mode::Bypassed => Ok(()),
        }
    }

    /// Steps over rejected commands, then does their work with the broadest commands there are: what a rejected one
    /// would have invalidated must not stay. An SMMU that rejects those as well is taken down.
    fn recover(&self, bus: &impl Bus, stop: Stop) -> Result<(), Failure> {
        let mut pending = Err(stop);
        // Each round replaces one entry, so a full queue of rejected commands ends.
        for _ in 0..=1u32 << self.needs.command_bits {
            match pending {
                Ok(()) => return self.forget_all(bus),
                Err(Stop::Timeout) => return Err(self.shut(bus, Failure::SyncTimeout)),
                Err(Stop::Rejected(rejected)) => {
                    self.rejected.set(Some(rejected));
                    match rejected.error {
                        CommandError::Illegal => self.commands.step_over(bus, rejected),
                        // Replacing the command does not help when entries cannot be fetched, and no other error has
                        // a cause among the commands issued here.
                        CommandError::Fetch | CommandError::DeviceInvalidation | CommandError::Reserved(_) => {
                            return Err(self.shut(bus, Failure::Rejected(rejected)));
                        }
                    }
                }
            }
            pending = self.commands.drain(bus);
        }
        Err(self.shut(bus, Failure::SyncTimeout))
    }

    fn forget_all(&self, bus: &impl Bus) -> Result<(), Failure> {
        for command in [Command::CfgiAll, Command::TlbiNsnhAll, Command::Sync] {
            self.commands.push(bus, command);
            if let Err(stop) = self.commands.drain(bus) {
                return Err(self.shut(
                    bus,
                    match stop {
                        Stop::Timeout => Failure::SyncTimeout,
                        Stop::Rejected(rejected) => Failure::Rejected(rejected),
                    },
                ));
            }
        }
        Ok(())
    }
}
