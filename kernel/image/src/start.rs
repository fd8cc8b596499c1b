//! From the loader to the first line of Rust: a first set of translation tables, the MMU, a stack.
//!
//! Entered as the arm64 boot protocol says: MMU off, `x0` = physical address of the device tree, loaded at a 2 MiB
//! boundary; at EL2, or at EL3, which [`crate::el3`] leaves. With nothing in `x0` the tree is looked for 2 MiB below the
//! kernel. Code before the MMU is on is position-independent; then execution moves to the linked addresses. The
//! tables made here map whole gigabytes; [`crate::mmu`] replaces them by exact ones.

use core::arch::global_asm;

global_asm!(
    r#"
.section .head, "ax"
.global _head
_head:
    b       1f
    .long   0
    .quad   0                       // text_offset
    .quad   0                       // image_size: patched when the boot image is packed
    .quad   0xa                     // little-endian, 4 KiB pages, anywhere in memory
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

1:  msr     daifset, #0xf
    mov     x20, x0
    mov     x19, #0                 // whether EL3 is the kernel's to leave
    mrs     x9, CurrentEL
    cmp     x9, #(2 << 2)
    b.eq    2f
    cmp     x9, #(3 << 2)
    b.ne    9f
    mov     x19, #1
    adr     x30, 2f
    b       sluice_drop
2:  adrp    x21, _head
    tst     x21, #0x1fffff
    b.ne    9f
    // A loader that sets no registers puts the device tree right below the image.
    cbnz    x20, 3f
    sub     x20, x21, #0x200000
3:

    // Identity, for the instructions around switching the MMU on.
    adrp    x0, boot_l0
    adrp    x1, boot_l1_identity
    orr     x2, x1, #3
    lsr     x3, x21, #39
    str     x2, [x0, x3, lsl #3]
    lsr     x4, x21, #30
    lsl     x5, x4, #30
    mov     x6, #0x745              // block, Normal, AP[1] RES1, inner shareable, accessed (DDI 0487, D8.3)
    orr     x5, x5, x6
    and     x4, x4, #511
    str     x5, [x1, x4, lsl #3]

    // The window on physical memory: the gigabyte the kernel is in, and the two from the device tree's start.
    adrp    x1, boot_l1_window
    orr     x2, x1, #3
    add     x3, x3, #256
    str     x2, [x0, x3, lsl #3]
    str     x5, [x1, x4, lsl #3]
    lsr     x4, x20, #30
    lsl     x5, x4, #30
    orr     x5, x5, x6
    and     x4, x4, #511
    str     x5, [x1, x4, lsl #3]
    mov     x7, #0x40000000
    add     x5, x5, x7
    add     x4, x4, #1
    and     x4, x4, #511
    str     x5, [x1, x4, lsl #3]

    // The kernel where it is linked: four 2 MiB blocks.
    adrp    x1, boot_l1_kernel
    orr     x2, x1, #3
    str     x2, [x0, #(511 * 8)]
    adrp    x2, boot_l2_kernel
    orr     x3, x2, #3
    str     x3, [x1]
    orr     x5, x21, x6
    mov     x4, #0
2:  str     x5, [x2, x4, lsl #3]
    add     x5, x5, #0x200000
    add     x4, x4, #1
    cmp     x4, #4
    b.ne    2b

    // What was stored with the MMU off is in memory. Lines that the loader cleaned may still be cached, and the walker,
    // which reads through the cache, would find them instead.
    dmb     sy
    adrp    x0, boot_l0
    add     x3, x0, #(5 * 4096)
    mrs     x4, ctr_el0
    ubfx    x4, x4, #16, #4
    mov     x5, #4
    lsl     x4, x5, x4
4:  dc      ivac, x0
    add     x0, x0, x4
    cmp     x0, x3
    b.lo    4b
    dsb     sy
    adrp    x0, boot_l0

    mov     x1, #0xff00             // attribute 0 Device-nGnRnE, 1 Normal write-back
    msr     mair_el2, x1
    mrs     x1, id_aa64mmfr0_el1
    and     x1, x1, #0xf
    mov     x2, #5
    cmp     x1, x2
    csel    x1, x1, x2, lo
    lsl     x1, x1, #16
    ldr     x2, =0x80803510         // T0SZ 16, write-back, inner shareable, 4 KiB, RES1
    orr     x1, x1, x2
    msr     tcr_el2, x1
    msr     ttbr0_el2, x0
    dsb     sy
    tlbi    alle2
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    ldr     x1, =0x30c5183d         // M, C, I, SA and RES1
    msr     sctlr_el2, x1
    isb
    ldr     x9, =3f
    br      x9
3:  ldr     x9, =__stack_top
    mov     sp, x9
    ldr     x9, =vectors
    msr     vbar_el2, x9
    isb
    mov     x0, x20
    mov     x1, x21
    mov     x2, x19
    bl      sluice_boot
    b       resume_user

9:  wfe
    b       9b

.section .bss.tables, "aw", @nobits
.balign 4096
// Together: they are invalidated as one range.
boot_l0: .skip 4096
boot_l1_identity: .skip 4096
boot_l1_window: .skip 4096
boot_l1_kernel: .skip 4096
boot_l2_kernel: .skip 4096

.section .bss.stack, "aw", @nobits
.balign 4096
.skip 0x20000
.global __stack_top
__stack_top:
"#
);
