//! What everybody in a life shares: AWS, the clock, the story, and the truth about who did what.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use access_key_schema::Action;
use aws_smithy_async::time::TimeSource;
use aws_smithy_types::{DateTime, date_time::Format};
use fastrand::Rng;
use tokio::time::Instant;

use crate::{
    aws::{iam::Iam, replica::Moment, secrets_manager::SecretsManager},
    invariants::Ledger,
    plan::{OTHER_REGION, Plan, REGION},
    story::Story,
    weather::Weather,
};

/// When lives begin, by AWS's clock: in 2026.
const BEGINNING: u64 = 1_767_225_600;

/// What everybody in a life shares.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) story: Arc<Story>,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) iam: Iam,
    /// By region.
    pub(crate) stores: BTreeMap<&'static str, SecretsManager>,
    pub(crate) weather: Weather,
    pub(crate) dice: Rng,
    pub(crate) ledger: Ledger,
}

/// Who made a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Person,
    /// The number of the operation of `CloudFormation`.
    Operation(usize),
}

/// Which invocation of a handler calls AWS.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) invocation: u32,
    /// Whether nothing goes wrong for it.
    pub(crate) is_calm: bool,
    /// The operation that it is part of. READs and LISTs that only look are part of none.
    pub(crate) operation: Option<usize>,
    pub(crate) action: Action,
    /// The key that the request names.
    pub(crate) key: Option<String>,
    pub(crate) region: &'static str,
    pub(crate) prefix: &'static str,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Arc<Self> {
        let state = State {
            iam: Iam::new(&plan),
            stores: [REGION, OTHER_REGION].map(|region| (region, SecretsManager::new(region))).into(),
            weather: Weather::default(),
            dice: Rng::with_seed(plan.dice),
            ledger: Ledger::default(),
        };
        Arc::new(Self { plan, story: Story::new(), start: Instant::now(), state: Mutex::new(state) })
    }

    /// Since the beginning of the life.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Something that happens at AWS now.
    pub(crate) fn at_aws<T>(&self, happens: impl FnOnce(&mut Iam, &mut Stores, &mut Moment<'_>) -> T) -> T {
        let State { iam, stores, dice, .. } = &mut *self.state();
        happens(iam, stores, &mut Moment { now: self.now(), lag: self.plan.lag, dice })
    }

    /// The function's clock.
    pub(crate) fn function_clock(&self) -> FunctionClock {
        FunctionClock { start: self.start, ahead: self.plan.clock_ahead }
    }
}

/// The secret stores by region.
pub(crate) type Stores = BTreeMap<&'static str, SecretsManager>;

/// A clock on simulated time, some seconds ahead of AWS's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FunctionClock {
    start: Instant,
    ahead: i64,
}

impl TimeSource for FunctionClock {
    fn now(&self) -> SystemTime {
        let seconds = BEGINNING.saturating_add_signed(self.ahead);
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + self.start.elapsed()
    }
}

/// A moment of the life in seconds since 1970, by AWS's clock.
pub(crate) fn epoch_seconds(moment: Duration) -> u64 {
    BEGINNING + moment.as_secs()
}

/// A moment of the life as RFC 3339, by AWS's clock.
pub(crate) fn date(moment: Duration) -> String {
    DateTime::from_secs(epoch_seconds(moment).cast_signed()).fmt(Format::DateTime).unwrap()
}
