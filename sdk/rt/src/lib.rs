//! Entry, stack, heap, panic and logging of a component.
#![no_std]
