//! What `DebugCensus` counts: each thing by itself, and back again.

use sluice_abi::bootinfo::slot::{INIT_ASID_POOL, IRQ_CONTROL};

use super::*;

/// ASID pools, ASIDs, contexts, interrupts, capabilities, unused bytes.
type Counts = [i64; 6];

impl System {
    fn census(&mut self) -> Counts {
        self.syscall(Syscall::DebugCensus, 0, 0, &[], &[]);
        let registers = &self.kernel.tcb(self.root).context.x;
        core::array::from_fn(|index| registers[index].get() as i64)
    }

    /// How many more there are after an act.
    #[track_caller]
    fn more(&mut self, difference: Counts, act: impl FnOnce(&mut Self)) {
        let before = self.census();
        act(self);
        let after = self.census();
        assert_eq!(core::array::from_fn(|index| after[index] - before[index]), difference);
    }
}

#[test]
fn each_thing_is_counted_and_counted_off_again() {
    const PAGE: i64 = 0x1000;
    let mut system = System::with_smmu();
    // Whatever follows begins at a page.
    system.make(ObjectType::SmallPage, 0);
    assert!(system.census().iter().all(|count| *count >= 0));

    let (mut context, mut interrupt, mut vspace) = (0, 0, 0);
    system.more([0, 0, 1, 0, 1, 0], |system| {
        context = system.next_slot;
        assert_eq!(system.get_cb(3), ok());
    });
    system.more([0, 0, 0, 1, 1, 0], |system| {
        interrupt = system.free_slot();
        system.done(IRQ_CONTROL, Label::IrqControlGet, &[INIT_CNODE], &[75, interrupt, DEPTH]);
    });
    system.more([0, 0, 0, 0, 1, -PAGE], |system| vspace = system.make(ObjectType::VSpace, 0));
    system.more([0, 1, 0, 0, 0, 0], |system| system.done(INIT_ASID_POOL, Label::AsidPoolAssign, &[vspace], &[]));
    // What one Untyped has of another is unused until something is made of it.
    let mut memory = 0;
    system.more([0, 0, 0, 0, 1, 0], |system| memory = system.make(ObjectType::Untyped, 12));
    system.more([1, 0, 0, 0, 1, -PAGE], |system| {
        let pool = system.free_slot();
        system.done(ASID_CONTROL, Label::AsidControlMakePool, &[memory, INIT_CNODE], &[pool, DEPTH]);
    });

    system.more([-1, 0, 0, 0, -1, 0], |system| assert_eq!(system.revoke(memory), ok()));
    system.more([0, -1, 0, 0, -1, 0], |system| assert_eq!(system.delete(vspace), ok()));
    system.more([0, 0, 0, -1, -1, 0], |system| assert_eq!(system.delete(interrupt), ok()));
    system.more([0, 0, -1, 0, -1, 0], |system| assert_eq!(system.delete(context), ok()));
}
