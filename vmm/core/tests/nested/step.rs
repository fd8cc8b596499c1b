//! What a guest does, as data that shrinks.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Streams of the guest.
pub(crate) const STREAMS: usize = 3;
/// Tables of stage 1.
pub(crate) const ROOTS: usize = 2;
/// Pages that devices use.
pub(crate) const PAGES: usize = 4;
/// Context descriptors, the last of which is not in memory.
pub(crate) const DESCRIPTORS: usize = 3;
/// Places that a page can lead to, the last of which is not in memory.
pub(crate) const FRAMES: usize = 4;

/// What an entry says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Invalid,
    Abort,
    Bypass,
    Stage1(usize),
    /// Stage 2, which is not offered.
    Nested,
    /// Descriptors beyond the output addresses.
    Beyond,
}

/// Which word of an entry is stored: a guest may store them one by one, in any order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Words {
    First,
    Second,
    Both,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Stream { stream: usize, leaf: bool },
    AllStreams,
    Descriptor { stream: usize },
    Descriptors { stream: usize },
    All,
    EveryAll,
    Asid(u64),
    Address { asid: Option<u64>, page: usize, leaf: bool },
    Range { asid: Option<u64>, page: usize, pages: u64, leaf: bool, level: bool },
    Sync,
    Illegal,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Entry {
        stream: usize,
        kind: Kind,
        words: Words,
        attributes: bool,
    },
    /// The second-level stream table of the first or of the other streams is linked or not.
    Streams {
        half: usize,
        linked: bool,
    },
    Descriptor {
        descriptor: usize,
        asid: u64,
        root: usize,
        valid: bool,
    },
    Page {
        root: usize,
        page: usize,
        to: Option<usize>,
        write: bool,
        global: bool,
    },
    /// The last table of stage 1 is linked, not linked, or not in memory.
    Link {
        root: usize,
        to: Option<bool>,
    },
    Commands(Vec<Command>),
    /// What a driver does that gives a stream a context.
    Attach {
        stream: usize,
        descriptor: usize,
    },
    /// What a driver does that takes a page away.
    Unmap {
        root: usize,
        page: usize,
        asid: u64,
    },
    /// A stream's descriptor is replaced: it is to be forgotten first, then what was made by it.
    Replace {
        stream: usize,
        descriptor: usize,
        asid: u64,
        root: usize,
    },
    /// A last table is taken away: it is to be forgotten first, by one of its pages, then another page.
    Unlink {
        root: usize,
        page: usize,
    },
    Enable(bool),
    AbortWhileDisabled(bool),
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => Just(Kind::Invalid),
        1 => Just(Kind::Abort),
        2 => Just(Kind::Bypass),
        8 => (0..DESCRIPTORS).prop_map(Kind::Stage1),
        1 => Just(Kind::Nested),
        1 => Just(Kind::Beyond),
    ]
}

fn commands() -> impl Strategy<Value = Command> {
    let asid = || option::weighted(0.7, 1..3u64);
    prop_oneof![
        4 => (0..STREAMS, any::<bool>()).prop_map(|(stream, leaf)| Command::Stream { stream, leaf }),
        1 => Just(Command::AllStreams),
        3 => (0..STREAMS).prop_map(|stream| Command::Descriptor { stream }),
        2 => (0..STREAMS).prop_map(|stream| Command::Descriptors { stream }),
        1 => Just(Command::All),
        1 => Just(Command::EveryAll),
        3 => (1..3u64).prop_map(Command::Asid),
        4 => (asid(), 0..PAGES, any::<bool>()).prop_map(|(asid, page, leaf)| Command::Address { asid, page, leaf }),
        3 => (asid(), 0..PAGES, 1..4u64, any::<bool>(), any::<bool>())
            .prop_map(|(asid, page, pages, leaf, level)| Command::Range { asid, page, pages, leaf, level }),
        8 => Just(Command::Sync),
        1 => Just(Command::Illegal),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let words = prop_oneof![1 => Just(Words::First), 1 => Just(Words::Second), 6 => Just(Words::Both)];
    prop_oneof![
        3 => (0..STREAMS, kinds(), words, any::<bool>())
            .prop_map(|(stream, kind, words, attributes)| Step::Entry { stream, kind, words, attributes }),
        1 => (0..2usize, prop::bool::weighted(0.7)).prop_map(|(half, linked)| Step::Streams { half, linked }),
        3 => (0..DESCRIPTORS - 1, 1..3u64, 0..ROOTS, prop::bool::weighted(0.9))
            .prop_map(|(descriptor, asid, root, valid)| Step::Descriptor { descriptor, asid, root, valid }),
        4 => (0..ROOTS, 0..PAGES, option::weighted(0.85, 0..FRAMES), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(root, page, to, write, global)| Step::Page { root, page, to, write, global }),
        3 => (0..ROOTS, option::weighted(0.9, prop::bool::weighted(0.9))).prop_map(|(root, to)| Step::Link { root, to }),
        6 => vec(commands(), 1..8).prop_map(Step::Commands),
        4 => (0..STREAMS, 0..DESCRIPTORS).prop_map(|(stream, descriptor)| Step::Attach { stream, descriptor }),
        2 => (0..ROOTS, 0..PAGES, 1..3u64).prop_map(|(root, page, asid)| Step::Unmap { root, page, asid }),
        2 => (0..STREAMS, 0..DESCRIPTORS - 1, 1..3u64, 0..ROOTS)
            .prop_map(|(stream, descriptor, asid, root)| Step::Replace { stream, descriptor, asid, root }),
        2 => (0..ROOTS, 0..PAGES).prop_map(|(root, page)| Step::Unlink { root, page }),
        1 => prop::bool::weighted(0.9).prop_map(Step::Enable),
        1 => any::<bool>().prop_map(Step::AbortWhileDisabled),
    ]
}

/// What a guest does in one case.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..40)
}
