//! Lives written down: what once went wrong, or is known to go wrong at AWS, one each.
//!
//! A seed that breaks something belongs here as its plan: drawing will change, and the seed will be another life.

use std::time::Duration;

use access_key_schema::Status;

use crate::{
    life::play,
    plan::{
        Act, Deed, Fault, How, Interruption, Lag, OTHER_PREFIX, OTHER_REGION, PREFIX, Plan, REGION, Role, StackPlan,
        Step, Trouble, When,
    },
};

/// How many rolls of the dice each life is played with.
const ROLLS: u64 = 10;

#[track_caller]
fn goes_well(plan: &Plan) {
    for dice in 0..ROLLS {
        let verdict = play(Plan { dice, ..plan.clone() });
        assert!(verdict.violations.is_empty(), "{}\n{:#?}", verdict.story, verdict.violations);
    }
}

/// A stack with one key of a user who has been there for long.
fn stack(steps: &[Step]) -> StackPlan {
    StackPlan {
        starts: Duration::ZERO,
        region: REGION,
        prefix: PREFIX,
        user: "alice",
        makes_user: false,
        keys: 1,
        status: Status::Active,
        steps: steps.to_vec(),
    }
}

/// The same with its user.
fn stack_with_user(steps: &[Step]) -> StackPlan {
    StackPlan { user: "app", makes_user: true, ..stack(steps) }
}

fn first(operation: &'static str, fault: Fault) -> Vec<Trouble> {
    vec![Trouble { operation, when: When::Nth(1), fault }]
}

fn interrupted(how: How, milliseconds: u64) -> Vec<Interruption> {
    vec![Interruption { invocation: 1, after: Duration::from_millis(milliseconds), how }]
}

fn deed(milliseconds: u64, act: Act) -> Vec<Deed> {
    vec![Deed { at: Duration::from_millis(milliseconds), user: "alice", act }]
}

const ROTATE: Step = Step::Rotate { rolls_back: false };

#[test]
fn a_key_is_made_rotated_and_deleted() {
    goes_well(&Plan { stacks: vec![stack(&[ROTATE, Step::Delete])], ..Plan::default() });
}

#[test]
fn everything_is_seen_late() {
    let steps = [Step::Status(Status::Inactive), Step::Tag("blue"), ROTATE, Step::Delete];
    for role in [Role::Wide, Role::Path] {
        goes_well(&Plan { lag: Lag::Usual, role, stacks: vec![stack_with_user(&steps)], ..Plan::default() });
    }
}

#[test]
fn replicas_flap() {
    let steps = [Step::Status(Status::Inactive), ROTATE, Step::Delete];
    goes_well(&Plan { lag: Lag::Flapping, stacks: vec![stack_with_user(&steps)], ..Plan::default() });
}

#[test]
fn the_answer_of_create_access_key_is_lost() {
    for fault in [Fault::CutAfter, Fault::FailAfter, Fault::BreakOff, Fault::HangAndReach(1), Fault::HangAndReach(12)] {
        for stack in [stack(&[Step::Delete]), stack_with_user(&[Step::Delete])] {
            let troubles = first("CreateAccessKey", fault);
            goes_well(&Plan { lag: Lag::Usual, stacks: vec![stack], troubles, ..Plan::default() });
        }
    }
}

#[test]
fn the_answer_is_lost_while_a_person_makes_a_key() {
    for fault in [Fault::CutBefore, Fault::CutAfter, Fault::Hang] {
        for milliseconds in [40, 60, 3_000] {
            let (troubles, deeds) = (first("CreateAccessKey", fault), deed(milliseconds, Act::CreateKey));
            goes_well(&Plan { stacks: vec![stack(&[Step::Delete])], troubles, deeds, ..Plan::default() });
        }
    }
}

#[test]
fn the_process_ends_at_any_moment_of_a_create() {
    for milliseconds in (0..120).step_by(10) {
        let interruptions = interrupted(How::Killed, milliseconds);
        goes_well(&Plan { lag: Lag::Usual, stacks: vec![stack(&[Step::Delete])], interruptions, ..Plan::default() });
    }
}

#[test]
fn cloudformation_calls_again_while_the_first_invocation_goes_on() {
    for milliseconds in (0..120).step_by(10) {
        let interruptions = interrupted(How::Abandoned, milliseconds);
        goes_well(&Plan { lag: Lag::Usual, stacks: vec![stack(&[Step::Delete])], interruptions, ..Plan::default() });
    }
}

#[test]
fn two_regions_make_a_key_of_one_user_at_once() {
    let beside = StackPlan { region: OTHER_REGION, ..stack(&[ROTATE]) };
    for troubles in [vec![], first("CreateAccessKey", Fault::CutAfter), first("CreateSecret", Fault::Refuse)] {
        let stacks = vec![stack(&[Step::Delete]), beside.clone()];
        goes_well(&Plan { lag: Lag::Usual, stacks, troubles, ..Plan::default() });
    }
}

#[test]
fn two_types_make_a_key_of_one_user_at_once() {
    let beside = StackPlan { prefix: OTHER_PREFIX, ..stack(&[Step::Delete]) };
    let troubles = first("CreateAccessKey", Fault::CutAfter);
    goes_well(&Plan { lag: Lag::Usual, stacks: vec![stack(&[ROTATE]), beside], troubles, ..Plan::default() });
}

#[test]
fn two_keys_of_one_new_user_are_made_at_once_and_an_answer_is_lost() {
    let two = StackPlan { keys: 2, ..stack_with_user(&[Step::Delete]) };
    for fault in [Fault::CutBefore, Fault::CutAfter, Fault::Hang] {
        let troubles = first("CreateAccessKey", fault);
        goes_well(&Plan { lag: Lag::Usual, stacks: vec![two.clone()], troubles, ..Plan::default() });
    }
}

#[test]
fn the_secret_cannot_be_stored() {
    for fault in [Fault::Refuse, Fault::Fail, Fault::FailAfter, Fault::CutAfter, Fault::Hang] {
        let troubles = vec![Trouble { operation: "CreateSecret", when: When::Between(0, 60), fault }];
        goes_well(&Plan { lag: Lag::Usual, stacks: vec![stack(&[Step::Delete])], troubles, ..Plan::default() });
    }
}

#[test]
fn a_person_does_something_to_the_key_of_a_stack() {
    use Act::{DeactivateStackKey, DeleteSecret, DeleteStackKey, LoseKmsKey, RenameUser, ReplicateSecret, UseKey};
    let steps = [Step::Wait(Duration::from_mins(1)), Step::Status(Status::Inactive), ROTATE, Step::Delete];
    for act in [DeactivateStackKey, DeleteStackKey, UseKey, RenameUser, DeleteSecret, ReplicateSecret, LoseKmsKey] {
        for role in [Role::Wide, Role::Path] {
            let deeds = deed(30_000, act);
            goes_well(&Plan { lag: Lag::Usual, role, stacks: vec![stack(&steps)], deeds, ..Plan::default() });
        }
    }
}

#[test]
fn iam_is_down_for_minutes() {
    for fault in [Fault::Throttle, Fault::Fail, Fault::FailAfter, Fault::NoConnection, Fault::Hang] {
        let troubles = vec![Trouble { operation: "*", when: When::Between(1, 300), fault }];
        let steps = [Step::Status(Status::Inactive), ROTATE, Step::Delete];
        goes_well(&Plan { lag: Lag::Usual, stacks: vec![stack(&steps)], troubles, ..Plan::default() });
    }
}
