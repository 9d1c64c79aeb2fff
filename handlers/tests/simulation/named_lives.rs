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
        goes_well_as_rolled(Plan { dice, ..plan.clone() });
    }
}

/// For a life in which it matters what one replica shows, and the other does not.
#[track_caller]
fn goes_well_as_rolled(plan: Plan) {
    let verdict = play(plan);
    assert!(verdict.violations.is_empty(), "{}\n{:#?}", verdict.story, verdict.violations);
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

/// Every call of the operation, in these seconds of the life.
fn between(operation: &'static str, from: u64, to: u64, fault: Fault) -> Trouble {
    Trouble { operation, when: When::Between(from, to), fault }
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
        let troubles = vec![between("CreateSecret", 0, 60, fault)];
        goes_well(&Plan { lag: Lag::Usual, stacks: vec![stack(&[Step::Delete])], troubles, ..Plan::default() });
    }
}

#[test]
fn a_person_does_something_to_the_key_of_a_stack() {
    use Act::{DeactivateStackKey, DeleteSecret, DeleteStackKey, LoseKmsKey, RenameUser, ReplicateSecret, UseKey};
    let wait = Step::Wait(Duration::from_mins(1));
    let steps = [wait, Step::Read, Step::Status(Status::Inactive), ROTATE, Step::Delete];
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
        let troubles = vec![between("*", 1, 300, fault)];
        let steps = [Step::Status(Status::Inactive), ROTATE, Step::Delete];
        goes_well(&Plan { lag: Lag::Usual, stacks: vec![stack(&steps)], troubles, ..Plan::default() });
    }
}

#[test]
fn neither_can_the_secret_be_stored_nor_the_key_be_deleted() {
    for fault in [Fault::Refuse, Fault::Throttle, Fault::Fail, Fault::Hang] {
        let troubles = vec![between("CreateSecret", 0, 30, fault), between("DeleteAccessKey", 0, 60, fault)];
        goes_well(&Plan { lag: Lag::Usual, stacks: vec![stack(&[Step::Delete])], troubles, ..Plan::default() });
    }
}

#[test]
fn little_time_is_left_when_the_user_is_known_at_last() {
    let troubles = vec![
        between("ListAccessKeys", 0, 24, Fault::Refuse),
        between("ListAccessKeys", 24, 31, Fault::Hang),
        between("CreateSecret", 0, 60, Fault::Hang),
    ];
    goes_well(&Plan { stacks: vec![stack_with_user(&[Step::Delete])], troubles, ..Plan::default() });
}

#[test]
fn an_answer_is_lost_while_a_person_makes_another_key_of_a_new_user() {
    let steps = [Step::Wait(Duration::from_mins(1)), ROTATE, Step::Delete];
    let troubles = vec![Trouble { operation: "CreateAccessKey", when: When::Nth(2), fault: Fault::CutBefore }];
    for seconds in (60..70).step_by(2) {
        let deeds = vec![Deed { user: "app", ..deed(seconds * 1_000, Act::CreateKey)[0] }];
        let stacks = vec![stack_with_user(&steps)];
        goes_well(&Plan { stacks, troubles: troubles.clone(), deeds, ..Plan::default() });
    }
}

#[test]
fn an_answer_is_lost_and_a_key_that_a_person_made_earlier_is_shown_late() {
    let troubles = [first("ListAccessKeys", Fault::Hang), first("CreateAccessKey", Fault::CutBefore)].concat();
    for milliseconds in (50..450).step_by(50) {
        let deeds = vec![Deed { user: "app", ..deed(milliseconds, Act::CreateKey)[0] }];
        let stacks = vec![stack_with_user(&[Step::Delete])];
        goes_well(&Plan { lag: Lag::Usual, stacks, troubles: troubles.clone(), deeds, ..Plan::default() });
    }
}

#[test]
fn an_abandoned_invocation_is_refused_the_deletion_of_its_secret() {
    let (troubles, interruptions) = (first("DeleteSecret", Fault::Refuse), interrupted(How::Abandoned, 116));
    let stacks = vec![stack(&[])];
    goes_well(&Plan { lag: Lag::Usual, role: Role::Path, stacks, troubles, interruptions, ..Plan::default() });
}

#[test]
fn a_key_of_another_type_is_all_that_is_seen_when_an_answer_is_lost() {
    let beside = StackPlan { prefix: OTHER_PREFIX, starts: Duration::from_secs(1), ..stack(&[]) };
    let troubles = first("CreateAccessKey", Fault::HangAndReach(12));
    goes_well(&Plan { lag: Lag::Usual, stacks: vec![stack(&[]), beside], troubles, ..Plan::default() });
}

#[test]
fn everything_is_refused_after_the_process_has_ended() {
    for (operation, from, to, killed_at) in [("ListAccessKeys", 4, 24, 367), ("*", 14, 40, 92)] {
        let troubles = vec![between(operation, from, to, Fault::Refuse)];
        let interruptions = interrupted(How::Killed, killed_at);
        let inactive = StackPlan { status: Status::Inactive, ..stack(&[]) };
        goes_well(&Plan { lag: Lag::Usual, stacks: vec![inactive], troubles, interruptions, ..Plan::default() });
    }
}

#[test]
fn what_one_look_has_shown_the_next_one_does_not() {
    let beside = StackPlan { prefix: OTHER_PREFIX, ..stack(&[Step::Delete]) };
    let troubles = vec![Trouble { operation: "*", when: When::Nth(3), fault: Fault::BreakOff }];
    let interruptions = vec![Interruption { invocation: 2, ..interrupted(How::Killed, 9_493)[0] }];
    let stacks = vec![stack(&[Step::Delete]), beside];
    goes_well(&Plan { lag: Lag::Flapping, stacks, troubles, interruptions, ..Plan::default() });
}

#[test]
fn a_key_whose_secret_shows_late_is_listed_once_and_then_not() {
    goes_well_as_rolled(Plan {
        dice: 17_472_558_334_255_479_595,
        lag: Lag::Flapping,
        role: Role::Path,
        gone_keys_are_denied: true,
        stacks: vec![StackPlan { user: "bob", ..stack(&[]) }],
        interruptions: interrupted(How::Killed, 852),
        ..Plan::default()
    });
}

#[test]
fn a_key_is_listed_when_the_store_refuses_and_then_not() {
    goes_well_as_rolled(Plan {
        dice: 12_976_834_304_282_498_569,
        lag: Lag::Flapping,
        stacks: vec![StackPlan { user: "ci+deploy,1@example.com", keys: 2, ..stack_with_user(&[]) }],
        troubles: vec![Trouble { operation: "DescribeSecret", when: When::Nth(3), fault: Fault::Refuse }],
        interruptions: vec![Interruption { invocation: 2, ..interrupted(How::Killed, 142)[0] }],
        ..Plan::default()
    });
}

#[test]
fn the_key_of_a_lost_answer_is_listed_at_times() {
    goes_well_as_rolled(Plan {
        dice: 4_083_051_980_001_147_940,
        lag: Lag::Flapping,
        stacks: vec![StackPlan { keys: 2, ..stack(&[]) }],
        troubles: [first("CreateAccessKey", Fault::HangAndReach(8)), vec![between("*", 14, 19, Fault::NoConnection)]]
            .concat(),
        deeds: deed(1_027, Act::DeleteSecret),
        ..Plan::default()
    });
}

#[test]
fn the_keys_are_refused_while_it_is_looked_for_whose_they_are() {
    goes_well_as_rolled(Plan {
        dice: 12_186_493_982_187_090_226,
        lag: Lag::Usual,
        role: Role::Path,
        gone_keys_are_denied: true,
        stacks: vec![stack_with_user(&[Step::Read, Step::Read, Step::Rotate { rolls_back: true }])],
        troubles: vec![between("*", 30, 50, Fault::Refuse)],
        interruptions: vec![Interruption { invocation: 2, ..interrupted(How::Killed, 92)[0] }],
        ..Plan::default()
    });
}

#[test]
fn the_list_of_a_full_quota_is_stale() {
    goes_well_as_rolled(Plan {
        dice: 14_048_573_727_661_085_922,
        lag: Lag::Usual,
        stacks: vec![stack_with_user(&[ROTATE])],
        troubles: first("CreateAccessKey", Fault::HangAndReach(5)),
        interruptions: vec![Interruption { invocation: 3, ..interrupted(How::Killed, 132)[0] }],
        ..Plan::default()
    });
}

#[test]
fn the_key_of_the_invocation_before_is_all_that_is_seen_when_an_answer_is_lost() {
    goes_well_as_rolled(Plan {
        dice: 11_428_605_856_469_242_001,
        lag: Lag::Usual,
        role: Role::Path,
        stacks: vec![StackPlan { user: "bob", ..stack(&[Step::Rotate { rolls_back: true }]) }],
        troubles: vec![
            between("ListAccessKeys", 29, 49, Fault::Refuse),
            Trouble { operation: "CreateAccessKey", when: When::Nth(3), fault: Fault::CutBefore },
        ],
        interruptions: vec![Interruption { invocation: 2, ..interrupted(How::Abandoned, 174)[0] }],
        ..Plan::default()
    });
}

#[test]
fn the_process_ends_between_the_deletions_of_a_rollback() {
    for milliseconds in (100..240).step_by(10) {
        let troubles = vec![Trouble { operation: "ListAccessKeys", when: When::Nth(2), fault: Fault::Refuse }];
        let interruptions = interrupted(How::Killed, milliseconds);
        goes_well(&Plan { stacks: vec![stack(&[])], troubles, interruptions, ..Plan::default() });
    }
}

#[test]
fn another_keys_process_vanishes_beside_a_create_without_an_answer() {
    goes_well_as_rolled(Plan {
        dice: 14_660_429_764_833_780_444,
        lag: Lag::Flapping,
        stacks: vec![StackPlan { keys: 2, ..stack_with_user(&[]) }],
        troubles: first("CreateAccessKey", Fault::NoConnection),
        interruptions: vec![Interruption { invocation: 2, ..interrupted(How::Vanished, 31)[0] }],
        ..Plan::default()
    });
}
