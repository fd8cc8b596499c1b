//! DMA spaces, pools and objects.
#![no_std]
