//! seeded
