//! How much a guest can have its VMM say: lines about its devices' faults, of which it can cause any number.

/// Lines of a stretch of time.
pub const LINES: u32 = 8;

/// What is left of the lines of this stretch, and how many were left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ration {
    /// Ticks of a stretch.
    stretch: u64,
    ends: u64,
    left: u32,
    omitted: u64,
}

/// Whether a line is to be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permit {
    /// It is, after one that tells how many were left out, if any were.
    Say {
        /// Lines left out since the last one that was said.
        omitted: u64,
    },
    /// It is left out.
    Omit,
}

impl Ration {
    /// [`LINES`] lines in each stretch of so many ticks.
    #[must_use]
    pub const fn new(stretch: u64) -> Self {
        Self { stretch, ends: 0, left: 0, omitted: 0 }
    }

    /// There is something to say, at a moment that is no earlier than the last one.
    pub const fn ask(&mut self, now: u64) -> Permit {
        if now >= self.ends {
            self.ends = now.saturating_add(self.stretch);
            self.left = LINES;
        }
        if self.left == 0 {
            self.omitted = self.omitted.saturating_add(1);
            return Permit::Omit;
        }
        self.left -= 1;
        Permit::Say { omitted: self.take_omitted() }
    }

    /// How many were left out and not told of.
    pub const fn take_omitted(&mut self) -> u64 {
        let omitted = self.omitted;
        self.omitted = 0;
        omitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_and_a_number() {
        let mut ration = Ration::new(1000);
        let said = (0..5000).filter(|now| ration.ask(*now) != Permit::Omit).count();
        assert_eq!(said, 5 * LINES as usize);
        // Of the last stretch; the others were told of at the first line of the next.
        assert_eq!((ration.take_omitted(), ration.take_omitted()), (1000 - u64::from(LINES), 0));
    }

    #[test]
    fn the_first_line_after_a_flood_tells_how_many_were_left_out() {
        let mut ration = Ration::new(10);
        assert!((0..LINES).all(|_| ration.ask(5) == Permit::Say { omitted: 0 }));
        assert_eq!([ration.ask(5), ration.ask(14)], [Permit::Omit; 2]);
        assert_eq!(ration.ask(15), Permit::Say { omitted: 2 });
        assert_eq!(ration.ask(u64::MAX), Permit::Say { omitted: 0 });
    }
}
