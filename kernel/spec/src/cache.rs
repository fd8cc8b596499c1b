//! Cache maintenance: it changes nothing here, but not everything can be maintained.

use sluice_abi::{LookupFailure, USER_TOP, VirtAddr};

use crate::step::Stepped;
use crate::{Cap, Refused, Slot, State};

impl State {
    /// Of the bytes from `start` to before `end` of a frame.
    pub(crate) fn maintain_frame(&self, frame: Slot, start: u64, end: u64) -> Stepped {
        let Cap::Frame { size, device, mapped, .. } = self.invoked(frame)? else {
            return Err(Refused::IllegalOperation);
        };
        let mapping = mapped.ok_or(Refused::IllegalOperation)?;
        if !self.spaces.contains_key(&mapping.asid) {
            return Err(Refused::target(LookupFailure::InvalidRoot));
        }
        if end <= start {
            return Err(Refused::InvalidArgument(1));
        }
        if start >= size.bytes() || end > size.bytes() {
            return Err(Refused::InvalidArgument(0));
        }
        if device { Err(Refused::IllegalOperation) } else { Ok(self.changed(|_| {})) }
    }

    /// Of the addresses from `start` to before `end`, which are of one page or of none.
    pub(crate) fn maintain_space(&self, vspace: Slot, start: u64, end: u64) -> Stepped {
        let Cap::VSpace { .. } = self.invoked(vspace)? else { return Err(Refused::IllegalOperation) };
        if end <= start {
            return Err(Refused::InvalidArgument(1));
        }
        if end > USER_TOP {
            return Err(Refused::IllegalOperation);
        }
        let (_, space) = self.live_space(vspace, 0)?;
        if let Some((first, page)) = space.page_at(VirtAddr(start)) {
            let max = first.0 + (page.size.bytes() - 1);
            if end - 1 > max {
                return Err(Refused::Range { min: start, max });
            }
            let of_device = |cap| matches!(cap, Cap::Frame { base, device: true, .. } if base == page.frame);
            if page.cacheable && self.slots.values().any(|held| of_device(held.cap)) {
                return Err(Refused::IllegalOperation);
            }
        }
        Ok(self.changed(|_| {}))
    }
}
