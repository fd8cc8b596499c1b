//! The domain schedule: one slice, and an end.

use sluice_abi::Label;
use sluice_abi::bootinfo::slot;
use sluice_conformance_task::Refusal;

use super::{Entry, Topic};
use crate::target::call::Call;
use crate::target::world::{Outcome, World};

pub(crate) const TOPIC: Topic = Topic { name: "domain", checks: &[Entry::new("schedule", schedule)] };

fn schedule(world: &mut World) -> Outcome {
    const MOST: u64 = (1 << 56) - 1;
    let configure = Call::of(slot::DOMAIN, Label::DomainScheduleConfigure).words(&[0, 0, MOST]);
    world.refused("too few words", &configure.length(2), Refusal::Truncated);
    world.refused("the end", &configure.word(0, 1), Refusal::Range(0, 0));
    world.refused("a slice of domain 1", &configure.word(1, 1), Refusal::Range(0, 0));
    world.refused("2^56 ticks", &configure.word(2, 1 << 56), Refusal::InvalidArgument(2));
    world.refused("a start without ticks", &configure.word(2, 0), Refusal::InvalidArgument(2));
    world.ok(&configure)?;
    let start = Call::of(slot::DOMAIN, Label::DomainScheduleSetStart).words(&[0]);
    world.refused("no start", &start.length(0), Refusal::Truncated);
    world.refused("beyond the end", &start.word(0, 2), Refusal::Range(0, 1));
    world.refused("at the end", &start.word(0, 1), Refusal::InvalidArgument(0));
    world.ok(&start)?;
    world.refused("another object's label", &Call::of(slot::DOMAIN, Label::TcbResume), Refusal::IllegalOperation);
    Ok(())
}
