//! What an event of an SMMU may say about a state.

use sluice_abi::VirtAddr;
use sluice_abi::smmu::{StreamId, event};
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

/// Whether `state` explains an event of type `kind` that a stream caused at an address.
pub(crate) fn explain(state: &State, stream: StreamId, kind: u64, iova: u64) -> Explained {
    match kind {
        event::C_BAD_STREAMID => {
            if state.is_covered(stream) {
                Explained::No("the stream has a table")
            } else {
                Explained::Yes
            }
        }
        event::F_TRANSLATION | event::F_PERMISSION => {
            let Some(Cap::Cb(context)) = state.cap(Slot::Binding(stream)) else {
                return Explained::No("the stream is bound to no context, so its accesses abort without a record");
            };
            let Some(space) = state.space_of(context) else {
                return Explained::No("the stream's context has no address space");
            };
            let page = space.page_at(VirtAddr(iova));
            match (kind, page) {
                (event::F_TRANSLATION, None) => Explained::Yes,
                (event::F_TRANSLATION, Some(_)) => Explained::No("a page is mapped there"),
                (_, None) => Explained::No("no page is mapped there whose rights could be missing"),
                (_, Some((_, page))) if page.rights.read && page.rights.write => {
                    Explained::No("the page there can be read and written")
                }
                (_, Some(_)) => Explained::Yes,
            }
        }
        event::F_STE_FETCH | event::C_BAD_STE | event::F_WALK_EABT => {
            Explained::No("tables of the kernel's own are never out of order")
        }
        event::F_ADDR_SIZE | event::F_ACCESS => Explained::No("the kernel makes no page that causes this"),
        _ => Explained::NotModelled,
    }
}
