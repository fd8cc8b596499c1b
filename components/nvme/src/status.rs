//! The status a controller completes a command with (4.6.1).

use core::fmt;

/// Status of a failed command; success is no value of this type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// What went wrong.
    pub kind: Kind,
    /// The same command would fail again (DNR).
    pub do_not_retry: bool,
    /// The error log page says more.
    pub more: bool,
}

/// What went wrong, by status code type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Of any command (status code type 0).
    Generic(u8),
    /// Of this command (status code type 1).
    CommandSpecific(u8),
    /// Of the medium or of data protection (status code type 2).
    Media(u8),
    /// Of the path (status code type 3).
    Path(u8),
    /// Of the vendor (status code type 7), or of a type the specification reserves.
    Other {
        /// Status code type, 4..=7.
        kind: u8,
        /// Status code.
        code: u8,
    },
}

/// Data Transfer Error: the controller could not reach memory.
pub const DATA_TRANSFER: Kind = Kind::Generic(0x04);
/// LBA Out of Range.
pub const LBA_OUT_OF_RANGE: Kind = Kind::Generic(0x80);
/// Invalid Field in Command.
pub const INVALID_FIELD: Kind = Kind::Generic(0x02);

impl Status {
    /// The result in the 15-bit status field of a completion (bits 31:17 of dword 3).
    ///
    /// # Errors
    /// The status, unless it is Successful Completion.
    pub const fn decode(field: u16) -> Result<(), Self> {
        let code = field as u8;
        let kind = (field >> 8) as u8 & 0x7;
        if code == 0 && kind == 0 {
            return Ok(());
        }
        let kind = match kind {
            0 => Kind::Generic(code),
            1 => Kind::CommandSpecific(code),
            2 => Kind::Media(code),
            3 => Kind::Path(code),
            kind => Kind::Other { kind, code },
        };
        Err(Self { kind, do_not_retry: field & 1 << 14 != 0, more: field & 1 << 13 != 0 })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, code, text) = match self.kind {
            Kind::Generic(code) => ("generic", code, generic(code)),
            Kind::CommandSpecific(code) => ("command-specific", code, command_specific(code)),
            Kind::Media(code) => ("media", code, media(code)),
            Kind::Path(code) => ("path", code, path(code)),
            Kind::Other { kind: 7, code } => ("vendor", code, None),
            Kind::Other { code, .. } => ("reserved", code, None),
        };
        write!(
            f,
            "{} ({class} {code:#04x}{})",
            text.unwrap_or("unknown status"),
            match self.do_not_retry {
                true => ", do not retry",
                false => "",
            }
        )
    }
}

/// Generic Command Status values, and those of the NVM command set (figures 127 and 128).
const fn generic(code: u8) -> Option<&'static str> {
    Some(match code {
        0x01 => "invalid command opcode",
        0x02 => "invalid field in command",
        0x03 => "command ID conflict",
        0x04 => "data transfer error",
        0x05 => "aborted for power loss",
        0x06 => "internal error",
        0x07 => "abort requested",
        0x08 => "aborted: submission queue deleted",
        0x09 => "aborted: failed fused command",
        0x0a => "aborted: missing fused command",
        0x0b => "invalid namespace or format",
        0x0c => "command sequence error",
        0x0d => "invalid SGL segment descriptor",
        0x0e => "invalid number of SGL descriptors",
        0x0f => "invalid SGL data length",
        0x10 => "invalid SGL metadata length",
        0x11 => "invalid SGL descriptor type",
        0x12 => "invalid use of controller memory buffer",
        0x13 => "invalid PRP offset",
        0x14 => "atomic write unit exceeded",
        0x15 => "operation denied",
        0x16 => "invalid SGL offset",
        0x18 => "inconsistent host identifier",
        0x19 => "keep alive timer expired",
        0x1a => "invalid keep alive timeout",
        0x1b => "aborted: preempt and abort",
        0x1c => "sanitize failed",
        0x1d => "sanitize in progress",
        0x1e => "invalid SGL data block granularity",
        0x1f => "command not supported in controller memory buffer",
        0x20 => "namespace is write protected",
        0x21 => "command interrupted",
        0x22 => "transient transport error",
        0x80 => "LBA out of range",
        0x81 => "capacity exceeded",
        0x82 => "namespace not ready",
        0x83 => "reservation conflict",
        0x84 => "format in progress",
        _ => return None,
    })
}

/// Command Specific Status values (figures 129 and 130).
const fn command_specific(code: u8) -> Option<&'static str> {
    Some(match code {
        0x00 => "invalid completion queue",
        0x01 => "invalid queue identifier",
        0x02 => "invalid queue size",
        0x03 => "abort command limit exceeded",
        0x05 => "asynchronous event request limit exceeded",
        0x06 => "invalid firmware slot",
        0x07 => "invalid firmware image",
        0x08 => "invalid interrupt vector",
        0x09 => "invalid log page",
        0x0a => "invalid format",
        0x0c => "invalid queue deletion",
        0x0d => "feature identifier not saveable",
        0x0e => "feature not changeable",
        0x0f => "feature not namespace specific",
        0x80 => "conflicting attributes",
        0x81 => "invalid protection information",
        0x82 => "write to read-only range",
        _ => return None,
    })
}

/// Media and Data Integrity Error values (figures 131 and 132).
const fn media(code: u8) -> Option<&'static str> {
    Some(match code {
        0x80 => "write fault",
        0x81 => "unrecovered read error",
        0x82 => "end-to-end guard check error",
        0x83 => "end-to-end application tag check error",
        0x84 => "end-to-end reference tag check error",
        0x85 => "compare failure",
        0x86 => "access denied",
        0x87 => "deallocated or unwritten block",
        _ => return None,
    })
}

/// Path Related Status values (figure 133).
const fn path(code: u8) -> Option<&'static str> {
    Some(match code {
        0x00 => "internal path error",
        0x01 => "asymmetric access: persistent loss",
        0x02 => "asymmetric access: inaccessible",
        0x03 => "asymmetric access: transition",
        0x60 => "controller pathing error",
        0x70 => "host pathing error",
        0x71 => "aborted by host",
        _ => return None,
    })
}
