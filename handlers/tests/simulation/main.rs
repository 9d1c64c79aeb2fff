//! The handlers against a model of AWS, on simulated time: lives full of faults, each from a seed, and what must hold
//! in every one of them.
//!
//! A life is a plan ([`plan`]) that is played ([`life`]): [`cloudformation`] works on stacks and calls the real
//! handlers, which call the real SDK, which calls the model of AWS ([`aws`]) through its own HTTP interface, through
//! whatever [`weather`] there is, while [`others`] work on the same account. Time is tokio's paused clock, so that
//! hours pass in milliseconds. [`invariants`] judges, and the [`story`] of a life in which one is broken is printed.
//!
//! The same seed always is the same life: `make simulate SEED=…`. `make simulate LIVES=…` plays many.
#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs)]

mod aws;
mod cloudformation;
mod handlers;
mod invariants;
mod life;
mod others;
mod plan;
mod story;
mod weather;
mod world;

use plan::{Plan, StackPlan, Step};

#[test]
fn a_calm_life_breaks_nothing() {
    let plan = Plan {
        stacks: vec![StackPlan {
            starts: std::time::Duration::ZERO,
            region: plan::REGION,
            prefix: plan::PREFIX,
            user: "alice",
            makes_user: false,
            keys: 1,
            status: access_key_schema::Status::Active,
            steps: vec![Step::Rotate { rolls_back: false }, Step::Delete],
        }],
        ..Plan::default()
    };
    let verdict = life::play(plan);
    assert!(verdict.violations.is_empty(), "{}", verdict.story);
    eprintln!("{}", verdict.story);
}
