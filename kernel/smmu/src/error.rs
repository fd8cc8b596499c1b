//! Everything that can go wrong, in closed lists.

use core::fmt;

use crate::Rejected;

/// Why this driver cannot work with an SMMU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unsupported {
    /// AIDR names another major version than SMMUv3.
    Version(u32),
    /// Neither stage of translation.
    NoStage,
    /// No AArch64 translation tables.
    NoAarch64Tables,
    /// Translation tables are big-endian.
    BigEndianTables,
    /// The 4 KiB granule is missing.
    NoSmallGranule,
    /// Fewer output address bits than the kernel's physical addresses.
    OutputSize(u32),
    /// More stream identifier bits than the architecture defines, or none.
    StreamBits(u32),
    /// The stream table is fixed in place.
    PresetTables,
    /// The queues are fixed in place.
    PresetQueues,
    /// A queue holds fewer entries than the driver needs.
    ShortQueues,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(major) => write!(f, "AIDR: major version {major} is not SMMUv3"),
            Self::NoStage => write!(f, "IDR0: no stage of translation"),
            Self::NoAarch64Tables => write!(f, "IDR0.TTF: no AArch64 translation tables"),
            Self::BigEndianTables => write!(f, "IDR0.TTENDIAN: big-endian translation tables only"),
            Self::NoSmallGranule => write!(f, "IDR5.GRAN4K: no 4 KiB granule"),
            Self::OutputSize(bits) => write!(f, "IDR5.OAS: {bits} address bits, 44 are needed"),
            Self::StreamBits(bits) => write!(f, "IDR1.SIDSIZE: {bits} bits"),
            Self::PresetTables => write!(f, "IDR1.TABLES_PRESET: the stream table is fixed in place"),
            Self::PresetQueues => write!(f, "IDR1.QUEUES_PRESET: the queues are fixed in place"),
            Self::ShortQueues => write!(f, "IDR1: a queue has too few entries"),
        }
    }
}

/// Why the command queue stopped (IHI 0070, 7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandError {
    /// CERROR_ILL.
    Illegal,
    /// CERROR_ABT: the command could not be fetched.
    Fetch,
    /// CERROR_ATC_INV_SYNC.
    DeviceInvalidation,
    /// A value the architecture reserves.
    Reserved(u8),
}

impl CommandError {
    /// The error that CMDQ_CONS.ERR names.
    #[must_use]
    pub const fn from_field(error: u32) -> Self {
        match error {
            1 => Self::Illegal,
            2 => Self::Fetch,
            3 => Self::DeviceInvalidation,
            other => Self::Reserved(other as u8),
        }
    }

    /// The value of CMDQ_CONS.ERR.
    #[must_use]
    pub const fn field(self) -> u32 {
        match self {
            Self::Illegal => 1,
            Self::Fetch => 2,
            Self::DeviceInvalidation => 3,
            Self::Reserved(value) => value as u32,
        }
    }
}

/// Why an operation on the SMMU did not succeed.
///
/// After every variant but [`Uncontrollable`](Failure::Uncontrollable) and [`OutOfRange`](Failure::OutOfRange) the SMMU
/// is disabled and **every stream of it aborts**, so authority that was being removed is gone from the hardware.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// A register did not acknowledge a write; the offset says which.
    NoAcknowledge(u64),
    /// Commands were not completed in time.
    SyncTimeout,
    /// The SMMU rejected a command, and the broader one issued instead.
    Rejected(Rejected),
    /// The SMMU entered service failure mode.
    ServiceFailure,
    /// The SMMU does not even confirm that it is disabled and aborting. Memory it may reach must not be handed out.
    Uncontrollable,
    /// A stream beyond the stream table. Nothing was changed.
    OutOfRange,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAcknowledge(offset) => write!(f, "register {offset:#x} does not acknowledge"),
            Self::SyncTimeout => write!(f, "commands do not complete"),
            Self::Rejected(rejected) => write!(f, "{rejected}"),
            Self::ServiceFailure => write!(f, "service failure mode"),
            Self::Uncontrollable => write!(f, "cannot be disabled"),
            Self::OutOfRange => write!(f, "stream out of range"),
        }
    }
}

/// The global error state (IHI 0070, 7.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GlobalErrors {
    /// Bits of GERROR that are active, or were since they were last acknowledged.
    pub active: u32,
    /// The command the SMMU rejected and the driver stepped over, until it is taken.
    pub rejected: Option<Rejected>,
}
