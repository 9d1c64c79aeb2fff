//! What time it is.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The wall clock of one invocation. It runs on tokio's time, so a test that pauses that time also sets this clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: SystemTime,
    started: Instant,
}

impl Clock {
    /// The clock that starts at `now`.
    #[must_use]
    pub fn starting_at(now: SystemTime) -> Self {
        Self { start: now, started: Instant::now() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.start + self.started.elapsed()
    }

    /// How long ago `time` was; zero if `time` comes from a clock that is ahead of ours.
    #[must_use]
    pub fn age(&self, time: SystemTime) -> Duration {
        self.now().duration_since(time).unwrap_or_default()
    }
}
