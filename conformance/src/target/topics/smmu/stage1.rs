//! A holder's own context descriptors before stage 2, and the invalidations that its holder may ask for.

use sluice_abi::smmu::{MAX_STAGE1_COMMANDS, SmmuState};
use sluice_abi::{Label, USER_TOP};
use sluice_conformance_task::Refusal;

use super::control::{control, is};
use super::{assign, bind, parts};
use crate::target::call::Call;
use crate::target::world::{Outcome, World};

/// Where a table may be; nothing needs to be there.
const TABLE: u64 = 0x7000_0040;
/// S1DSS: substream 0. S1CIR, S1COR: write-back. S1CSH: inner shareable.
const FIELDS: u64 = 2 << 16 | 1 << 24 | 1 << 26 | 3 << 28;

fn assign_table(cb: u64, table: u64, fields: u64) -> Call {
    Call::of(cb, Label::CbAssignCdTable).words(&[table, fields])
}

fn unassign_table(cb: u64) -> Call {
    Call::of(cb, Label::CbUnassignCdTable)
}

pub(super) fn tables(world: &mut World) -> Outcome {
    let (sid, cb, vspace) = parts(world)?;
    let good = assign_table(cb, TABLE, FIELDS);
    world.refused("before there is a VSpace", &good, Refusal::IllegalOperation);
    world.refused("nothing to take away", &unassign_table(cb), Refusal::IllegalOperation);
    world.ok(&assign(cb, vspace))?;
    let fields = |fields| good.word(1, fields);
    for (what, call, refusal) in [
        ("no words", good.length(0), Refusal::Truncated),
        ("one word", good.length(1), Refusal::Truncated),
        ("two descriptors, without substreams", fields(FIELDS | 1), Refusal::Range(0, 0)),
        ("the most descriptors", fields(FIELDS | 0x1f), Refusal::Range(0, 0)),
        ("two levels of 4 KiB", fields(FIELDS | 1 << 8), Refusal::IllegalOperation),
        ("two levels of 64 KiB", fields(FIELDS | 2 << 8), Refusal::IllegalOperation),
        ("a reserved format", fields(FIELDS | 3 << 8), Refusal::InvalidArgument(1)),
        ("a reserved default", fields(FIELDS | 3 << 16), Refusal::InvalidArgument(1)),
        ("a reserved shareability", fields(FIELDS & !(2 << 28)), Refusal::InvalidArgument(1)),
        ("between its fields", fields(FIELDS | 1 << 5), Refusal::InvalidArgument(1)),
        ("behind its fields", fields(FIELDS | 1 << 30), Refusal::InvalidArgument(1)),
        ("the highest bit", fields(FIELDS | 1 << 63), Refusal::InvalidArgument(1)),
        ("not aligned", good.word(0, TABLE + 0x20), Refusal::Alignment),
        ("beyond a VSpace", good.word(0, USER_TOP + 1), Refusal::InvalidArgument(0)),
        ("far beyond", good.word(0, u64::MAX << 6), Refusal::InvalidArgument(0)),
    ] {
        world.refused(what, &call, refusal);
        world.refused("there is no table after that", &unassign_table(cb), Refusal::IllegalOperation);
    }
    // Where it leads is the holder's affair.
    for table in [0, TABLE, USER_TOP >> 6 << 6] {
        world.ok(&good.word(0, table))?;
        world.refused("there is one", &good, Refusal::DeleteFirst);
        world.ok(&unassign_table(cb))?;
        world.refused("taken away", &unassign_table(cb), Refusal::IllegalOperation);
    }
    world.ok(&bind(sid, cb))?;
    world.ok(&good)?;
    world.refused("a bound stream's", &good, Refusal::DeleteFirst);
    world.refused("the binding stays", &bind(sid, cb), Refusal::DeleteFirst);
    world.ok(&unassign_table(cb))?;
    // It goes with the address space it lies in.
    world.ok(&good)?;
    world.ok(&Call::of(cb, Label::CbUnassignVspace))?;
    world.refused("gone with the VSpace", &unassign_table(cb), Refusal::IllegalOperation);
    world.ok(&assign(cb, vspace))?;
    world.refused("and not back with it", &unassign_table(cb), Refusal::IllegalOperation);
    world.ok(&good)?;
    world.revoke(vspace)?;
    world.refused("gone with a revoked VSpace", &unassign_table(cb), Refusal::IllegalOperation);
    is(world, "after all that", SmmuState::Translating)
}

/// Opcodes of commands (IHI 0070, 4.1.1), written out once more on purpose.
mod opcode {
    pub(super) const CFGI_CD: u64 = 0x05;
    pub(super) const CFGI_CD_ALL: u64 = 0x06;
    pub(super) const NH_ALL: u64 = 0x10;
    pub(super) const NH_ASID: u64 = 0x11;
    pub(super) const NH_VA: u64 = 0x12;
    pub(super) const NH_VAA: u64 = 0x13;
    pub(super) const NSNH_ALL: u64 = 0x30;
}

/// VMID and ASID of a TLBI command (4.4): the former is replaced.
const TAGS: u64 = 0x77 << 32 | 0x1234 << 48;
/// StreamID of a CFGI command (4.3), which is replaced.
const SID: u64 = 0xdead << 32;
/// An address, of which only the last level is to be forgotten.
const ADDRESS: u64 = 0x4000_0000 | 1;
/// A range (4.4.1.1): granule 4 KiB, last level 3; eight granules.
const RANGE: [u64; 2] = [7 << 12, 1 << 10 | 3 << 8];

const ALLOWED: [[u64; 2]; 10] = [
    [opcode::NSNH_ALL, 0],
    [opcode::NH_ALL, 0],
    [opcode::NH_ALL | 0x77 << 32, 0],
    [opcode::NH_ASID | TAGS, 0],
    [opcode::NH_VA | TAGS, ADDRESS],
    [opcode::NH_VAA | 0x77 << 32, ADDRESS],
    [opcode::NH_VA | TAGS | RANGE[0], ADDRESS | RANGE[1]],
    [opcode::CFGI_CD | SID, 1],
    [opcode::CFGI_CD, 0],
    [opcode::CFGI_CD_ALL | SID, 0],
];

const FORBIDDEN: [[u64; 2]; 20] = [
    [0, 0],
    // PREFETCH_CONFIG, CFGI_STE and CFGI_STE_RANGE (all streams).
    [0x01, 0],
    [0x03, 0],
    [0x04, 31],
    // TLBI of EL3 and EL2.
    [0x18, 0],
    [0x20, 0],
    [0x22, ADDRESS],
    // S12_VMALL and S2_IPA.
    [0x28 | 0x77 << 32, 0],
    [0x2a, ADDRESS],
    // ATC_INV, PRI_RESP, RESUME, STALL_TERM, SYNC.
    [0x40, 0],
    [0x41, 0],
    [0x44, 0],
    [0x45, 0],
    [0x46, 0],
    // Reserved bits.
    [opcode::NH_ALL | 1 << 48, 0],
    [opcode::NH_ASID | TAGS, 1],
    [opcode::NH_VAA | TAGS, ADDRESS],
    [opcode::NH_VA | 1 << 8, ADDRESS],
    // A substream beyond the table, and a Secure stream.
    [opcode::CFGI_CD | 1 << 12, 0],
    [opcode::CFGI_CD_ALL | 1 << 10, 0],
];

fn batch(cb: u64, commands: &[[u64; 2]]) -> Call {
    let mut call = Call::of(cb, Label::CbInvalidateStage1).word(0, commands.len() as u64);
    for (index, [low, high]) in commands.iter().enumerate() {
        call = call.word(1 + 2 * index, *low).word(2 + 2 * index, *high);
    }
    call.length(1 + 2 * commands.len())
}

pub(super) fn invalidations(world: &mut World) -> Outcome {
    const MOST: u64 = MAX_STAGE1_COMMANDS as u64;
    let (sid, cb, vspace) = parts(world)?;
    world.ok(&assign(cb, vspace))?;
    let one = batch(cb, &ALLOWED[..1]);
    world.refused("no count", &one.length(0), Refusal::Truncated);
    world.refused("without a table", &one, Refusal::IllegalOperation);
    world.ok(&assign_table(cb, TABLE, FIELDS))?;
    for (what, call, refusal) in [
        ("no count", one.length(0), Refusal::Truncated),
        ("no command", one.word(0, 0), Refusal::Range(1, MOST)),
        ("one too many", one.word(0, MOST + 1), Refusal::Range(1, MOST)),
        ("far too many", one.word(0, u64::MAX), Refusal::Range(1, MOST)),
        ("half a command", one.length(2), Refusal::Truncated),
        ("one of two", one.word(0, 2), Refusal::Truncated),
        ("the most, without words", one.word(0, MOST), Refusal::Truncated),
    ] {
        world.refused(what, &call, refusal);
    }
    for command in FORBIDDEN {
        world.refused("forbidden", &batch(cb, &[command]), Refusal::InvalidArgument(0));
        let third = batch(cb, &[ALLOWED[0], ALLOWED[7], command]);
        world.refused("forbidden behind others", &third, Refusal::InvalidArgument(2));
        world.refused("the table stays", &assign_table(cb, TABLE, FIELDS), Refusal::DeleteFirst);
    }
    // Without a stream, and with one.
    for bound in [false, true] {
        if bound {
            world.ok(&bind(sid, cb))?;
        }
        for command in ALLOWED {
            let reply = world.ok(&batch(cb, &[command]))?;
            world.equal(format_args!("answer to {command:#x?}"), reply.words(), &[][..]);
        }
        world.ok(&batch(cb, &ALLOWED))?;
        the_most(world, cb)?;
    }
    let skip = control(Label::SidControlSkipCmdqError, &[0]);
    world.refused("the SMMU rejected none", &skip, Refusal::IllegalOperation);
    is(world, "after all that", SmmuState::Translating)
}

/// As many commands as there may be, all of them allowed; then the last of them is not.
fn the_most(world: &mut World, cb: u64) -> Outcome {
    const WORDS: usize = 1 + 2 * MAX_STAGE1_COMMANDS;
    let put = |world: &World, index: usize, [low, high]: [u64; 2]| {
        world.buffer.set_word(1 + 2 * index, low);
        world.buffer.set_word(2 + 2 * index, high);
    };
    for index in 0..MAX_STAGE1_COMMANDS {
        put(world, index, ALLOWED[index % ALLOWED.len()]);
    }
    // The first of them are in the call itself, the others stay in the buffer.
    let all = batch(cb, &ALLOWED).word(0, MAX_STAGE1_COMMANDS as u64);
    let all = (ALLOWED.len()..19).fold(all, |call, index| {
        let [low, high] = ALLOWED[index % ALLOWED.len()];
        call.word(1 + 2 * index, low).word(2 + 2 * index, high)
    });
    let all = all.word(39, ALLOWED[19 % ALLOWED.len()][0]).length(WORDS);
    world.ok(&all)?;
    put(world, MAX_STAGE1_COMMANDS - 1, FORBIDDEN[2]);
    let last = MAX_STAGE1_COMMANDS as u64 - 1;
    world.refused("the last is forbidden", &all, Refusal::InvalidArgument(last));
    Ok(())
}
