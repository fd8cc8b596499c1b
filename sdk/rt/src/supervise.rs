//! What a component tells its supervisor.

use sluice_manifest::{slot, supervisor};
use sluice_sys::{Endpoint, Message, Tcb, yield_now};

use crate::{check, println};

/// Reports the component as finished, with the outcomes of its checks since the last report. It may go on, as a server
/// for instance.
pub fn finish() {
    let counts = check::take_counts();
    Endpoint::from(slot::SUPERVISOR).send(&Message::new(supervisor::FINISHED, counts));
}

/// Stops the component's thread for ever, without a report.
pub fn exit() -> ! {
    if let Err(failure) = Tcb::from(slot::TCB).suspend() {
        println!("cannot suspend itself: {failure}");
    }
    loop {
        yield_now();
    }
}

#[cfg(target_os = "none")]
pub(crate) fn panicked() -> ! {
    Endpoint::from(slot::SUPERVISOR).send(&Message::new(supervisor::PANICKED, []));
    exit()
}
