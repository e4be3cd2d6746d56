//! Which files are settled: filled in next.
