//! Lives, deaths, and what the last life says of all of them.
//!
//! Arguments: `deaths`, lives that end with commands in flight; `passes`, how often the last life reads the whole disk;
//! `regions`, what the names of its regions begin with.

use alloc::format;
use alloc::string::{String, ToString};

use sluice_abi::VirtAddr;
use sluice_manifest::{layout, slot};
use sluice_mortal::{Death, ends_after};
use sluice_nvme::machine::{Bar, Counter, Line, Shared};
use sluice_nvme::stream::Buffer;
use sluice_nvme::{Controller, job, stream};
use sluice_rt::sys::{Endpoint, Message, yield_now};
use sluice_rt::time::Deadline;
use sluice_rt::{Env, Memory, RtError, check, println};

/// Commands in flight.
const DEPTH: u16 = 32;
/// Commands of a life, at most.
const MOST: u64 = 128;
/// Milliseconds in which a controller that was not stopped would have written to memory of the life before.
const WATCH_MS: u64 = 50;
/// What memory is filled with while it is watched.
const CANARY: u64 = 0x5ca1_ab1e_0ddb_a115;
/// A message that no supervisor knows.
const NONSENSE: u64 = 0xbad;

type Disk = Controller<Bar, Shared, Counter>;

pub(crate) fn run(env: &Env) {
    if let Err(problem) = live(env) {
        check!("driver", false, "{problem}");
    }
}

fn live(env: &Env) -> Result<(), String> {
    let words = |error: RtError| error.to_string();
    let deaths = number(env, "deaths")?;
    let device = env.device("disk").map_err(|error| error.to_string())?;
    let prefix = env.arg("regions").unwrap_or("disk");
    let region = |part: &str| format!("{prefix}_{part}");
    let (queue, buffer) = (device.dma(&region("queue")).map_err(words)?, device.dma(&region("buffer")).map_err(words)?);
    // What a life before has left, or its controller still writes, would be here.
    let late: usize = [&queue.memory, &buffer.memory].map(watch).iter().sum();
    assert!(late == 0, "CHECK FAIL inherited: {late} words were not scrubbed, or were written late");
    let mut interrupt = Line(device.interrupt().map_err(words)?);
    let registers = Bar(device.registers(0).map_err(words)?);
    let mut controller = Disk::open(registers, Shared(queue), Counter).map_err(|error| error.to_string())?;
    let buffer = Shared(buffer);
    let memory = buffer.0.memory;
    let plan =
        Buffer::plan(&controller, buffer.0.iova, memory.len() as u64, DEPTH).map_err(|error| error.to_string())?;
    if u64::from(env.life()) < deaths {
        let commands = controller.namespace().bytes().div_ceil(plan.chunk);
        let mut left = ends_after(env.life(), commands.min(MOST));
        let read = stream::read_all(&mut controller, &mut interrupt, plan, |_| {
            left -= 1;
            if left == 0 {
                die(env.life());
            }
        });
        return Err(format!("life {} did not end: {read:?}", env.life()));
    }
    let mut digests = alloc::vec::Vec::new();
    for pass in 0..number(env, "passes")?.max(1) {
        let (digest, summary) = job::hash_all(&mut controller, &mut interrupt, &buffer, plan, |_| ())
            .map_err(|error| format!("pass {pass}: {error}"))?;
        println!("SHA256 {digest} {}", summary.bytes);
        digests.push((digest, summary.bytes));
    }
    let same = digests.windows(2).all(|pair| pair[0] == pair[1]);
    check!("disk-read", same, "{} times the whole disk, the same each time", digests.len());
    check!("lives", u64::from(env.life()) == deaths, "this is life {} of {deaths} and one", env.life());
    controller.shut_down().map_err(|error| error.to_string())
}

/// Ends this life, with whatever is in flight.
fn die(life: u32) {
    match Death::of(life) {
        Death::Panic => panic!("of life {life}, as it was to be"),
        Death::Store => {
            if let Some(nowhere) = Memory::at(VirtAddr(layout::FREE + (1 << 32)), 4096) {
                nowhere.write64(0, 0);
            }
        }
        Death::Nonsense => {
            Endpoint::from(slot::SUPERVISOR).send(&Message::new(NONSENSE, []));
            loop {
                yield_now();
            }
        }
    }
}

/// Words that are not zero at first, or change while nobody here writes them. The memory is zero again afterwards.
fn watch(memory: &Memory) -> usize {
    let others = |value: u64| (0..memory.len() & !7).step_by(8).filter(|at| memory.read64(*at) != value).count();
    let left = others(0);
    memory.fill64(CANARY);
    let end = Deadline::in_milliseconds(WATCH_MS);
    while !end.passed() {
        yield_now();
    }
    let late = others(CANARY);
    memory.fill64(0);
    left + late
}

fn number(env: &Env, name: &str) -> Result<u64, String> {
    let Some(text) = env.arg(name) else { return Ok(0) };
    text.parse().map_err(|_| format!("the argument `{name}` is no number: {text}"))
}
