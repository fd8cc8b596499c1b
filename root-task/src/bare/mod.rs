//! The root thread.

mod access;
mod given;
mod heap;
mod panic;
mod start;

use sluice_manifest::supervisor::ServerEnd;
use sluice_root_task::boot::{Running, boot};
use sluice_root_task::kernel::Kernel;
use sluice_root_task::supervisor::Message;
use sluice_sys::{Endpoint, Event, reply};

use access::System;

/// Everything after the entry's few unsafe lines.
fn run(given: &given::Memory) -> ! {
    let given = given.view();
    access::set_debug(given.has_debug_calls());
    match boot(System, &given) {
        Ok(running) => supervise(running),
        Err(stop) => {
            System.line(&alloc::format!("STOP: {stop}"));
            access::halt()
        }
    }
}

/// Answers the components until the system's run is over.
fn supervise(mut running: Running<'_, System>) -> ! {
    let endpoint = Endpoint::from(running.endpoint);
    loop {
        running.go_on();
        if let Some(result) = running.supervisor.result() {
            if let Err(reason) = running.over() {
                running.kernel().line(&reason);
            }
            if let Some(lives) = running.lives() {
                running.kernel().line(&lives);
            }
            running.kernel().line(&result);
            access::halt();
        }
        // A signal is an alarm, after which there is something to do.
        let Event::Message(received) = endpoint.recv() else { continue };
        let words = core::array::from_fn(|index| received.word(index));
        let message = Message { badge: received.badge(), label: received.label(), words };
        let response = running.supervisor.receive(&message);
        if let Some(line) = response.line {
            running.kernel().line(&line);
        }
        if let Some((component, fate)) = response.end {
            running.end(component, fate);
        }
        let done = match (response.device, response.guest) {
            (Some((component, device, action)), _) => running.device(component, device, action),
            (None, Some(component)) => running.guest(component),
            (None, None) => Ok(()),
        };
        if let Err(reason) = &done {
            running.kernel().line(reason);
        }
        if response.unserved {
            reply(&sluice_sys::Message::new(ServerEnd::Gone as u64, []));
        }
        if response.reply {
            reply(&sluice_sys::Message::new(u64::from(done.is_err()), []));
        }
    }
}
