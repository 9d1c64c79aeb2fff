//! The fault laboratory: every handler, while its connections are cut or hang and its process is killed, then
//! CloudFormation's retries, and after each case the invariants:
//!
//! - the user's keys are exactly those that a model or a message names;
//! - every live key of ours has its stored secret, or is named in a message;
//! - nothing is stored without a key, and no record of a CREATE that succeeded is open;
//! - no secret is in a log line, a message, a callback context or a token.
//!
//! `make faults` prints the table of outcomes that `tests/faults/outcomes.md` holds.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

mod case;
mod invariants;
mod operation;
mod scenario;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    vec,
};

use futures_util::FutureExt;

use crate::{case::Case, operation::Operation, support::TestEnvironment};

/// How many environments work side by side: they mostly wait.
const WORKERS: usize = 12;

/// What stands in the table instead of an outcome if a case broke an invariant.
const BROKEN: &str = "**BROKEN**";

/// The cases that no worker has taken yet.
type Queue = Arc<Mutex<vec::IntoIter<Case>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_at_any_call_orphans_a_key_unnamed() {
    let cases = Case::all();
    let queue: Queue = Arc::new(Mutex::new(cases.clone().into_iter()));
    let workers: Vec<_> = (0..WORKERS).map(|_| tokio::spawn(work(Arc::clone(&queue)))).collect();
    let mut outcomes = BTreeMap::new();
    for worker in workers {
        outcomes.extend(worker.await.unwrap());
    }
    assert_eq!(outcomes.len(), cases.len(), "every case has an outcome");
    let cells: Vec<String> = outcomes.into_values().collect();
    let table = table::render(&cases, &cells);
    println!("{table}");
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/outcomes.md"), &table).unwrap();
    let broken = cells.iter().filter(|cell| *cell == BROKEN).count();
    assert_eq!(broken, 0, "cases that broke an invariant; each has said why above");
    // `make faults` takes the new table over.
    let updating = std::env::var_os("UPDATE_OUTCOMES").is_some();
    assert!(
        updating || table == include_str!("outcomes.md"),
        "the outcomes changed: run `make faults`, and look at what changed in tests/faults/outcomes.md"
    );
}

/// Plays cases in an environment until there are none left, and returns their outcomes by number.
async fn work(queue: Queue) -> BTreeMap<usize, String> {
    let env = TestEnvironment::start().await;
    let mut outcomes = BTreeMap::new();
    let mut secrets = BTreeSet::new();
    loop {
        let Some(case) = queue.lock().unwrap().next() else { break };
        let outcome = AssertUnwindSafe(play(&env, &case, &mut secrets)).catch_unwind().await;
        outcomes.insert(case.number, outcome.unwrap_or_else(|_| BROKEN.to_owned()));
        clean_up(&env, &case.user()).await;
    }
    env.assert_not_logged(&Vec::from_iter(secrets));
    outcomes
}

/// Plays one case, asserts the invariants, and returns the outcome.
async fn play(env: &TestEnvironment, case: &Case, secrets: &mut BTreeSet<String>) -> String {
    let operation = Operation::run(env, case).await;
    invariants::check(env, case, &operation, secrets).await;
    table::cell(case, &operation)
}

async fn clean_up(env: &TestEnvironment, user: &str) {
    for id in env.aws.key_ids(user).await {
        env.aws.delete_access_key(user, &id).await;
    }
    for name in env.aws.all_secret_names().await {
        env.aws.delete_secret(&name).await;
    }
    env.aws.iam.delete_user().user_name(user).send().await.unwrap();
    env.proxy.clear_faults();
    env.proxy.make_everything_new();
    env.proxy.take_calls();
}
