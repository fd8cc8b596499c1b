//! Address spaces and the capabilities behind them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use sluice_abi::{FrameSize, PhysAddr};

use crate::delete::pool_base;
use crate::space::{coverage_bits, level_of};
use crate::{Cap, Mapping, Object, Rights, State};

/// The frames that capabilities say are mapped somewhere in a size, with the rights of each.
pub(super) type MappedFrames = BTreeMap<(Mapping, FrameSize), Vec<(PhysAddr, Rights)>>;

/// What all capabilities to frames say.
pub(super) fn mapped_frames(state: &State) -> MappedFrames {
    let mut found = MappedFrames::new();
    for held in state.slots.values() {
        if let Cap::Frame { base, size, rights, mapped: Some(mapping), .. } = held.cap {
            found.entry((mapping, size)).or_default().push((base, rights));
        }
    }
    found
}

/// A space has a name from a pool that exists, an object, and no second name.
#[must_use]
pub fn free_names_have_no_space(state: &State) -> bool {
    state.spaces.iter().all(|(asid, space)| {
        let named_once = state.spaces.values().filter(|other| other.root == space.root).count() == 1;
        let alive = state.objects.get(&space.root) == Some(&Object::VSpace);
        asid.0 != 0 && state.pools.contains_key(&pool_base(*asid)) && alive && named_once
    })
}

/// A page is there because of a frame capability that says so and has at least its rights.
#[must_use]
pub fn no_page_without_a_capability(state: &State) -> bool {
    let mapped = mapped_frames(state);
    state.spaces.iter().all(|(asid, space)| {
        space.pages.iter().all(|(at, page)| {
            let there = mapped.get(&(Mapping { asid: *asid, at: *at }, page.size));
            there.into_iter().flatten().any(|(frame, rights)| {
                *frame == page.frame
                    && page.rights == page.rights.and(rights.to_memory())
                    && (!page.execute || page.rights.read)
            })
        })
    })
}

/// A table is in place because of a capability that says so.
#[must_use]
pub fn no_table_without_a_capability(state: &State) -> bool {
    state.spaces.iter().all(|(asid, space)| {
        space.tables.iter().all(|((_, at), table)| {
            let mapped = Some(Mapping { asid: *asid, at: *at });
            state.slots.values().any(|held| held.cap == Cap::PageTable { base: *table, mapped })
        })
    })
}

/// Above each table and each page there is a table at every level, and no table is in two places.
#[must_use]
pub fn tables_carry_pages(state: &State) -> bool {
    state.spaces.values().all(|space| {
        let carried = |level: u8, at: sluice_abi::VirtAddr| {
            (0..level).all(|above| space.tables.contains_key(&(above, at.align_down(coverage_bits(above)))))
        };
        let places =
            |table| state.spaces.values().flat_map(|space| space.tables.values()).filter(move |at| *at == table);
        space.tables.iter().all(|((level, at), table)| carried(*level, *at) && places(table).count() == 1)
            && space.pages.iter().all(|(at, page)| carried(level_of(page.size), *at))
    })
}
