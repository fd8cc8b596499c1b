//! SMMUs that err, and taking them down and up.

use sluice_abi::smmu::SmmuState;
use sluice_smmu::{Failure, GlobalErrors, Mode, Rejected, Smmu};

use crate::Kernel;
use crate::hal::Hal;

/// What `SIDControl_GetFault` tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SmmuFault {
    pub(crate) errors: GlobalErrors,
    /// How often records were lost since that was acknowledged.
    pub(crate) losses: u64,
    pub(crate) state: SmmuState,
}

impl<H: Hal> Kernel<H> {
    /// A driver that lost its SMMU has made it abort everything; one that could not do even that ends the kernel.
    pub(super) fn settle(&self, result: Result<(), Failure>) {
        if let Err(failure) = result
            && matches!(failure, Failure::Uncontrollable)
        {
            self.hal.halt("SMMU acknowledges neither a sync nor being disabled");
        }
    }

    /// Notes the global errors of an SMMU, for whoever asks with `SIDControl_GetFault`.
    pub(super) fn collect_errors(&mut self, smmu: u8) {
        if let Some(unit) = self.smmus.unit(smmu) {
            self.settle(unit.driver.service_errors(&self.hal));
        }
        if let Some(unit) = self.smmus.unit_mut(smmu) {
            let losses = unit.driver.take_losses();
            unit.losses += losses;
            unit.unclaimed.add_dropped(losses);
        }
    }

    pub(crate) fn smmu_fault(&mut self, smmu: u8) -> Option<SmmuFault> {
        self.collect_errors(smmu);
        let unit = self.smmus.unit(smmu)?;
        let state = match unit.driver.mode() {
            Mode::Enabled => SmmuState::Translating,
            Mode::Untouched | Mode::Aborting => SmmuState::Aborting,
            Mode::Bypassed => SmmuState::Bypassed,
        };
        Some(SmmuFault { errors: unit.driver.global_errors(&self.hal), losses: unit.losses, state })
    }

    pub(crate) fn clear_smmu_fault(&mut self, smmu: u8) {
        if let Some(unit) = self.smmus.unit(smmu) {
            unit.driver.acknowledge(&self.hal, unit.driver.global_errors(&self.hal));
            // What was rejected has been reported; the queue has gone on without it.
            let _rejected = unit.driver.take_rejected();
        }
        if let Some(unit) = self.smmus.unit_mut(smmu) {
            unit.losses = 0;
        }
    }

    /// The command an SMMU rejected last, which is then forgotten. The queue has not waited for that.
    pub(crate) fn take_rejected(&self, smmu: u8) -> Option<Rejected> {
        self.smmus.unit(smmu)?.driver.take_rejected()
    }

    /// The driver of an SMMU, for checks.
    pub fn smmu_driver(&self, smmu: u8) -> Option<&Smmu> {
        self.smmus.unit(smmu).map(|unit| &unit.driver)
    }

    /// Takes an SMMU down: every stream of it aborts, and what was recorded so far is collected.
    pub(crate) fn disable_smmu(&mut self, smmu: u8) {
        self.collect_events(smmu);
        if let Some(unit) = self.smmus.unit(smmu) {
            self.settle(unit.driver.disable(&self.hal));
        }
        self.collect_errors(smmu);
    }

    /// Brings an SMMU up, with every stream as its entry says; whether it came up.
    pub(crate) fn enable_smmu(&mut self, smmu: u8) -> bool {
        let Some(unit) = self.smmus.unit(smmu) else { return false };
        let result = unit.driver.enable(&self.hal);
        let up = result.is_ok();
        self.settle(result);
        up
    }
}
