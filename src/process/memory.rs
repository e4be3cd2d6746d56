//! How the process keeps memory that it no longer needs.

/// From this size on a buffer has a mapping of its own, which the kernel gets back with the last byte of it. The
/// buffers of a batch are smaller: each page of a mapping costs the kernel as much as reading it does, and a
/// `cache-all` that maps them anew took a sixth longer.
#[cfg(target_env = "gnu")]
const OF_ITS_OWN: libc::c_int = 4 << 20;

/// So much that is free at the end of a heap is kept for the next buffers, for the same reason. Measured: 5 MiB are no
/// faster, and a `cache-all` of files of 100 KB takes 6 MiB more with them.
#[cfg(target_env = "gnu")]
const KEPT: libc::c_int = 3 << 20;

/// Threads share so many heaps: more keep more memory that nobody uses.
#[cfg(target_env = "gnu")]
const HEAPS: libc::c_int = 2;

/// Sets how much of what is freed is kept. Without it glibc raises the size of what it maps on its own with each such
/// buffer that is freed, and keeps the larger ones in a heap for every thread from then on: two uploads of 300 MiB
/// at once took a third more memory by that. To be called first of all.
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    for (option, value) in [
        (libc::M_MMAP_THRESHOLD, OF_ITS_OWN),
        (libc::M_TRIM_THRESHOLD, KEPT),
        (libc::M_ARENA_MAX, HEAPS),
    ] {
        // SAFETY: mallopt takes two numbers and changes how the allocator divides up memory from now on; what
        // has been allocated stays. Where it refuses, all stays as it was.
        let _ = unsafe { libc::mallopt(option, value) };
    }
}

/// Gives everything back to the system that is free at this moment: for when there is nothing to do for a while.
pub fn give_back() {
    // SAFETY: malloc_trim takes a number of bytes to keep, and touches nothing that is in use.
    #[cfg(target_env = "gnu")]
    let _ = unsafe { libc::malloc_trim(0) };
}
