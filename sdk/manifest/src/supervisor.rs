//! Labels of messages to the supervisor's endpoint; fault labels are the kernel's (below 16).

/// The component has finished: MR0 = checks that passed, MR1 = checks that failed.
pub const FINISHED: u64 = 0x100;
/// The component cannot go on; the reason is on the console.
pub const PANICKED: u64 = 0x101;
/// Something is to be done to a PCI function of the component: MR0 = its position in the component's list of
/// devices, MR1 = a [`DeviceAction`]. The answer's label is 0, or 1 when it was not done; the console says why.
pub const DEVICE: u64 = 0x102;
/// The component is the machine monitor of a guest whose processors are about to run: its memory is mapped, and no instruction of
/// it has been executed. The answer, whose label is 0, comes when everything has been looked at that is to be looked at.
pub const GUEST_MADE: u64 = 0x103;

/// What configuration space is needed for, and so the supervisor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum DeviceAction {
    /// It masters nothing, decodes nothing and raises no interrupt.
    Quiesce = 0,
    /// It is reset, by the best method it has, and is quiet then, at the addresses it had.
    Reset = 1,
    /// It decodes, and interrupts if it has an interrupt.
    Start = 2,
    /// It masters memory. Its streams should be bound by then; unbound ones abort.
    Master = 3,
    /// It masters no memory any more; what it has begun is bounded by its streams only.
    NoMaster = 4,
}

impl DeviceAction {
    /// The action with this number.
    #[must_use]
    pub const fn from_word(word: u64) -> Option<Self> {
        match word {
            0 => Some(Self::Quiesce),
            1 => Some(Self::Reset),
            2 => Some(Self::Start),
            3 => Some(Self::Master),
            4 => Some(Self::NoMaster),
            _ => None,
        }
    }
}

/// Answers of the supervisor in the stead of a server that died: labels that no server of this project uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum ServerEnd {
    /// The server died, and with it the call: it was carried out, or in part, or not at all. A call made from now on is served
    /// by the server's next life.
    Died = 0x110,
    /// The server stays stopped, and so does every call to it.
    Gone = 0x111,
}

impl ServerEnd {
    /// The end that an answer with this label tells of.
    #[must_use]
    pub const fn from_label(label: u64) -> Option<Self> {
        match label {
            0x110 => Some(Self::Died),
            0x111 => Some(Self::Gone),
            _ => None,
        }
    }
}
