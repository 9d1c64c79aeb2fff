//! One life, from its plan to its verdict.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use tokio::{runtime::Builder, task::LocalSet, time::sleep};

use crate::{
    aws::{iam::User, replica::Replicated},
    cloudformation::Stack,
    excuses::Excuse,
    invariants::{Ledger, Operation, judge_life},
    others::act,
    plan::{BYSTANDER, OLD_USERS, OTHER_PATH, Plan, REACHED_PATH},
    world::{Maker, State, World},
};

/// How long after the last event everything has come to rest: no invocation runs any more, and all reads agree.
const REST: Duration = Duration::from_mins(3);

/// A tag that the users have who have been there for long.
pub(crate) const OTHER_TAG: (&str, &str) = ("team", "web");

/// How a life went.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) story: String,
    /// What must not have happened.
    pub(crate) violations: Vec<String>,
    /// What would have been a violation but for one excuse.
    pub(crate) excused: BTreeSet<(String, Excuse)>,
    /// The operations that failed in the end, which most lives may have.
    pub(crate) failures: Vec<String>,
    /// How long the longest operation took.
    pub(crate) longest: Duration,
    /// What was planned and never happened.
    pub(crate) missed: Vec<String>,
}

/// Plays a life on this thread, in simulated time.
pub(crate) fn play(plan: Plan) -> Verdict {
    // The SDK draws its back-off from the thread's dice.
    fastrand::seed(plan.dice);
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let world = World::new(plan);
        let _listening = world.story.listen();
        people(&world);
        let stacks = (0..world.plan.stacks.len()).map(|number| Stack::new(&world, number).live());
        let deeds = world.plan.deeds.iter().map(|deed| act(Arc::clone(&world), *deed));
        join(join_all(stacks), join_all(deeds)).await;
        sleep(REST).await;
        for number in 0..world.plan.stacks.len() {
            Stack::new(&world, number).judge_settled().await;
        }
        judge_life(&world);
        let State { weather, ledger: Ledger { violations, excused, operations, .. }, .. } = &*world.state();
        let failures = operations.iter().filter_map(Operation::failure).collect();
        let missed = weather.missed(&world.plan);
        let longest = operations.iter().map(|operation| operation.took).max().unwrap_or_default();
        let (violations, excused) = (violations.clone(), excused.clone());
        Verdict { story: world.story.tell(), violations, excused, failures, longest, missed }
    })
}

/// The users who have been there for long, one of them with a key of their own.
fn people(world: &World) {
    world.at_aws(|iam, _, moment| {
        for (name, path) in [(OLD_USERS[0], REACHED_PATH), (OLD_USERS[1], REACHED_PATH), (BYSTANDER, OTHER_PATH)] {
            iam.users.insert(name.to_owned(), Replicated::settled(User { path, created: None }));
            iam.tags.insert((name.to_owned(), OTHER_TAG.0.to_owned()), Replicated::settled(OTHER_TAG.1.to_owned()));
        }
        drop(iam.create_access_key(BYSTANDER, Maker::Person, moment).map(|key| key.touched = true));
    });
}
