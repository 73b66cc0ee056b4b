//! What the system knows of a running process: proc(5).

use std::fs;
use std::time::Duration;

/// Time on a processor, in the process and in the system for it.
pub fn cpu(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    // The second field is a name in brackets, which may hold anything.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// The most memory since the start, or since it was forgotten.
pub fn peak_memory_bytes(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|text| text.trim().strip_suffix(" kB"));
    kib.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Lets the peak be the present use.
pub fn forget_peak_memory(pid: i32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of our own");
}

/// Empties the system's cache of files; tells whether it could.
pub fn drop_file_cache() -> bool {
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}
