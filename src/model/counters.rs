//! Counters: filled in next.
