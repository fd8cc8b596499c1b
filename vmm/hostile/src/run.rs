//! What the command line asks for.

use sluice_bare::{Given, machine, write_system};
use sluice_hostile::place::{FREE, RAM, RAM_BYTES};

use crate::firmware::number;
use crate::report::Report;
use crate::{attack, firmware, gic, mmu, trap};

/// What the memory of a quiet guest holds, each word with its address.
const CANARY: u64 = 0x5ca1_ab1e_0ddb_a115;
/// How often a quiet guest looks, unless its command line has another number.
const ROUNDS: u64 = 40;

sluice_bare::entry!(main);

fn main(given: Given) -> ! {
    trap::begin();
    mmu::fill(mmu::TABLE);
    mmu::on(mmu::TABLE);
    gic::restore();
    let mut report = Report::default();
    match given.word("hostile.run=") {
        Some("all") => attack::all(&mut report),
        Some("dma") => attack::dma::all(&mut report, given),
        Some("pair") => attack::pair::all(&mut report),
        Some("pair-reset") => attack::pair::reset(&mut report),
        Some("pair-last") => attack::pair::last(&mut report),
        Some("quiet") => {
            quiet(&mut report, given.word("hostile.rounds=").and_then(|text| text.parse().ok()).unwrap_or(ROUNDS))
        }
        // The end of each is its own, and one that lives on tells so.
        Some("processor-off") => report.check("processor-off", false, ends(number::CPU_OFF)),
        Some("reset") => report.check("reset", false, ends(number::SYSTEM_RESET)),
        Some("vectors-nowhere") => nowhere(&mut report),
        other => report.check("task", false, format_args!("{other:?} is nothing that can be done")),
    }
    report.conclude();
    firmware::power_off()
}

/// Makes a call that does not come back.
fn ends(function: u64) -> core::fmt::Arguments<'static> {
    firmware::smc([function, 0, 0, 0]);
    format_args!("it came back")
}

/// Takes exceptions to where there is nothing, for ever: a guest that costs its processor all it can.
fn nowhere(report: &mut Report) -> ! {
    report.check("exceptions-begin", true, format_args!("and have no end"));
    report.conclude();
    write_system!("vbar_el1", 0);
    loop {
        machine::touch(0, 8);
    }
}

/// A neighbour that minds its own business: its memory stays as it is, its timer comes when it is due.
fn quiet(report: &mut Report, rounds: u64) {
    let words = || (FREE + 0x10_0000..RAM + RAM_BYTES).step_by(8);
    words().for_each(|at| machine::store(at, 8, at ^ CANARY));
    gic::enable(gic::TIMER, true);
    let (mut late, mut changed) = (0u64, 0u64);
    for _ in 0..rounds {
        let before = gic::count();
        write_system!("cntv_cval_el0", machine::now() + machine::milliseconds(20));
        write_system!("cntv_ctl_el0", 1);
        late += u64::from(!gic::unmasked(|| machine::within(2000, || gic::count() != before)));
        changed += words().filter(|at| machine::load(*at, 8) != at ^ CANARY).count() as u64;
    }
    report.check(
        "memory-unchanged",
        changed == 0,
        format_args!("{changed} words were others, looked at {rounds} times"),
    );
    report.check("timer-came", late == 0, format_args!("{late} of {rounds} did not"));
    report.check("interrupts-its-own", gic::count() == rounds, format_args!("{} came", gic::count()));
}
