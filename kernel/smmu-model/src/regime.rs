//! The parameters of one table walk (DDI 0487, D8.2; IHI 0070, 3.4).

use crate::descriptor::Limits;

/// A stage of translation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stage {
    One,
    Two,
}

/// Where a walk may start or go on: a table, by the address the stage gives it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Table {
    pub(crate) level: u32,
    pub(crate) address: u64,
    /// The address is physical although stage 2 translates this stage's addresses.
    pub(crate) physical: bool,
    pub(crate) limits: Limits,
}

/// Tables of one stage and how they are walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Regime {
    pub(crate) stage: Stage,
    /// log2 of the bytes of a granule.
    pub(crate) granule: u32,
    /// Bits of an input address; what lies above was checked before the walk.
    pub(crate) input_bits: u32,
    pub(crate) output_bits: u32,
    pub(crate) root: Table,
    /// A clear access flag does not fault.
    pub(crate) ignore_access_flag: bool,
    /// Tables restrict what lies below them (stage 1).
    pub(crate) hierarchical: bool,
    /// Writable memory is not executable (stage 1).
    pub(crate) write_excludes_execute: bool,
    /// Privileged data accesses to what is open to unprivileged ones fault (stage 1).
    pub(crate) privileged_never: bool,
}

impl Regime {
    /// Index bits of a whole table.
    pub(crate) fn stride(granule: u32) -> u32 {
        granule - 3
    }

    /// log2 of the bytes one entry of `level` covers.
    pub(crate) fn coverage(granule: u32, level: u32) -> u32 {
        granule + Self::stride(granule) * (3 - level)
    }

    pub(crate) fn shift(&self, level: u32) -> u32 {
        Self::coverage(self.granule, level)
    }

    /// log2 of the entries of a table at `level`: at the root fewer, or more when tables are concatenated.
    pub(crate) fn index_bits(&self, level: u32) -> u32 {
        if level == self.root.level { self.input_bits - self.shift(level) } else { Self::stride(self.granule) }
    }

    /// Address of the entry that translates `input` in a table.
    pub(crate) fn slot(&self, table: &Table, input: u64) -> u64 {
        let index = input >> self.shift(table.level) & ((1 << self.index_bits(table.level)) - 1);
        table.address + 8 * index
    }

    /// The level at which a stage-1 walk of `input_bits` starts: as many levels as it takes.
    pub(crate) fn first_level(granule: u32, input_bits: u32) -> u32 {
        4 - (input_bits - granule).div_ceil(Self::stride(granule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_start_where_the_architecture_says() {
        let levels =
            |granule, sizes: &[u32]| sizes.iter().map(|bits| Regime::first_level(granule, *bits)).collect::<Vec<_>>();
        assert_eq!(levels(12, &[25, 30, 31, 39, 40, 48]), [2, 2, 1, 1, 0, 0]);
        assert_eq!(levels(14, &[25, 26, 36, 37, 47, 48]), [3, 2, 2, 1, 1, 0]);
        assert_eq!(levels(16, &[25, 29, 30, 42, 43, 48]), [3, 3, 2, 2, 1, 1]);
    }
}
