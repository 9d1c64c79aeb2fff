//! What a write looks like to those who read: each kind of read learns of it late, in its own time.

use std::time::Duration;

use fastrand::Rng;

use crate::plan::Lag;

/// The kinds of reads, each of which learns of a write in its own time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Read {
    ListAccessKeys,
    GetAccessKeyLastUsed,
    GetUser,
    ListUsers,
    /// The look at the user or the key that a write begins with.
    CheckBeforeWrite,
    GetSecretValue,
    DescribeSecret,
}

const KINDS: usize = 7;

/// When all reads know of a write, at the latest.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(20);

/// When something happens at AWS, and what chance has to say about it.
pub(crate) struct Moment<'a> {
    /// Since the beginning of the life.
    pub(crate) now: Duration,
    pub(crate) lag: Lag,
    pub(crate) dice: &'a mut Rng,
}

impl Moment<'_> {
    /// How long one kind of read does not know of one write: mostly under two seconds, at times up to twenty.
    fn delay(&mut self) -> Duration {
        let longest = LONGEST_DELAY.as_secs() * 1_000;
        let milliseconds = match (self.lag, self.dice.u32(0..100)) {
            (Lag::None, _) => 0,
            (_, 0..50) => self.dice.u64(0..300),
            (_, 50..85) => self.dice.u64(300..2_000),
            (_, 85..95) => self.dice.u64(2_000..8_000),
            _ => self.dice.u64(8_000..longest),
        };
        Duration::from_millis(milliseconds)
    }
}

/// The versions of one thing, the oldest first. `None` is a version too: the thing is gone.
#[derive(Debug)]
pub(crate) struct Replicated<T> {
    versions: Vec<Version<T>>,
}

#[derive(Debug)]
struct Version<T> {
    state: Option<T>,
    /// For each kind of read: from when on it surely sees this version.
    visible: [Duration; KINDS],
}

impl<T> Replicated<T> {
    /// A thing that everyone has known of for long.
    pub(crate) fn settled(state: T) -> Self {
        Self { versions: vec![Version { state: Some(state), visible: [Duration::ZERO; KINDS] }] }
    }

    /// A thing that never was.
    pub(crate) fn nothing() -> Self {
        Self { versions: vec![] }
    }

    /// A thing made at this moment.
    pub(crate) fn made(state: T, moment: &mut Moment<'_>) -> Self {
        let mut new = Self::nothing();
        new.write(Some(state), moment);
        new
    }

    pub(crate) fn write(&mut self, state: Option<T>, moment: &mut Moment<'_>) {
        let visible = std::array::from_fn(|_| moment.now + moment.delay());
        self.versions.push(Version { state, visible });
    }

    /// What is, whether or not anybody can see it.
    pub(crate) fn truth(&self) -> Option<&T> {
        self.versions.last()?.state.as_ref()
    }

    /// What was before the last write.
    pub(crate) fn before(&self) -> Option<&T> {
        self.versions.iter().rev().nth(1)?.state.as_ref()
    }

    /// Whether any of its versions was so.
    pub(crate) fn was(&self, so: impl Fn(&T) -> bool) -> bool {
        self.versions.iter().filter_map(|version| version.state.as_ref()).any(so)
    }

    /// What every read of this kind knows by now.
    pub(crate) fn surely_seen(&self, read: Read, now: Duration) -> Option<&T> {
        self.versions.iter().rev().find(|version| version.visible[read as usize] <= now)?.state.as_ref()
    }

    /// What a read of this kind is told. While replicas flap, it may be any of the versions on their way.
    pub(crate) fn seen(&self, read: Read, moment: &mut Moment<'_>) -> Option<&T> {
        let flaps = moment.lag == Lag::Flapping;
        let seen = self
            .versions
            .iter()
            .rev()
            .find(|version| version.visible[read as usize] <= moment.now || flaps && moment.dice.bool());
        seen?.state.as_ref()
    }
}
