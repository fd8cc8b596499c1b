//! System-call stubs and typed capabilities.
#![no_std]
