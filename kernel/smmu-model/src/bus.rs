//! The model as the driver's bus.

use sluice_abi::PhysAddr;
use sluice_paging::TableMemory;
use sluice_smmu::Bus;

use crate::Model;

impl TableMemory for Model {
    fn load(&self, at: PhysAddr) -> u64 {
        assert!(at.is_aligned(3));
        self.memory.borrow().word(at.0)
    }

    fn store(&self, at: PhysAddr, value: u64) {
        assert!(at.is_aligned(3));
        self.memory.borrow_mut().store(at.0, value);
        self.changed();
    }
}

impl Bus for Model {
    fn read32(&self, at: PhysAddr) -> u32 {
        self.state.borrow().registers.read32(at.0 - self.base.0)
    }

    fn write32(&self, at: PhysAddr, value: u32) {
        self.register_write32(at.0 - self.base.0, value);
        self.changed();
    }

    fn read64(&self, at: PhysAddr) -> u64 {
        self.state.borrow().registers.read64(at.0 - self.base.0)
    }

    fn write64(&self, at: PhysAddr, value: u64) {
        self.register_write64(at.0 - self.base.0, value);
        self.changed();
    }

    fn barrier(&self) {}

    fn clean(&self, _at: PhysAddr, _bytes: u64) {}
}
