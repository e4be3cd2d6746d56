//! How the process keeps memory that it no longer needs.

/// From this size on a buffer has a mapping of its own, which the kernel gets back with the last byte of it.
#[cfg(target_env = "gnu")]
const OF_ITS_OWN: libc::c_int = 512 << 10;

/// Threads share so many heaps: more keep more memory that nobody uses.
#[cfg(target_env = "gnu")]
const HEAPS: libc::c_int = 2;

/// Has what is freed given back to the system. glibc raises the size of what it maps on its own with each
/// such buffer that is freed, and keeps the larger ones in a heap for every thread from then on: two uploads
/// of 300 MiB at once took a third more memory by that. To be called first of all.
pub fn give_back_what_is_freed() {
    #[cfg(target_env = "gnu")]
    for (option, value) in [(libc::M_MMAP_THRESHOLD, OF_ITS_OWN), (libc::M_ARENA_MAX, HEAPS)] {
        // SAFETY: mallopt takes two numbers and changes how the allocator divides up memory from now on; what
        // has been allocated stays. Where it refuses, all stays as it was.
        let _ = unsafe { libc::mallopt(option, value) };
    }
}
