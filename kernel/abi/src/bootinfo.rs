//! What the kernel tells the root task at boot.

use crate::numbered::{constants, layout};

/// Slots of the initial capabilities in the root CNode.
pub mod slot {
    use crate::numbered::constants;

    constants! {
        /// All of them, ascending.
        pub const ALL;

        /// The root thread.
        pub const INIT_TCB: u64 = 1;
        /// The root CNode itself.
        pub const INIT_CNODE: u64 = 2;
        /// The root VSpace.
        pub const INIT_VSPACE: u64 = 3;
        /// Authority over interrupts.
        pub const IRQ_CONTROL: u64 = 4;
        /// Authority to make ASID pools.
        pub const ASID_CONTROL: u64 = 5;
        /// The pool the root VSpace's ASID is from.
        pub const INIT_ASID_POOL: u64 = 6;
        /// Frame of the [`super::BootInfo`].
        pub const BOOT_INFO_FRAME: u64 = 9;
        /// Frame of the root thread's IPC buffer.
        pub const INIT_IPC_BUFFER: u64 = 10;
        /// Authority over scheduling domains.
        pub const DOMAIN: u64 = 11;
        /// Authority over the streams of every SMMU.
        pub const SID_CONTROL: u64 = 12;
        /// Authority over the contexts of every SMMU.
        pub const CB_CONTROL: u64 = 13;
        /// First slot after the fixed ones.
        pub const FIRST_FREE: u64 = 16;
    }
}

/// log2 of the root CNode's slots unless the image asks for more.
pub const ROOT_CNODE_BITS: u32 = 13;
/// Untyped descriptors that fit the boot information.
pub const MAX_UNTYPEDS: usize = 230;

layout! {
    /// Slots `start..end` of the root CNode.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct SlotRegion {
        /// First slot.
        pub start: u64,
        /// One past the last slot.
        pub end: u64,
    }
}

layout! {
    /// One Untyped of the list.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct UntypedDesc {
        /// Its physical address.
        pub paddr: u64,
        /// log2 of its bytes.
        pub size_bits: u8,
        /// 1 when it is no ordinary memory.
        pub is_device: u8,
        /// Zero.
        pub padding: [u8; 6],
    }
}

layout! {
    /// Boot information, at the address in the root thread's `x0`; 3848 bytes.
    ///
    /// Chunks of extra information ([`ExtraHeader`]) start one page on and are `extra_len` bytes together.
    #[derive(Clone, Copy, Debug)]
    pub struct BootInfo {
        /// Bytes of extra information.
        pub extra_len: u64,
        /// Number of this core.
        pub node_id: u64,
        /// Number of cores.
        pub num_nodes: u64,
        /// I/O page table levels (0 here).
        pub num_iopt_levels: u64,
        /// Address of the root thread's IPC buffer.
        pub ipc_buffer: u64,
        /// Empty slots.
        pub empty: SlotRegion,
        /// Frames shared with other nodes (none).
        pub shared_frames: SlotRegion,
        /// Frames of the root task's image, ascending.
        pub user_image_frames: SlotRegion,
        /// Page tables of the root task.
        pub user_image_paging: SlotRegion,
        /// I/O space capabilities (none here).
        pub io_space_caps: SlotRegion,
        /// Frames of the extra information.
        pub extra_bi_pages: SlotRegion,
        /// log2 of the root CNode's slots.
        pub init_cnode_bits: u64,
        /// Domain of the root thread.
        pub init_domain: u64,
        /// Untyped capabilities, described in `untyped_list` in the same order.
        pub untyped: SlotRegion,
        /// What each Untyped is.
        pub untyped_list: [UntypedDesc; MAX_UNTYPEDS],
    }
}

layout! {
    /// Header of a chunk of extra boot information.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct ExtraHeader {
        /// Kind of chunk.
        pub id: u64,
        /// Bytes, this header included.
        pub len: u64,
    }
}

constants! {
    /// Kinds of chunks of extra information.
    pub const EXTRAS;

    /// Chunk: nothing of interest.
    pub const EXTRA_PADDING: u64 = 0;
    /// Chunk: the flattened device tree.
    pub const EXTRA_FDT: u64 = 6;
    /// Chunk of Sluice's debug builds: [`DebugCanary`].
    pub const EXTRA_DEBUG_CANARY: u64 = 0x5100;
    /// Chunk: a [`SmmuIdentification`] for each SMMU, in the order of their numbers.
    pub const EXTRA_SMMUS: u64 = 0x5101;
}

layout! {
    /// Where a debug build keeps the word that attacks on kernel memory aim at.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct DebugCanary {
        /// Physical address of a page of the kernel that holds nothing else.
        pub paddr: u64,
        /// The value every word of the page holds.
        pub value: u64,
    }
}

layout! {
    /// Identification registers of an SMMU (IHI 0070, 6.3.1 to 6.3.8), each in a word: what a virtual one for nested
    /// translation may offer.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct SmmuIdentification {
        /// SMMU_IDR0.
        pub idr0: u64,
        /// SMMU_IDR1.
        pub idr1: u64,
        /// SMMU_IDR3.
        pub idr3: u64,
        /// SMMU_IDR5.
        pub idr5: u64,
    }
}

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<BootInfo>() == 3848);
    assert!(offset_of!(BootInfo, ipc_buffer) == 32);
    assert!(offset_of!(BootInfo, empty) == 40);
    assert!(offset_of!(BootInfo, init_cnode_bits) == 136);
    assert!(offset_of!(BootInfo, untyped) == 152);
    assert!(offset_of!(BootInfo, untyped_list) == 168);
};
