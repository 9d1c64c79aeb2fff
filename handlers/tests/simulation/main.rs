//! The handlers against a model of AWS, on simulated time: lives full of faults, each from a seed, and what must hold
//! in every one of them.
//!
//! A life is a plan ([`plan`]) that is played ([`life`]): [`cloudformation`] works on stacks and calls the real
//! handlers, which call the real SDK, which calls the model of AWS ([`aws`]) through its own HTTP interface, through
//! whatever [`weather`] there is, while [`others`] work on the same account. Time is tokio's paused clock, so that
//! hours pass in milliseconds. [`invariants`] judges, [`excuses`] says what no handler could know, and the [`story`] of a life
//! in which an invariant is broken is printed.
//!
//! The same seed always is the same life: `make simulate SEED=…`. `make simulate LIVES=…` plays many.
#![allow(clippy::panic, clippy::print_stderr, clippy::unwrap_used, missing_docs)]

mod aws;
mod cloudformation;
mod excuses;
mod handlers;
mod invariants;
mod life;
mod many;
mod named_lives;
mod others;
mod plan;
mod record;
mod story;
mod weather;
mod world;

use std::{collections::BTreeMap, env, str::FromStr};

use plan::Plan;

/// The lives of a test run that asks for no number: some 30 seconds on two cores, beside the written ones.
const LIVES: u64 = 300;

/// `SEED` replays one life and tells its story whatever comes of it. `LIVES` says how many to play, `FIRST_SEED` from which on.
#[test]
fn nothing_is_lost_and_nothing_of_others_is_touched_in_any_life() {
    if let Some(seed) = number("SEED") {
        let verdict = life::play(Plan::draw(seed));
        eprintln!("{:#?}\n\n{}", Plan::draw(seed), verdict.story);
        assert!(verdict.violations.is_empty(), "{}", many::told(seed));
        return;
    }
    let first = number("FIRST_SEED").unwrap_or_default();
    if let Some(seed) = many::first_broken(first..first + number("LIVES").unwrap_or(LIVES)) {
        panic!("{}", many::told(seed));
    }
}

#[test]
fn the_same_seed_is_the_same_life() {
    for seed in (0..1_500).step_by(50) {
        let [first, second] = [(); 2].map(|()| life::play(Plan::draw(seed)));
        assert_eq!(first, second, "SEED={seed}");
    }
}

/// # Panics
/// When the variable holds something else.
fn number<T: FromStr>(variable: &str) -> Option<T> {
    let value = env::var(variable).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is a whole number, not {value:?}")))
}

/// Which invariants break how often, and what is needed to excuse them: for those who work on the simulation, or on handlers
/// that break many.
#[test]
#[ignore = "a survey, not a test"]
fn survey() {
    let mut broken = BTreeMap::<String, Vec<u64>>::new();
    let first = number("FIRST_SEED").unwrap_or_default();
    for seed in first..first + number("LIVES").unwrap_or(LIVES) {
        let verdict = life::play(Plan::draw(seed));
        for violation in verdict.violations {
            let words = violation.split(' ').filter(|word| !word.contains("AKIA"));
            broken.entry(words.collect::<Vec<_>>().join(" ")).or_default().push(seed);
        }
        for (rule, excuse) in verdict.excused {
            broken.entry(format!("{rule}: excused by {excuse:?}")).or_default().push(seed);
        }
    }
    for (violation, seeds) in broken {
        eprintln!("{:5} {violation}  {:?}", seeds.len(), &seeds[..seeds.len().min(8)]);
    }
}
