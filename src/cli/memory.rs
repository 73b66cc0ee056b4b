use std::io;

/// Keeps this process's memory, which holds keys, to itself: a crash leaves no core of it on a
/// disk, and other processes of the same user can neither attach to it nor read it (prctl(2),
/// `PR_SET_DUMPABLE`). Root still can.
#[cfg(target_os = "linux")]
pub(super) fn keep_private() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Other systems have no such switch that a program can set for itself.
#[cfg(not(target_os = "linux"))]
pub(super) fn keep_private() -> io::Result<()> {
    Ok(())
}
