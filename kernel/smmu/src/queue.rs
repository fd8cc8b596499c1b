//! Index arithmetic of both queues (IHI 0070, 3.5): an index and a wrap bit above it.

/// A queue of 2^`bits` entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ring {
    bits: u32,
}

impl Ring {
    pub(crate) const fn new(bits: u32) -> Self {
        Self { bits }
    }

    /// Index and wrap bit of a register value.
    pub(crate) const fn pointer(self, register: u32) -> u32 {
        register & ((2 << self.bits) - 1)
    }

    /// The entry a pointer names.
    pub(crate) const fn entry(self, pointer: u32) -> u64 {
        (pointer & ((1 << self.bits) - 1)) as u64
    }

    /// The pointer after `pointer`.
    pub(crate) const fn next(self, pointer: u32) -> u32 {
        self.pointer(pointer + 1)
    }

    /// Entries between consumer and producer. More than the queue holds means that a pointer is not the hardware's.
    pub(crate) const fn filled(self, producer: u32, consumer: u32) -> u32 {
        self.pointer(producer.wrapping_sub(consumer))
    }

    /// Whether no entry is free.
    pub(crate) const fn is_full(self, producer: u32, consumer: u32) -> bool {
        self.filled(producer, consumer) >= 1 << self.bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_fills_and_empties_across_the_wrap() {
        let ring = Ring::new(2);
        for start in 0..8 {
            let mut producer = start;
            for count in 0..4 {
                assert_eq!(ring.filled(producer, start), count);
                assert!(!ring.is_full(producer, start));
                producer = ring.next(producer);
            }
            assert!(ring.is_full(producer, start));
            assert_eq!(ring.entry(producer), ring.entry(start));
            assert_ne!(producer, start);
        }
    }
}
