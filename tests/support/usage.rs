//! What a process takes of the machine, as the kernel counts it.

use std::fs;
use std::time::Duration;

use super::running::Running;

/// Processor time that a process has taken so far, its ended children's left aside.
pub fn cpu_time(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The name in parentheses may hold anything; behind it the fields are counted from the third.
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Most memory that a process has had so far, in bytes.
pub fn peak_memory(pid: i32) -> u64 {
    memory(pid, "VmHWM:").expect("it runs")
}

/// What a process has of memory now, in bytes.
pub fn resident_memory(pid: i32) -> u64 {
    memory(pid, "VmRSS:").expect("it runs")
}

/// Waits for the end of a program, which must succeed; gives the most memory that it has had, in bytes. The
/// last look at one that is over soon may be one at its beginning.
pub fn peak_until_the_end(mut running: Running) -> u64 {
    let mut peak = 0;
    let status = loop {
        // The kernel keeps the maximum: what counts is the last look before the end.
        peak = peak.max(memory(running.pid(), "VmHWM:").unwrap_or(0));
        if let Some(status) = running.try_wait() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{}", running.log());
    peak
}

/// A line of a process's memory, in bytes; none once it has ended.
fn memory(pid: i32, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = status.lines().find_map(|text| text.strip_prefix(line))?;
    Some(value.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") << 10)
}
