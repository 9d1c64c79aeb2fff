//! Lives written down: what once went wrong, or is known to go wrong at AWS, one each.
//!
//! A seed that breaks something belongs here as its plan: drawing will change, and the seed will be another life.

mod description;
mod record;

use std::{slice::from_ref, time::Duration};

use access_key_schema::Status;

use crate::{
    life::{Verdict, play},
    plan::{
        Act, Deed, Fault, How, Interruption, Lag, OTHER_PREFIX, OTHER_REGION, PREFIX, Plan, REGION, Role, StackPlan,
        Step, Tagging, Tokens, Trouble, Undo, When,
    },
};

/// How many rolls of the dice each life is played with.
const ROLLS: u64 = 10;

/// The same for each life of a table, in which the lives differ little.
const ROLLS_IN_TABLE: u64 = 3;

#[track_caller]
fn goes_well(plan: &Plan) {
    play_all_rolls(from_ref(plan), ROLLS, |verdict| verdict.violations.clone());
}

/// For a table of lives. What is planned for all has to happen in one of them at least.
#[track_caller]
fn go_well(plans: &[Plan]) {
    play_all_rolls(plans, ROLLS_IN_TABLE, |verdict| verdict.violations.clone());
}

/// For a life in which nobody loses anything whatever the handlers do, but operations would fail.
#[track_caller]
fn succeeds(plan: &Plan) {
    play_all_rolls(from_ref(plan), ROLLS, |verdict| [&*verdict.violations, &*verdict.failures].concat());
}

/// What is planned has to happen once at least, whatever the dice.
#[track_caller]
fn play_all_rolls(plans: &[Plan], rolls: u64, broken: impl Fn(&Verdict) -> Vec<String>) {
    let rolled = plans.iter().flat_map(|plan| (0..rolls).map(|dice| Plan { dice, ..plan.clone() }));
    let verdicts: Vec<_> = rolled.map(play).collect();
    for verdict in &verdicts {
        let broken = broken(verdict);
        assert!(broken.is_empty(), "{}\n{broken:#?}", verdict.story);
    }
    let always_missed =
        verdicts[0].missed.iter().filter(|each| verdicts.iter().all(|other| other.missed.contains(each)));
    assert_eq!(always_missed.count(), 0, "{}\n{:#?}", verdicts[0].story, verdicts[0].missed);
}

/// For a life in which it matters what one replica shows, and the other does not.
#[track_caller]
fn goes_well_as_rolled(plan: Plan) {
    let Verdict { story, violations, missed, .. } = play(plan);
    assert!(violations.is_empty() && missed.is_empty(), "{story}\n{violations:#?}\n{missed:#?}");
}

/// For a stack with one key, whose first invocation is interrupted while replicas flap.
#[track_caller]
fn goes_well_while_replicas_flap(dice: u64, how: How, milliseconds: u64) {
    let interruptions = interrupted(how, milliseconds);
    goes_well_as_rolled(Plan { dice, lag: Lag::Flapping, stacks: vec![stack(&[])], interruptions, ..Plan::default() });
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
        description: None,
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

fn nth(operation: &'static str, nth: u32, fault: Fault) -> Trouble {
    Trouble { operation, when: When::Nth(nth), fault }
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
fn the_user_of_a_key_is_renamed_before_it_is_updated() {
    let steps = [
        Step::Wait(Duration::from_mins(1)),
        Step::StatusAndTag(Status::Inactive, "blue"),
        Step::Status(Status::Active),
        Step::Delete,
    ];
    for role in [Role::Wide, Role::Path] {
        let deeds = deed(30_000, Act::RenameUser);
        succeeds(&Plan { lag: Lag::Usual, role, stacks: vec![stack(&steps)], deeds, ..Plan::default() });
    }
}

#[test]
fn the_user_of_a_key_is_renamed_in_the_seconds_before_an_update() {
    let steps = [Step::Wait(Duration::from_mins(1)), Step::Status(Status::Inactive), Step::Tag("blue"), Step::Delete];
    for milliseconds in (58_000..63_000).step_by(500) {
        let deeds = deed(milliseconds, Act::RenameUser);
        succeeds(&Plan { lag: Lag::Usual, stacks: vec![stack(&steps)], deeds, ..Plan::default() });
    }
}

/// Only the store tells that the key is the resource's.
#[test]
fn the_store_does_not_tell_whose_a_key_is_when_a_renamed_users_key_is_deleted() {
    let steps = [Step::Wait(Duration::from_mins(1)), Step::Delete];
    for fault in [Fault::Throttle, Fault::CutBefore, Fault::Fail] {
        let (deeds, troubles) = (deed(30_000, Act::RenameUser), vec![between("DescribeSecret", 55, 75, fault)]);
        succeeds(&Plan { lag: Lag::Usual, stacks: vec![stack(&steps)], deeds, troubles, ..Plan::default() });
    }
}

#[test]
fn an_update_is_undone_while_a_late_read_shows_what_was_before_it() {
    let wait = Step::Wait(Duration::from_secs(30));
    let nth = |operation, nth| Trouble { operation, when: When::Nth(nth), fault: Fault::Refuse };
    // The tags are refused, and so is declaring the old ones again.
    let troubles = vec![nth("TagResource", 2), nth("UpdateSecret", 3)];
    let stacks = vec![stack(&[wait, Step::Tag("green"), wait, Step::Tag("blue"), wait])];
    goes_well(&Plan { lag: Lag::Usual, stacks, troubles, ..Plan::default() });
}

#[test]
fn an_update_is_denied_and_undone_while_the_denial_stands() {
    let steps = [Step::Tag("green"), Step::StatusAndTag(Status::Inactive, "blue"), Step::Delete];
    for denied in ["TagResource", "UntagResource", "UpdateSecret", "UpdateAccessKey", "GetSecretValue"] {
        for undo in [Undo::Failed, Undo::Old, Undo::OldWithHint] {
            for from in [2, 40] {
                let mut stack = stack(&[&[Step::Wait(Duration::from_secs(30))], &steps[..]].concat());
                stack.steps.insert(2, Step::Wait(Duration::from_secs(30)));
                let troubles = vec![between(denied, from, 300, Fault::Refuse)];
                goes_well(&Plan { undo, stacks: vec![stack], troubles, ..Plan::default() });
            }
        }
    }
}

/// The rollback has nothing to write, and cannot see that for as long as the attempts of one look take.
#[test]
fn a_denied_update_is_undone_while_what_it_would_write_cannot_be_seen() {
    let wait = Step::Wait(Duration::from_secs(30));
    for (denied, look, step) in [
        ("UpdateAccessKey", "ListAccessKeys", Step::Status(Status::Inactive)),
        ("TagResource", "DescribeSecret", Step::Tag("blue")),
    ] {
        let plan = |first| {
            let cut = (first..first + 3).map(|number| nth(look, number, Fault::CutBefore));
            let troubles = [between(denied, 2, 300, Fault::Refuse)].into_iter().chain(cut).collect();
            Plan { stacks: vec![stack(&[wait, step, wait, Step::Delete])], troubles, ..Plan::default() }
        };
        go_well(&(1..10).map(plan).collect::<Vec<_>>());
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
        let plan = Plan { lag: Lag::Usual, stacks, troubles: troubles.clone(), deeds, ..Plan::default() };
        goes_well(&plan);
        goes_well_as_rolled(Plan { dice: 18, ..plan });
    }
}

#[test]
fn an_abandoned_invocation_is_refused_the_deletion_of_its_secret() {
    let troubles = [first("UpdateAccessKey", Fault::Refuse), first("DeleteSecret", Fault::Refuse)].concat();
    let (stacks, interruptions) =
        (vec![StackPlan { status: Status::Inactive, ..stack(&[]) }], interrupted(How::Abandoned, 116));
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
    for milliseconds in (60..120).step_by(10) {
        goes_well(&Plan {
            lag: Lag::Usual,
            role: Role::Path,
            stacks: vec![stack_with_user(&[])],
            troubles: vec![between("*", 10, 50, Fault::Refuse)],
            interruptions: interrupted(How::Killed, milliseconds),
            ..Plan::default()
        });
    }
}

#[test]
fn the_list_of_a_full_quota_is_stale() {
    let stacks = vec![stack(&[Step::Wait(Duration::from_mins(1)), ROTATE])];
    for milliseconds in (60_050..60_650).step_by(100) {
        let deeds = [deed(30_000, Act::CreateKey), deed(milliseconds, Act::DeleteOwnKey)].concat();
        goes_well(&Plan { lag: Lag::Usual, stacks: stacks.clone(), deeds, ..Plan::default() });
    }
}

#[test]
fn the_process_ends_between_the_deletions_of_a_rollback() {
    for milliseconds in (80..200).step_by(10) {
        let troubles = first("UpdateAccessKey", Fault::Refuse);
        let (stacks, interruptions) =
            (vec![StackPlan { status: Status::Inactive, ..stack(&[]) }], interrupted(How::Killed, milliseconds));
        goes_well(&Plan { stacks, troubles, interruptions, ..Plan::default() });
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

#[test]
fn the_store_does_not_tell_whose_the_key_of_a_vanished_process_is() {
    goes_well_as_rolled(Plan {
        dice: 5_101_845_202_940_339_010,
        lag: Lag::Flapping,
        role: Role::Path,
        stacks: vec![
            stack(&[Step::Delete]),
            StackPlan { starts: Duration::from_secs(4), prefix: OTHER_PREFIX, ..stack(&[]) },
        ],
        troubles: vec![between("DescribeSecret", 12, 312, Fault::Refuse)],
        interruptions: vec![Interruption { invocation: 3, ..interrupted(How::Vanished, 102)[0] }],
        deeds: deed(20_688, Act::CreateKey),
        ..Plan::default()
    });
}

#[test]
fn iam_does_not_tell_whose_a_key_is() {
    let troubles = vec![between("GetAccessKeyLastUsed", 0, 600, Fault::Refuse)];
    let plan = Plan { stacks: vec![stack(&[ROTATE, Step::Delete])], troubles, ..Plan::default() };
    for dice in 0..ROLLS {
        // The store names the owner, so IAM is not asked.
        let Verdict { story, violations, failures, .. } = play(Plan { dice, ..plan.clone() });
        assert!(violations.is_empty() && failures.is_empty(), "{story}\n{violations:#?}\n{failures:#?}");
    }
}

#[test]
fn a_key_that_could_not_be_deleted_is_deleted_while_iam_hides_its_owner() {
    let refused = |operation, to| between(operation, 0, to, Fault::Refuse);
    let troubles =
        vec![refused("CreateSecret", 30), refused("DeleteAccessKey", 1), refused("GetAccessKeyLastUsed", 600)];
    goes_well(&Plan { stacks: vec![stack(&[])], troubles, ..Plan::default() });
}

#[test]
fn iam_forgets_the_user_for_a_moment_when_an_answer_is_lost() {
    let troubles = first("CreateAccessKey", Fault::CutAfter);
    goes_well(&Plan { lag: Lag::Flapping, stacks: vec![stack_with_user(&[])], troubles, ..Plan::default() });
}

#[test]
fn the_secret_is_stored_at_the_first_attempt_and_refused_at_the_second() {
    for fault in [Fault::FailAfter, Fault::CutAfter, Fault::BreakOff, Fault::HangAndReach(1)] {
        let refused = Trouble { operation: "CreateSecret", when: When::Nth(2), fault: Fault::Refuse };
        let troubles =
            [first("CreateSecret", fault), vec![refused, between("DeleteSecret", 0, 60, Fault::Refuse)]].concat();
        goes_well(&Plan { stacks: vec![stack(&[])], troubles, ..Plan::default() });
    }
}

#[test]
fn an_answer_is_lost_while_another_region_makes_a_key_of_the_new_user() {
    for milliseconds in (0..2_500).step_by(250) {
        let starts = Duration::from_millis(1_000 + milliseconds);
        let beside = StackPlan { starts, region: OTHER_REGION, makes_user: false, ..stack_with_user(&[]) };
        for fault in [Fault::Fail, Fault::CutBefore] {
            let (stacks, troubles) = (vec![stack_with_user(&[]), beside.clone()], first("CreateAccessKey", fault));
            goes_well(&Plan { lag: Lag::Usual, stacks, troubles, ..Plan::default() });
        }
    }
}

#[test]
fn the_only_key_of_two_is_not_taken_for_the_one_whose_answer_is_lost() {
    let two = |user| StackPlan { keys: 2, user, ..stack_with_user(&[]) };
    let lost = |nth, fault| vec![Trouble { operation: "CreateAccessKey", when: When::Nth(nth), fault }];
    let vanishes = |invocation, milliseconds| {
        vec![Interruption { invocation, after: Duration::from_millis(milliseconds), how: How::Vanished }]
    };
    let rolled_back = [lost(2, Fault::CutBefore), first("CreateSecret", Fault::Refuse)].concat();
    let both = [lost(1, Fault::BreakOff), lost(2, Fault::Hang)].concat();
    let lives = [
        (1_548_387_240_146_288_522, Lag::None, Role::Path, "ci+deploy,1@example.com", both, vec![]),
        (4_726_154_550_055_295_403, Lag::Usual, Role::Path, "app", lost(1, Fault::Hang), vanishes(1, 66)),
        (17_749_567_111_881_377_298, Lag::Usual, Role::Wide, "ci+deploy,1@example.com", rolled_back, vec![]),
    ];
    for (dice, lag, role, user, troubles, interruptions) in lives {
        let (gone_keys_are_denied, stacks) = (lag != Lag::Usual, vec![two(user)]);
        goes_well_as_rolled(Plan {
            dice,
            lag,
            role,
            gone_keys_are_denied,
            stacks,
            troubles,
            interruptions,
            ..Plan::default()
        });
    }
}

#[test]
fn a_key_that_no_list_has_shown_is_rolled_back() {
    goes_well_as_rolled(Plan {
        dice: 7_663_755_795_567_828_634,
        lag: Lag::Usual,
        stacks: vec![StackPlan { status: Status::Inactive, ..stack_with_user(&[]) }],
        troubles: vec![
            between("GetSecretValue", 3, 23, Fault::Refuse),
            Trouble { operation: "DeleteAccessKey", when: When::Nth(1), fault: Fault::Refuse },
        ],
        ..Plan::default()
    });
}

#[test]
fn a_key_is_deactivated_while_its_secret_cannot_be_read() {
    let steps = [Step::Wait(Duration::from_mins(1)), Step::Status(Status::Inactive)];
    for fault in [Fault::Refuse, Fault::Throttle, Fault::Fail, Fault::NoConnection, Fault::Hang] {
        let mut troubles = vec![between("GetSecretValue", 50, 180, fault)];
        if fault == Fault::Refuse {
            troubles.push(between("DescribeSecret", 50, 180, fault));
        }
        succeeds(&Plan { stacks: vec![stack(&steps)], troubles, ..Plan::default() });
    }
}

#[test]
fn a_secret_was_replicated_to_another_region() {
    let steps = [Step::Wait(Duration::from_mins(1)), Step::Delete];
    let deeds = deed(30_000, Act::ReplicateSecret);
    succeeds(&Plan { stacks: vec![stack(&steps)], deeds, ..Plan::default() });
}

#[test]
fn the_quota_is_full_with_the_key_of_a_process_that_ended() {
    for milliseconds in [350, 600, 1_000] {
        let late = StackPlan { starts: Duration::from_mins(1), ..stack(&[]) };
        let (deeds, interruptions) = (deed(1, Act::CreateKey), interrupted(How::Killed, milliseconds));
        succeeds(&Plan { lag: Lag::Usual, stacks: vec![late], deeds, interruptions, ..Plan::default() });
    }
}

#[test]
fn one_look_shows_the_key_of_an_abandoned_invocation_and_the_next_does_not() {
    goes_well_while_replicas_flap(120, How::Abandoned, 440);
}

#[test]
fn the_key_of_an_ended_process_is_shown_before_it_can_be_deleted() {
    for (dice, milliseconds) in [(1_855, 635), (7, 339)] {
        goes_well_while_replicas_flap(dice, How::Killed, milliseconds);
    }
}

#[test]
fn a_sibling_stores_its_secret_while_the_key_of_a_lost_answer_is_sought() {
    let (third, second) = (When::Nth(3), When::Nth(2));
    goes_well_as_rolled(Plan {
        dice: 12_689_861_305_590_464_060,
        lag: Lag::Usual,
        gone_keys_are_denied: true,
        stacks: vec![StackPlan { keys: 2, ..stack_with_user(&[]) }],
        troubles: vec![
            Trouble { operation: "*", when: third, fault: Fault::Fail },
            Trouble { operation: "ListAccessKeys", when: second, fault: Fault::Fail },
        ],
        ..Plan::default()
    });
}

#[test]
fn iam_does_not_tell_that_the_user_whom_a_limited_role_is_denied_is_seconds_old() {
    for fault in [Fault::Throttle, Fault::CutBefore, Fault::Fail] {
        let (stacks, troubles) = (vec![stack_with_user(&[Step::Delete])], vec![between("GetUser", 0, 15, fault)]);
        succeeds(&Plan { lag: Lag::Usual, role: Role::Path, stacks, troubles, ..Plan::default() });
    }
}

#[test]
fn a_role_limited_to_a_path_is_denied_a_user_who_is_seconds_old() {
    for dice in [6_068_785_238_521_364_096, 5_276_637_904_209_046_265] {
        for user in ["app", "ci+deploy,1@example.com"] {
            let stacks = vec![StackPlan { user, ..stack_with_user(&[]) }];
            goes_well_as_rolled(Plan { dice, lag: Lag::Flapping, role: Role::Path, stacks, ..Plan::default() });
        }
    }
}

#[test]
fn neither_secret_nor_key_is_shown_once_when_the_status_is_updated() {
    let not_shown = |operation, nth| Trouble { operation, when: When::Nth(nth), fault: Fault::NotShown };
    let troubles = vec![not_shown("GetSecretValue", 2), not_shown("GetSecretValue", 3), not_shown("ListAccessKeys", 3)];
    goes_well(&Plan { stacks: vec![stack(&[Step::Status(Status::Inactive)])], troubles, ..Plan::default() });
}

#[test]
fn the_secret_of_a_key_is_hidden_again_when_the_key_is_updated() {
    let tag = || StackPlan { user: "ci+deploy,1@example.com", ..stack_with_user(&[Step::Tag("green")]) };
    let two = |steps: &[Step]| StackPlan { keys: 2, ..stack(steps) };
    let status = [Step::Status(Status::Inactive), Step::Status(Status::Active)];
    let lives = [
        (14_973_846_129_952_670_440, Role::Wide, true, two(&status)),
        (1_844_862_751_610_290_078, Role::Wide, false, tag()),
        (10_901_528_318_034_834_127, Role::Wide, true, two(&[Step::Tag("green")])),
        (18_109_389_385_996_195_874, Role::Path, true, tag()),
        (9_029_012_766_063_703_671, Role::Path, false, stack(&[Step::Status(Status::Inactive)])),
    ];
    for (dice, role, gone_keys_are_denied, stack) in lives {
        let stacks = vec![stack];
        goes_well_as_rolled(Plan { dice, lag: Lag::Flapping, role, gone_keys_are_denied, stacks, ..Plan::default() });
    }
}

#[test]
fn the_key_of_an_ended_process_is_shown_during_a_rollback_alone() {
    goes_well_as_rolled(Plan {
        dice: 7_958_069_987_065_243_379,
        lag: Lag::Flapping,
        stacks: vec![StackPlan { status: Status::Inactive, ..stack(&[]) }],
        troubles: vec![Trouble { operation: "UpdateAccessKey", when: When::Nth(2), fault: Fault::Refuse }],
        interruptions: interrupted(How::Killed, 142),
        ..Plan::default()
    });
}

#[test]
fn an_id_holds_the_letters_with_which_one_begins() {
    let stacks = vec![stack(&[Step::Delete])];
    let dice = 10_084_545_519_570_008_161;
    goes_well_as_rolled(Plan { dice, gone_keys_are_denied: true, stacks, ..Plan::default() });
}

#[test]
fn the_user_is_deleted_by_another_stack_right_after_the_key() {
    let owner = [Step::Wait(Duration::from_secs(1_000)), Step::Tag("green"), ROTATE, Step::Delete];
    let guest = StackPlan {
        starts: Duration::from_secs(950),
        region: OTHER_REGION,
        makes_user: false,
        ..stack_with_user(&[Step::Delete])
    };
    goes_well_as_rolled(Plan {
        dice: 13_636_944_266_057_089_172,
        lag: Lag::Usual,
        role: Role::Path,
        stacks: vec![StackPlan { status: Status::Inactive, ..stack_with_user(&owner) }, guest],
        troubles: [first("DescribeSecret", Fault::HangAndReach(11)), first("*", Fault::HangAndReach(11))].concat(),
        interruptions: vec![
            Interruption { invocation: 2, ..interrupted(How::Abandoned, 160)[0] },
            Interruption { invocation: 3, ..interrupted(How::Vanished, 6_156)[0] },
        ],
        ..Plan::default()
    });
}

#[test]
fn an_abandoned_invocation_deletes_the_key_of_the_next_before_that_answers() {
    for (dice, milliseconds) in [(30_987, 599), (2_865, 1_085)] {
        goes_well_while_replicas_flap(dice, How::Abandoned, milliseconds);
    }
}

#[test]
fn an_abandoned_invocation_of_an_update_overwrites_the_version_of_the_next() {
    let wait = Step::Wait(Duration::from_secs(30));
    for milliseconds in (0..60).step_by(10) {
        let interruptions = vec![Interruption { invocation: 2, ..interrupted(How::Abandoned, milliseconds)[0] }];
        let stacks = vec![stack(&[wait, Step::Tag("blue"), Step::Delete])];
        succeeds(&Plan { stacks, interruptions, ..Plan::default() });
    }
}

#[test]
fn tags_are_refused_and_the_store_describes_the_young_secret_late() {
    for user in ["alice", "app", "bob", "zoe"] {
        for tag in ["blue", "green"] {
            let troubles = vec![between("TagResource", 0, 300, Fault::Refuse)];
            let stacks = vec![StackPlan { user, ..stack_with_user(&[Step::Tag(tag)]) }];
            goes_well(&Plan { lag: Lag::Usual, stacks, troubles, ..Plan::default() });
        }
    }
}

#[test]
fn a_person_deletes_the_secret_while_an_update_waits_for_it() {
    goes_well_as_rolled(Plan {
        dice: 10_477_582_930_485_363_381,
        lag: Lag::Usual,
        role: Role::Path,
        tagging: Tagging::Denied,
        undo: Undo::OldWithHint,
        tokens: Tokens::None,
        stacks: vec![StackPlan { user: "bob", keys: 2, ..stack(&[Step::Describe("orders")]) }],
        deeds: vec![Deed { user: "bob", ..deed(4_563, Act::DeleteSecret)[0] }],
        ..Plan::default()
    });
}

#[test]
fn a_person_deletes_the_secret_just_before_the_tags_are_changed() {
    goes_well_as_rolled(Plan {
        dice: 1_206_586_622_158_151_239,
        lag: Lag::Flapping,
        role: Role::Path,
        gone_keys_are_denied: true,
        undo: Undo::OldWithHint,
        stacks: vec![StackPlan {
            user: "bob",
            ..stack(&[Step::Read, Step::Rotate { rolls_back: true }, Step::Tag("blue")])
        }],
        interruptions: vec![Interruption { invocation: 2, ..interrupted(How::Killed, 234)[0] }],
        deeds: vec![Deed { user: "bob", ..deed(991, Act::DeleteSecret)[0] }],
        ..Plan::default()
    });
}
