//! The process's memory and environment, which can hold secrets.

use std::io;

/// Keeps the memory out of core dumps and, on Linux, away from other processes of the same user.
///
/// # Errors
/// What the operating system answers.
pub(crate) fn keep_private() -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}
