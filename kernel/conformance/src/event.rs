//! What an event of an SMMU may say about a state.

use sluice_abi::VirtAddr;
use sluice_abi::smmu::{Record, event};
use sluice_abstract::{Cap, Slot, State};

/// Whether a state explains an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Explained {
    /// This is what should happen there.
    Yes,
    /// This should not happen, for this reason.
    No(&'static str),
    /// It is about what the abstract machine does not speak of.
    NotModelled,
}

/// Whether `state` explains an event.
pub(crate) fn explain(state: &State, record: &Record) -> Explained {
    let Record { stream, event: kind, iova, ipa, flags, .. } = *record;
    if state.bypassed.contains(&stream) {
        return Explained::No("the stream reaches all memory");
    }
    // Of a stream with a stage 1 only what stage 2 says is here, by the address that it was asked for.
    let nested = state.stage1_before(stream).is_some();
    if nested && flags & Record::STAGE2 == 0 {
        return Explained::NotModelled;
    }
    let address = if nested { ipa } else { iova.0 };
    let stage2 = state.smmus.get(&stream.smmu).is_some_and(|smmu| smmu.can.stage2);
    match kind {
        event::C_BAD_STREAMID => {
            if state.is_covered(stream) {
                Explained::No("the stream has a table")
            } else {
                Explained::Yes
            }
        }
        event::F_TRANSLATION | event::F_PERMISSION | event::F_ACCESS => {
            let Some(Cap::Cb(context)) = state.cap(Slot::Binding(stream)) else {
                return Explained::No("the stream is bound to no context, so its accesses abort without a record");
            };
            let Some(space) = state.space_of(context) else {
                return Explained::No("the stream's context has no address space");
            };
            let page = space.page_at(VirtAddr(address));
            match (kind, page) {
                (event::F_TRANSLATION, None) => Explained::Yes,
                (event::F_TRANSLATION, Some(_)) => Explained::No("a page is mapped there"),
                (_, None) => Explained::No("no page is mapped there whose rights could be missing"),
                // Tables of stage 1 say "no reads" with a clear access flag.
                (event::F_ACCESS, Some((_, page))) if !stage2 && !page.rights.read => Explained::Yes,
                (event::F_ACCESS, _) => Explained::No("the kernel makes no page that causes this"),
                (_, Some((_, page))) if nested && !page.cacheable && page.rights.read => Explained::NotModelled,
                (_, Some((_, page))) if page.rights.read && page.rights.write => {
                    Explained::No("the page there can be read and written")
                }
                (_, Some(_)) => Explained::Yes,
            }
        }
        event::F_STE_FETCH | event::C_BAD_STE | event::F_WALK_EABT => {
            Explained::No("tables of the kernel's own are never out of order")
        }
        event::F_CD_FETCH | event::C_BAD_CD => Explained::No("the stream has no descriptors of its holder's own"),
        event::F_ADDR_SIZE => Explained::No("the kernel makes no page that causes this"),
        _ => Explained::NotModelled,
    }
}
