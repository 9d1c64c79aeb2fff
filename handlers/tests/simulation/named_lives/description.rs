//! Lives about the description of a key, a tag of its user.

use std::time::Duration;

use access_key_schema::Status;

use super::{
    Act, Deed, Fault, How, Lag, OTHER_REGION, Plan, ROTATE, Role, StackPlan, Step, Tagging, Undo, between, first,
    go_well, goes_well, goes_well_as_rolled, interrupted, nth, stack, stack_with_user, succeeds,
};

/// The calls that are about a description.
const CALLS: [&str; 3] = ["TagUser", "UntagUser", "ListUserTags"];

/// What meets them.
const FAULTS: [Fault; 8] = [
    Fault::Refuse,
    Fault::Throttle,
    Fault::FailAfter,
    Fault::CutBefore,
    Fault::CutAfter,
    Fault::BreakOff,
    Fault::Hang,
    Fault::HangAndReach(6),
];

fn described(stack: StackPlan) -> StackPlan {
    StackPlan { description: Some("payments"), ..stack }
}

#[test]
fn a_key_is_described_rotated_and_deleted_while_everything_is_seen_late() {
    let all = Step::StatusTagAndDescription(Status::Inactive, "blue", "invoices");
    let steps = [Step::Describe("orders"), ROTATE, all, Step::Describe(""), Step::Describe("again"), Step::Delete];
    for lag in [Lag::None, Lag::Usual] {
        for tagging in [Tagging::Allowed, Tagging::Unseen] {
            for stack in [stack(&steps), described(stack_with_user(&steps))] {
                succeeds(&Plan { lag, tagging, stacks: vec![stack], ..Plan::default() });
            }
        }
    }
}

#[test]
fn a_key_is_described_and_deleted_at_once() {
    for lag in [Lag::Usual, Lag::Flapping] {
        let stacks = vec![stack_with_user(&[Step::Describe("orders"), Step::Delete])];
        succeeds(&Plan { lag, role: Role::Path, stacks, ..Plan::default() });
    }
}

#[test]
fn iam_does_not_know_the_user_or_is_throttled_when_a_key_is_described() {
    for fault in [Fault::NotShown, Fault::Throttle] {
        for stack in [described(stack(&[Step::Delete])), stack(&[Step::Describe("orders"), Step::Delete])] {
            let troubles = vec![between("TagUser", 0, 4, fault)];
            succeeds(&Plan { stacks: vec![stack], troubles, ..Plan::default() });
        }
    }
}

#[test]
fn a_description_is_declared_then_refused_by_a_role_that_may_not_see_it() {
    let wait = Step::Wait(Duration::from_mins(1));
    let troubles = vec![between("TagUser", 0, 64, Fault::Fail), between("TagUser", 64, 300, Fault::Refuse)];
    let stacks = vec![stack(&[wait, Step::Describe("orders"), wait])];
    goes_well(&Plan { tagging: Tagging::Unseen, stacks, troubles, ..Plan::default() });
}

#[test]
fn the_role_may_not_tag() {
    let all = Step::StatusTagAndDescription(Status::Inactive, "blue", "orders");
    let steps =
        [Step::Describe("orders"), all, Step::Status(Status::Inactive), Step::Tag("green"), ROTATE, Step::Delete];
    for undo in [Undo::Failed, Undo::Old, Undo::OldWithHint] {
        for lag in [Lag::None, Lag::Usual] {
            for stack in [stack(&steps), described(stack(&[Step::Delete]))] {
                let stacks = vec![stack];
                goes_well(&Plan { undo, lag, tagging: Tagging::Denied, stacks, ..Plan::default() });
            }
        }
    }
}

#[test]
fn a_call_about_a_description_meets_a_fault() {
    let steps = [Step::Describe("orders"), Step::Describe(""), Step::Describe("again"), Step::Delete];
    for operation in CALLS {
        let plans = FAULTS.iter().flat_map(|fault| {
            [1, 2, 3].map(|number| Plan {
                lag: Lag::Usual,
                stacks: vec![described(stack(&steps))],
                troubles: vec![nth(operation, number, *fault)],
                ..Plan::default()
            })
        });
        go_well(&plans.collect::<Vec<_>>());
    }
}

#[test]
fn a_description_is_set_at_the_first_attempt_and_refused_at_the_second() {
    let wait = Step::Wait(Duration::from_mins(1));
    for fault in [Fault::FailAfter, Fault::CutAfter, Fault::BreakOff] {
        for (stack, number) in [
            (described(stack(&[Step::Delete])), 1),
            (stack(&[wait, Step::Describe("orders"), wait, Step::Delete]), 1),
            (described(stack(&[wait, Step::Describe("orders"), wait, Step::Delete])), 2),
        ] {
            for undo in [Undo::Failed, Undo::Old] {
                let troubles = vec![nth("TagUser", number, fault), nth("TagUser", number + 1, Fault::Refuse)];
                goes_well(&Plan { lag: Lag::Usual, undo, stacks: vec![stack.clone()], troubles, ..Plan::default() });
            }
        }
    }
}

#[test]
fn a_create_with_a_description_is_rolled_back() {
    for operation in ["CreateSecret", "UpdateSecret of a record", "UpdateAccessKey"] {
        let inactive = StackPlan { status: Status::Inactive, ..described(stack(&[])) };
        let troubles = first(operation, Fault::Refuse);
        goes_well(&Plan { lag: Lag::Usual, stacks: vec![inactive.clone()], troubles, ..Plan::default() });
        for fault in [Fault::Refuse, Fault::Fail, Fault::Hang] {
            let troubles = [first(operation, Fault::Refuse), vec![between("UntagUser", 0, 60, fault)]].concat();
            goes_well(&Plan { stacks: vec![inactive.clone()], troubles, ..Plan::default() });
        }
        // No secret tells the rollback of the stack that there is a description.
        let troubles = [first(operation, Fault::Refuse), first("DeleteAccessKey", Fault::Refuse)].concat();
        goes_well(&Plan { stacks: vec![inactive.clone()], troubles, ..Plan::default() });
    }
}

#[test]
fn the_process_ends_at_any_moment_of_a_create_with_a_description() {
    for how in [How::Killed, How::Abandoned] {
        for milliseconds in (0..160).step_by(10) {
            let interruptions = interrupted(how, milliseconds);
            let stacks = vec![described(stack(&[Step::Delete]))];
            goes_well(&Plan { lag: Lag::Usual, stacks, interruptions, ..Plan::default() });
        }
    }
}

/// The DELETE that follows declares no description, and has to find the one that is left.
#[test]
fn an_update_that_has_set_a_description_fails_and_so_does_its_rollback() {
    let steps = [Step::Wait(Duration::from_mins(1)), Step::Describe("orders"), Step::Delete];
    let plans = (4..9).flat_map(|number| {
        [Undo::Failed, Undo::Old].map(|undo| {
            let troubles = (number..number + 3).map(|number| nth("ListAccessKeys", number, Fault::Refuse)).collect();
            Plan { undo, stacks: vec![stack(&steps)], troubles, ..Plan::default() }
        })
    });
    go_well(&plans.collect::<Vec<_>>());
}

/// The answer of the second UPDATE must not hold what the first had declared for a moment.
#[test]
fn an_update_of_the_status_follows_one_of_the_description_that_was_refused() {
    let stacks = vec![stack(&[Step::Describe("payments"), Step::Status(Status::Inactive)])];
    let refused = Plan { lag: Lag::Usual, tagging: Tagging::Denied, stacks, ..Plan::default() };
    go_well(&[Undo::Failed, Undo::Old].map(|undo| Plan { undo, ..refused.clone() }));
}

#[test]
fn iam_refuses_once_to_show_the_tags_of_a_new_user() {
    let steps = [Step::StatusAndTag(Status::Active, "blue"), Step::Describe("payments")];
    goes_well_as_rolled(Plan {
        dice: 1_287_308_310_344_296_412,
        lag: Lag::Usual,
        gone_keys_are_denied: true,
        undo: Undo::OldWithHint,
        stacks: vec![stack_with_user(&steps)],
        troubles: first("ListUserTags", Fault::Refuse),
        ..Plan::default()
    });
}

#[test]
fn the_user_is_renamed_between_the_key_and_its_description() {
    goes_well_as_rolled(Plan {
        dice: 1_773_911_835_555_366_239,
        lag: Lag::Usual,
        gone_keys_are_denied: true,
        stacks: vec![StackPlan { user: "bob", description: Some("orders"), ..stack(&[Step::Delete]) }],
        deeds: vec![Deed { at: Duration::from_millis(2_284), user: "bob", act: Act::RenameUserAtOnce }],
        ..Plan::default()
    });
}

#[test]
fn iam_refuses_once_to_show_the_tags_of_an_old_user() {
    goes_well_as_rolled(Plan {
        dice: 17_505_918_701_701_282_883,
        lag: Lag::Usual,
        undo: Undo::OldWithHint,
        stacks: vec![described(stack(&[]))],
        troubles: vec![nth("ListUserTags", 10, Fault::Refuse)],
        ..Plan::default()
    });
}

/// The rollback of the first UPDATE has nothing to write, and cannot see that.
#[test]
fn a_denied_description_is_undone_while_the_tags_cannot_be_seen() {
    let all = Step::StatusTagAndDescription(Status::Inactive, "blue", "payments");
    let stack = stack_with_user(&[all, Step::Status(Status::Active)]);
    goes_well_as_rolled(Plan {
        dice: 16_305_776_367_142_915_252,
        tagging: Tagging::Denied,
        stacks: vec![StackPlan { user: "ci+deploy,1@example.com", status: Status::Inactive, ..stack }],
        troubles: vec![between("ListUserTags", 22, 322, Fault::CutBefore)],
        ..Plan::default()
    });
}

#[test]
fn a_role_limited_to_a_path_is_denied_the_tags_of_a_new_user() {
    goes_well_as_rolled(Plan {
        dice: 11_410_276_773_439_839_635,
        lag: Lag::Usual,
        role: Role::Path,
        stacks: vec![StackPlan { user: "ci+deploy,1@example.com", ..described(stack_with_user(&[])) }],
        interruptions: interrupted(How::Abandoned, 395),
        ..Plan::default()
    });
}

#[test]
fn an_update_of_a_description_is_denied_and_undone_while_the_denial_stands() {
    let wait = Step::Wait(Duration::from_secs(30));
    let all = Step::StatusTagAndDescription(Status::Inactive, "blue", "invoices");
    let steps = [wait, Step::Describe("orders"), wait, all, wait, Step::Describe(""), Step::Delete];
    for denied in ["TagUser", "UntagUser", "UpdateSecret", "UpdateAccessKey"] {
        for undo in [Undo::Failed, Undo::Old, Undo::OldWithHint] {
            for from in [2, 40] {
                for stack in [stack(&steps), described(stack(&steps))] {
                    let troubles = vec![between(denied, from, 300, Fault::Refuse)];
                    goes_well(&Plan { undo, stacks: vec![stack], troubles, ..Plan::default() });
                }
            }
        }
    }
}

/// The UPDATE has put the tags back, and the store does not show that yet.
#[test]
fn a_rollback_is_refused_a_tag_that_was_just_put_back() {
    let user = "ci+deploy,1@example.com";
    let all = Step::StatusTagAndDescription(Status::Active, "green", "orders");
    let owner = StackPlan { user, ..stack_with_user(&[Step::Delete]) };
    let beside = StackPlan {
        user,
        region: OTHER_REGION,
        starts: Duration::from_millis(3_430),
        status: Status::Inactive,
        ..stack(&[Step::Wait(Duration::from_secs(1_000)), all])
    };
    goes_well_as_rolled(Plan {
        dice: 314_121_015_884_615_449,
        lag: Lag::Usual,
        role: Role::Path,
        tagging: Tagging::Denied,
        stacks: vec![owner, beside],
        troubles: vec![nth("TagResource", 3, Fault::Refuse)],
        ..Plan::default()
    });
}
