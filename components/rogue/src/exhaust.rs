//! Memory of its own, to the last byte.

use alloc::vec::Vec;
use core::hint::black_box;

use sluice_abi::ObjectType;
use sluice_rt::Env;
use sluice_rt::manifest::slot;
use sluice_rt::sys::CNode;

/// What a life uses up.
pub(crate) fn of(env: &Env, life: u32) {
    match life % 3 {
        0 => heap(),
        1 => drop(black_box(stack(life.into()))),
        _ => untyped(env),
    }
}

fn heap() {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(alloc::vec![1; 1000]);
        black_box(&all);
    }
}

/// Calls itself until there is no stack; what it returns keeps every call on it.
fn stack(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { stack(depth + 1).wrapping_add(frame[1]) }
}

fn untyped(env: &Env) {
    let untyped = match env.untyped("memory") {
        Ok(grant) => grant.cap,
        Err(missing) => panic!("{missing}"),
    };
    for page in 0u32.. {
        let made = env.slots().take().map(|place| {
            let to = CNode::from(slot::CNODE).from_offset(place.index);
            untyped.retype(ObjectType::SmallPage, 0, to, 1)
        });
        match made {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => panic!("no page after {page}: {failure}"),
            Err(error) => panic!("no slot after {page}: {error}"),
        }
    }
}
