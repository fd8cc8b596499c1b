//! What the compiler calls to copy and to fill memory. The ones it brings go a word at a time.

use core::arch::global_asm;

// memcpy(x0 to, x1 from, x2 bytes) and memset(x0 to, w1 byte, x2 bytes): whole pairs of words first. Neither runs before the
// MMU is on; Normal memory may be accessed at any address (SCTLR_EL2.A is 0).
global_asm!(
    r#"
.section .text.routines, "ax"
.global memcpy
memcpy:
    mov     x3, x0
    subs    x2, x2, #16
    b.lo    2f
1:  ldp     x4, x5, [x1], #16
    stp     x4, x5, [x3], #16
    subs    x2, x2, #16
    b.hs    1b
2:  tbz     x2, #3, 3f
    ldr     x4, [x1], #8
    str     x4, [x3], #8
3:  ands    x2, x2, #7
    b.eq    5f
4:  ldrb    w4, [x1], #1
    strb    w4, [x3], #1
    subs    x2, x2, #1
    b.ne    4b
5:  ret

.global memset
memset:
    mov     x3, x0
    and     x1, x1, #0xff
    mov     x4, #0x0101010101010101
    mul     x1, x1, x4
    subs    x2, x2, #16
    b.lo    2f
1:  stp     x1, x1, [x3], #16
    subs    x2, x2, #16
    b.hs    1b
2:  tbz     x2, #3, 3f
    str     x1, [x3], #8
3:  ands    x2, x2, #7
    b.eq    5f
4:  strb    w1, [x3], #1
    subs    x2, x2, #1
    b.ne    4b
5:  ret
"#
);
