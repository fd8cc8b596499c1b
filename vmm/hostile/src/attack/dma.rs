//! Memory by a device: everything that a stream table entry, a context descriptor and a table can say of others' memory.

use sluice_hostile::place::{FREE, MESSAGES, NOWHERE, RAM};

use crate::edu::Edu;
use crate::machine::{barrier, load, store};
use crate::report::Report;
use crate::smmu::{self, BYPASS, DESCRIPTOR, STAGE1};

/// Two pages of the guest's own.
const FROM: u64 = FREE + 0x6_0000;
const TO: u64 = FREE + 0x6_1000;
const BYTES: u64 = 256;
/// The GiB of addresses that tables lead elsewhere, and the one that is memory.
const ELSEWHERE: u64 = 8 << 30;

pub(crate) fn all(report: &mut Report, edu: Edu) {
    smmu::restore();
    let stream = edu.function.stream();
    smmu::map(|index| index);
    smmu::describe(smmu::TABLE);
    smmu::set(stream, smmu::stage1(DESCRIPTOR));
    let moved = moves(edu);
    report.check("dma-own-memory", moved, format_args!("a control: through stage 1 of the guest"));
    outside(report, edu);
    pointers(report, edu);
    entries(report, edu);
    smmu::restore();
}

/// Whether a device moves memory of the guest's: a page is filled, read by it, and written elsewhere.
pub(crate) fn moves(edu: Edu) -> bool {
    fill(0x0123_4567_89ab_cdef);
    (0..BYTES).step_by(8).for_each(|at| store(TO + at, 8, 0));
    edu.dma(FROM, BYTES, false);
    edu.dma(TO, BYTES, true);
    (0..BYTES).step_by(8).all(|at| load(TO + at, 8) == load(FROM + at, 8))
}

fn fill(value: u64) {
    (0..BYTES).step_by(8).for_each(|at| store(FROM + at, 8, value ^ at));
    barrier();
}

/// Words of `address` that arrive in the guest when its device reads there: neither what was in the device before, nor
/// what an aborted read leaves.
fn leaked(edu: Edu, address: u64) -> usize {
    fill(u64::MAX);
    edu.dma(FROM, BYTES, false);
    edu.dma(address, BYTES, false);
    edu.dma(TO, BYTES, true);
    let words = (0..BYTES).step_by(8).map(|at| (load(TO + at, 8), load(FROM + at, 8)));
    words.filter(|(word, own)| word != own && *word != 0 && *word != u64::MAX).count()
}

/// Tables that lead to what is nobody's here and somebody's in the machine: reads bring nothing, writes are for the
/// neighbours to notice.
fn outside(report: &mut Report, edu: Edu) {
    let mut words = 0;
    for gib in [1, 0, 2, 3, 511] {
        smmu::map(|index| if index == 8 { gib } else { index });
        for offset in [0x20_0000, 0x200_0000, 0x3fff_f000] {
            // The guest's own memory begins where the machine's does: behind it is the kernel.
            if (gib << 30) + offset < RAM || (gib << 30) + offset >= RAM + 0x100_0000 {
                words += leaked(edu, ELSEWHERE + offset);
                edu.dma(ELSEWHERE + offset, BYTES, true);
            }
        }
    }
    smmu::map(|index| index);
    report.check("dma-through-tables", words == 0, format_args!("{words} words arrived"));
    // Interrupts by messages: the addresses of frames, through stage 1 and without.
    let stream = edu.function.stream();
    let before = crate::gic::count();
    for entry in [smmu::stage1(DESCRIPTOR), [BYPASS, 0, 0, 0, 0, 0, 0, 0]] {
        smmu::set(stream, entry);
        for at in MESSAGES {
            edu.dma(at, 4, true);
        }
    }
    crate::gic::unmasked(|| ());
    let came = crate::gic::count() - before;
    report.check("dma-to-message-frames", came == 0, format_args!("{came} interrupts"));
    let words: usize = NOWHERE.into_iter().map(|at| leaked(edu, at)).sum();
    report.check("dma-past-stage-1", words == 0, format_args!("{words} words arrived without stage 1"));
}

/// Context descriptors and tables that are where nothing of the guest's is.
fn pointers(report: &mut Report, edu: Edu) {
    let stream = edu.function.stream();
    let mut moved = 0;
    for pointer in NOWHERE.into_iter().chain([0xff_ffff_ffff_ffc0, 0xfff_ffff_ffc0, RAM + 0xff_ffc0]) {
        smmu::set(stream, smmu::stage1(pointer & !0x3f & 0xff_ffff_ffff_ffff));
        moved += u64::from(moves(edu));
    }
    report.check("dma-by-descriptors-outside", moved == 0, format_args!("{moved} of 11 move memory"));
    moved = 0;
    for table in NOWHERE {
        smmu::describe(table & !0xfff);
        smmu::set(stream, smmu::stage1(DESCRIPTOR));
        moved += u64::from(moves(edu));
    }
    report.check("dma-by-tables-outside", moved == 0, format_args!("{moved} of 8 move memory"));
    smmu::describe(smmu::TABLE);
    let (count, last) = smmu::events();
    report.check("dma-faults-told", count > 0, format_args!("{count} records, the last {last:?}"));
}

/// Entries with what is the host's to say.
fn entries(report: &mut Report, edu: Edu) {
    let stream = edu.function.stream();
    // Configurations with stage 2, whose table would be the guest's.
    let stage2 = [0b110, 0b111].map(|config| {
        let words = [config << 1 | 1 | DESCRIPTOR, 0, 0x1a_0000 | 1 << 51, smmu::TABLE, 0, 0, 0, 0];
        smmu::set(stream, words);
        leaked(edu, 0x6000_0000) > 0 || moves(edu)
    });
    report.check("smmu-entry-of-stage-2", stage2 == [false; 2], format_args!("moves memory: {stage2:?}"));
    // Stage 1 and bypass with every field of stage 2 and every reserved bit set: as without them.
    let reserved = [
        [BYPASS, u64::MAX, u64::MAX, smmu::TABLE, u64::MAX, u64::MAX, u64::MAX, u64::MAX],
        [STAGE1 | DESCRIPTOR, 1 << 2 | 1 << 4 | 3 << 6, u64::MAX, smmu::TABLE, u64::MAX, u64::MAX, u64::MAX, u64::MAX],
    ]
    .map(|words| {
        smmu::set(stream, words);
        leaked(edu, 0x6000_0000)
    });
    report.check("smmu-entry-of-the-host", reserved == [0; 2], format_args!("{reserved:?} words arrived"));
    let illegal = [
        [STAGE1 | DESCRIPTOR | 31 << 59, 0, 0, 0, 0, 0, 0, 0],
        [STAGE1 | DESCRIPTOR, 1 << 27, 0, 0, 0, 0, 0, 0],
        [STAGE1 | DESCRIPTOR, 3 << 30, 0, 0, 0, 0, 0, 0],
        [STAGE1 & !1 | DESCRIPTOR, 0, 0, 0, 0, 0, 0, 0],
    ]
    .map(|words| {
        smmu::set(stream, words);
        moves(edu)
    });
    report.check("smmu-entry-illegal", illegal == [false; 4], format_args!("moves memory: {illegal:?}"));
}
