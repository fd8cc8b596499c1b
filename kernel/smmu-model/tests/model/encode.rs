//! Structures built from fields. They share positions with the driver and nothing else, so that the model is not tested
//! by what it is there to test.

use sluice_smmu::regs::{
    CD0, CD1, CD2, CMD0_CFGI, CMD0_TLBI, CMD1_CFGI, CMD1_TLBI, STE0, STE1, STE2, STE3, config, opcode,
};

/// Fields of a stream table entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SteFields {
    pub(crate) valid: bool,
    pub(crate) config: u64,
    pub(crate) cd_table: u64,
    pub(crate) cd_max: u64,
    pub(crate) cd_format: u64,
    pub(crate) dss: u64,
    pub(crate) never_stall: bool,
    pub(crate) vmid: u64,
    pub(crate) t0sz: u64,
    pub(crate) sl0: u64,
    pub(crate) granule: u64,
    pub(crate) ps: u64,
    pub(crate) aarch64: bool,
    pub(crate) endian: bool,
    pub(crate) affd: bool,
    pub(crate) ptw: bool,
    pub(crate) stall: bool,
    pub(crate) record: bool,
    pub(crate) root: u64,
}

impl SteFields {
    /// A plain entry: 44-bit addresses, 4 KiB granule, four levels, faults recorded.
    pub(crate) const fn plain(config: u64) -> Self {
        Self {
            valid: true,
            config,
            cd_table: 0,
            cd_max: 0,
            cd_format: 0,
            dss: 0,
            never_stall: false,
            vmid: 0,
            t0sz: 20,
            sl0: 2,
            granule: 0,
            ps: 4,
            aarch64: true,
            endian: false,
            affd: false,
            ptw: false,
            stall: false,
            record: true,
            root: 0,
        }
    }

    pub(crate) const fn stage2(vmid: u64, root: u64) -> Self {
        Self { vmid, root, ..Self::plain(config::STAGE2) }
    }

    pub(crate) const fn stage1(cd_table: u64) -> Self {
        Self { cd_table, ..Self::plain(config::STAGE1) }
    }

    pub(crate) const fn nested(vmid: u64, root: u64, cd_table: u64) -> Self {
        Self { vmid, root, cd_table, ..Self::plain(config::NESTED) }
    }

    pub(crate) fn words(&self) -> [u64; 8] {
        let bit = u64::from;
        let word0 = STE0::V.val(bit(self.valid))
            + STE0::CONFIG.val(self.config)
            + STE0::S1FMT.val(self.cd_format)
            + STE0::S1CONTEXTPTR.val(self.cd_table >> 6)
            + STE0::S1CDMAX.val(self.cd_max);
        let word1 = STE1::S1DSS.val(self.dss) + STE1::S1STALLD.val(bit(self.never_stall)) + STE1::SHCFG.val(1);
        let word2 = STE2::S2VMID.val(self.vmid)
            + STE2::S2T0SZ.val(self.t0sz)
            + STE2::S2SL0.val(self.sl0)
            + STE2::S2TG.val(self.granule)
            + STE2::S2PS.val(self.ps)
            + STE2::S2AA64.val(bit(self.aarch64))
            + STE2::S2ENDI.val(bit(self.endian))
            + STE2::S2AFFD.val(bit(self.affd))
            + STE2::S2PTW.val(bit(self.ptw))
            + STE2::S2S.val(bit(self.stall))
            + STE2::S2R.val(bit(self.record));
        [word0.value, word1.value, word2.value, STE3::S2TTB.val(self.root >> 4).value, 0, 0, 0, 0]
    }
}

/// Fields of a context descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CdFields {
    pub(crate) valid: bool,
    pub(crate) aarch64: bool,
    pub(crate) asid: u64,
    /// By half: TxSZ, TG, EPD, table, HAD.
    pub(crate) low: HalfFields,
    pub(crate) high: HalfFields,
    pub(crate) ips: u64,
    pub(crate) tbi: u64,
    pub(crate) affd: bool,
    pub(crate) wxn: bool,
    pub(crate) endian: bool,
    pub(crate) updates: u64,
    pub(crate) abort: bool,
    pub(crate) stall: bool,
    pub(crate) record: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HalfFields {
    pub(crate) size: u64,
    pub(crate) granule: u64,
    pub(crate) disabled: bool,
    pub(crate) root: u64,
    pub(crate) flat: bool,
}

impl CdFields {
    /// 48-bit low addresses with a 4 KiB granule, no high ones; faults abort and are recorded.
    pub(crate) const fn plain(asid: u64, root: u64) -> Self {
        Self {
            valid: true,
            aarch64: true,
            asid,
            low: HalfFields { size: 16, granule: 0, disabled: false, root, flat: false },
            high: HalfFields { size: 16, granule: 2, disabled: true, root: 0, flat: false },
            ips: 4,
            tbi: 0,
            affd: false,
            wxn: false,
            endian: false,
            updates: 0,
            abort: true,
            stall: false,
            record: true,
        }
    }

    pub(crate) fn words(&self) -> [u64; 8] {
        let bit = u64::from;
        let word0 = CD0::V.val(bit(self.valid))
            + CD0::AA64.val(bit(self.aarch64))
            + CD0::ASID.val(self.asid)
            + CD0::T0SZ.val(self.low.size)
            + CD0::TG0.val(self.low.granule)
            + CD0::EPD0.val(bit(self.low.disabled))
            + CD0::T1SZ.val(self.high.size)
            + CD0::TG1.val(self.high.granule)
            + CD0::EPD1.val(bit(self.high.disabled))
            + CD0::IPS.val(self.ips)
            + CD0::TBI.val(self.tbi)
            + CD0::AFFD.val(bit(self.affd))
            + CD0::WXN.val(bit(self.wxn))
            + CD0::ENDI.val(bit(self.endian))
            + CD0::HD.val(self.updates & 1)
            + CD0::HA.val(self.updates >> 1)
            + CD0::A.val(bit(self.abort))
            + CD0::S.val(bit(self.stall))
            + CD0::R.val(bit(self.record))
            + CD0::ASET.val(1);
        let word1 = CD1::HAD0.val(bit(self.low.flat)) + CD1::TTB0.val(self.low.root >> 4);
        let word2 = CD2::HAD1.val(bit(self.high.flat)) + CD2::TTB1.val(self.high.root >> 4);
        [word0.value, word1.value, word2.value, 0xff, 0, 0, 0, 0]
    }
}

/// Commands.
pub(crate) mod command {
    use super::*;

    pub(crate) const SYNC: [u64; 2] = [opcode::SYNC, 0];
    pub(crate) const CFGI_ALL: [u64; 2] = [opcode::CFGI_STE_RANGE, 31];
    pub(crate) const NSNH_ALL: [u64; 2] = [opcode::TLBI_NSNH_ALL, 0];

    fn cfgi(op: u64, sid: u32, ssid: u32, leaf: bool) -> [u64; 2] {
        let low = CMD0_CFGI::OPCODE.val(op) + CMD0_CFGI::SID.val(sid.into()) + CMD0_CFGI::SSID.val(ssid.into());
        [low.value, CMD1_CFGI::LEAF.val(leaf.into()).value]
    }

    pub(crate) fn ste(sid: u32) -> [u64; 2] {
        cfgi(opcode::CFGI_STE, sid, 0, true)
    }

    pub(crate) fn cd(sid: u32, ssid: u32) -> [u64; 2] {
        cfgi(opcode::CFGI_CD, sid, ssid, true)
    }

    pub(crate) fn cd_all(sid: u32) -> [u64; 2] {
        cfgi(opcode::CFGI_CD_ALL, sid, 0, false)
    }

    /// A TLBI of a tag.
    pub(crate) fn tag(op: u64, vmid: u64, asid: u64) -> [u64; 2] {
        [(CMD0_TLBI::OPCODE.val(op) + CMD0_TLBI::VMID.val(vmid) + CMD0_TLBI::ASID.val(asid)).value, 0]
    }

    /// A TLBI of one page.
    pub(crate) fn page(op: u64, vmid: u64, asid: u64, address: u64, leaf: bool) -> [u64; 2] {
        let high = CMD1_TLBI::ADDR.val(address >> 12) + CMD1_TLBI::LEAF.val(leaf.into());
        [tag(op, vmid, asid)[0], high.value]
    }

    /// The same of `(num + 1) << scale` pages of 4 KiB.
    pub(crate) fn range(page: [u64; 2], num: u64, scale: u64, level: u64) -> [u64; 2] {
        let low = CMD0_TLBI::NUM.val(num) + CMD0_TLBI::SCALE.val(scale);
        let high = CMD1_TLBI::TG.val(1) + CMD1_TLBI::TTL.val(level);
        [page[0] | low.value, page[1] | high.value]
    }
}

/// Descriptors of translation tables with a 4 KiB granule.
pub(crate) mod table {
    /// A table.
    pub(crate) const fn table(address: u64) -> u64 {
        address | 3
    }

    /// Stage 2: a page that is read, and written if `write`.
    pub(crate) const fn stage2(address: u64, write: bool) -> u64 {
        address | 3 | 0xf << 2 | 1 << 6 | (write as u64) << 7 | 3 << 8 | 1 << 10
    }

    /// Stage 1: a page of one ASID, open to unprivileged accesses.
    pub(crate) const fn stage1(address: u64, write: bool) -> u64 {
        address | 3 | 1 << 6 | (!write as u64) << 7 | 3 << 8 | 1 << 10 | 1 << 11
    }
}
