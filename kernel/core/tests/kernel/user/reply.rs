//! What the kernel answers, with the numbers of the interface written out.

/// Label and words of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) label: u64,
    pub(crate) words: Vec<u64>,
}

impl Reply {
    fn new(label: u64, words: &[u64]) -> Self {
        Self { label, words: words.to_vec() }
    }
}

pub(crate) fn ok() -> Reply {
    Reply::new(0, &[])
}

pub(crate) fn ok_with(words: &[u64]) -> Reply {
    Reply::new(0, words)
}

pub(crate) fn invalid_argument(number: u64) -> Reply {
    Reply::new(1, &[number])
}

pub(crate) fn invalid_capability(number: u64) -> Reply {
    Reply::new(2, &[number])
}

pub(crate) fn illegal() -> Reply {
    Reply::new(3, &[])
}

pub(crate) fn range(min: u64, max: u64) -> Reply {
    Reply::new(4, &[min, max])
}

pub(crate) fn alignment() -> Reply {
    Reply::new(5, &[])
}

fn lookup(source: bool, words: &[u64]) -> Reply {
    let mut all = vec![u64::from(source)];
    all.extend(words);
    Reply::new(6, &all)
}

pub(crate) fn invalid_root(source: bool) -> Reply {
    lookup(source, &[1])
}

pub(crate) fn missing(source: bool, bits_left: u64) -> Reply {
    lookup(source, &[2, bits_left])
}

pub(crate) fn depth_mismatch(source: bool, bits_left: u64, bits_found: u64) -> Reply {
    lookup(source, &[3, bits_left, bits_found])
}

pub(crate) fn guard_mismatch(source: bool, bits_left: u64, guard: u64, guard_bits: u64) -> Reply {
    lookup(source, &[4, bits_left, guard, guard_bits])
}

pub(crate) fn truncated() -> Reply {
    Reply::new(7, &[])
}

pub(crate) fn delete_first() -> Reply {
    Reply::new(8, &[])
}

pub(crate) fn revoke_first() -> Reply {
    Reply::new(9, &[])
}

pub(crate) fn not_enough_memory(bytes: u64) -> Reply {
    Reply::new(10, &[bytes])
}
