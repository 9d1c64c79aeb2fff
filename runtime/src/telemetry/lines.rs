//! The lines of one invocation, as they went to standard output.
//!
//! A task-local holds them, so that the lines of two invocations that overlap do not mix.

use std::{
    cell::RefCell,
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::Level;

/// What `PutLogEvents` takes in one call ([quotas]).
///
/// [quotas]: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
const MAX_LINES: usize = 10_000;

/// The same in bytes.
const MAX_BYTES: usize = 1_048_576;

/// What each line counts for beside its own bytes.
const BYTES_PER_LINE: usize = 26;

tokio::task_local! {
    static INVOCATION: Invocation;
}

struct Invocation {
    level: Option<Level>,
    kept: RefCell<Kept>,
}

/// As many lines of an invocation as one delivery takes, from the first on.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) lines: Vec<Line>,
    /// How many more lines there were.
    pub(crate) omitted: usize,
    bytes: usize,
}

/// A line of JSON.
#[derive(Debug)]
pub(crate) struct Line {
    /// Milliseconds after 1970.
    pub(crate) time: i64,
    pub(crate) json: String,
}

impl Kept {
    fn keep(&mut self, json: &str) {
        let bytes = self.bytes + json.len() + BYTES_PER_LINE;
        if self.lines.len() == MAX_LINES || bytes > MAX_BYTES {
            self.omitted += 1;
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // In order, even where the clock was set back.
        let last = self.lines.last().map_or(0, |line| line.time);
        let time = i64::try_from(now.as_millis()).unwrap_or(last).max(last);
        self.lines.push(Line { time, json: json.to_owned() });
        self.bytes = bytes;
    }
}

/// Does `work` and keeps its lines, those of `level` or above.
pub(crate) async fn keep<T>(level: Option<Level>, work: impl Future<Output = T>) -> (T, Kept) {
    let invocation = Invocation { level, kept: RefCell::default() };
    let kept = async {
        let outcome = work.await;
        (outcome, INVOCATION.with(|invocation| invocation.kept.take()))
    };
    INVOCATION.scope(invocation, kept).await
}

/// The level that the current invocation asks for.
pub(crate) fn level() -> Option<Level> {
    INVOCATION.try_with(|invocation| invocation.level).ok().flatten()
}

/// Keeps each line that is written to it for the current invocation, if there is one.
#[derive(Debug)]
pub(crate) struct Keeper;

impl io::Write for Keeper {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let json = String::from_utf8_lossy(line);
        // Outside of an invocation, the line is not kept.
        let _ = INVOCATION.try_with(|invocation| invocation.kept.borrow_mut().keep(json.trim_end()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_lines_are_kept_than_one_delivery_takes() {
        let mut many = Kept::default();
        for _ in 0..10_010 {
            many.keep("{}");
        }
        assert_eq!((many.lines.len(), many.omitted), (10_000, 10));
        assert!(many.lines.is_sorted_by_key(|line| line.time));

        let mut long = Kept::default();
        for _ in 0..5 {
            long.keep(&"x".repeat(262_144 - 26));
        }
        assert_eq!((long.lines.len(), long.omitted), (4, 1));
    }
}
