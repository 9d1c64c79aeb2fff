//! Lives about what a CREATE knows of the invocations before it, and about the record that tells it.

use std::time::Duration;

use access_key_schema::Status;

use super::{
    Act, Deed, Fault, How, Interruption, Lag, OTHER_REGION, Plan, ROTATE, Role, StackPlan, Step, Tokens, Trouble,
    Verdict, between, deed, first, go_well, goes_well, goes_well_as_rolled, interrupted, nth, play, stack,
    stack_with_user, succeeds,
};

/// What meets a call of a CREATE.
const FAULTS: [Fault; 10] = [
    Fault::Refuse,
    Fault::Throttle,
    Fault::Fail,
    Fault::FailAfter,
    Fault::CutBefore,
    Fault::CutAfter,
    Fault::BreakOff,
    Fault::Hang,
    Fault::HangAndReach(6),
    Fault::Slow(2),
];

/// The calls on its record that a CREATE makes while nothing is wrong.
const CALLS: [&str; 3] = ["CreateSecret of a record", "UpdateSecret of a record", "DeleteSecret of a record"];

/// The call by which a CREATE finds out what an invocation before it has left.
const DESCRIBE: &str = "DescribeSecret of a record";

/// The keys of a user in two regions, made at once.
fn two_regions(first: StackPlan) -> Vec<StackPlan> {
    let beside =
        StackPlan { region: OTHER_REGION, makes_user: false, starts: Duration::from_millis(1), ..first.clone() };
    vec![first, beside]
}

#[test]
fn a_stack_in_each_of_two_regions_makes_a_key_and_one_call_fails() {
    for first in [stack(&[]), stack_with_user(&[])] {
        for lost in [1, 2] {
            for fault in [Fault::Fail, Fault::FailAfter, Fault::CutBefore, Fault::CutAfter] {
                let (stacks, troubles) = (two_regions(first.clone()), vec![nth("CreateAccessKey", lost, fault)]);
                goes_well(&Plan { lag: Lag::Usual, stacks, troubles, ..Plan::default() });
            }
        }
    }
}

#[test]
fn a_stack_in_each_of_two_regions_makes_a_key_and_both_calls_fail() {
    for first in [stack(&[]), stack_with_user(&[])] {
        for fault in [Fault::Fail, Fault::FailAfter] {
            for lag in [Lag::None, Lag::Usual] {
                let troubles = [1, 2].map(|lost| nth("CreateAccessKey", lost, fault)).to_vec();
                goes_well(&Plan { lag, stacks: two_regions(first.clone()), troubles, ..Plan::default() });
            }
        }
    }
}

#[test]
fn the_secret_of_a_repeated_create_is_described_late_and_cannot_be_read() {
    // The first read, or the first after a look of the invocation that ended.
    for read in [1, 2] {
        let plan = |milliseconds| Plan {
            stacks: vec![stack(&[])],
            troubles: vec![nth("DescribeSecret", 1, Fault::NotShown), nth("GetSecretValue", read, Fault::Refuse)],
            interruptions: interrupted(How::Killed, milliseconds),
            ..Plan::default()
        };
        go_well(&(100..200).step_by(10).map(plan).collect::<Vec<_>>());
    }
}

#[test]
fn the_key_of_an_ended_process_is_named_by_the_invocation_that_succeeds() {
    for lag in [Lag::None, Lag::Usual, Lag::Flapping] {
        let plan = |milliseconds| Plan {
            lag,
            stacks: vec![stack(&[])],
            interruptions: interrupted(How::Killed, milliseconds),
            ..Plan::default()
        };
        go_well(&(30..130).step_by(10).map(plan).collect::<Vec<_>>());
    }
}

#[test]
fn a_create_does_not_wait_for_the_key_that_somebody_else_made_seconds_ago() {
    for milliseconds in [1, 1_000, 4_000] {
        let late = StackPlan { starts: Duration::from_millis(4_500), ..stack(&[]) };
        let deeds = deed(milliseconds, Act::CreateKey);
        let Verdict { story, violations, failures, longest, .. } =
            play(Plan { stacks: vec![late], deeds, ..Plan::default() });
        assert!(violations.is_empty() && failures.is_empty(), "{story}");
        assert!(longest < Duration::from_secs(2), "{longest:?}\n{story}");
    }
}

#[test]
fn a_callback_has_another_token() {
    let troubles = vec![between("ListAccessKeys", 1, 40, Fault::NotShown)];
    let steps = [Step::Wait(Duration::from_mins(1)), ROTATE, Step::Delete];
    for lag in [Lag::None, Lag::Usual, Lag::Flapping] {
        let starts = Duration::from_millis(900);
        let (stacks, troubles) = (vec![StackPlan { starts, ..stack(&steps) }], troubles.clone());
        succeeds(&Plan { lag, tokens: Tokens::AnotherInCallbacks, stacks, troubles, ..Plan::default() });
    }
}

#[test]
fn a_callback_with_another_token_sees_the_key_of_an_ended_process() {
    goes_well_as_rolled(Plan {
        dice: 2_323_292_012_102_083_562,
        lag: Lag::Usual,
        tokens: Tokens::AnotherInCallbacks,
        stacks: vec![StackPlan { status: Status::Inactive, ..stack_with_user(&[]) }],
        interruptions: interrupted(How::Killed, 374),
        ..Plan::default()
    });
}

#[test]
fn a_create_has_no_token() {
    for fault in [Fault::Slow(1), Fault::Fail, Fault::FailAfter, Fault::CutAfter] {
        let (stacks, troubles) = (vec![stack(&[Step::Delete])], first("CreateAccessKey", fault));
        goes_well(&Plan { tokens: Tokens::None, stacks, troubles, ..Plan::default() });
    }
}

#[test]
fn the_process_ends_at_every_moment_of_a_create() {
    for how in [How::Killed, How::Vanished, How::Abandoned] {
        for lag in [Lag::None, Lag::Usual] {
            let plan = |milliseconds| Plan {
                lag,
                stacks: vec![stack(&[Step::Delete])],
                interruptions: interrupted(how, milliseconds),
                ..Plan::default()
            };
            go_well(&(0..300).step_by(10).map(plan).collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_user_is_renamed_or_deleted_at_any_moment_of_a_create() {
    for act in [Act::RenameUserAtOnce, Act::DeleteUser] {
        for (lag, role) in [(Lag::None, Role::Wide), (Lag::Usual, Role::Path)] {
            let plan = |stack, deeds| Plan { lag, role, stacks: vec![stack], deeds, ..Plan::default() };
            let late = |milliseconds| plan(stack(&[Step::Delete]), deed(milliseconds, act));
            go_well(&(0..200).step_by(20).map(late).collect::<Vec<_>>());
            // Between the user and the key.
            let early = |milliseconds| {
                plan(stack_with_user(&[Step::Delete]), vec![Deed { user: "app", ..deed(milliseconds, act)[0] }])
            };
            go_well(&(0..4_000).step_by(400).map(early).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_create_that_was_rolled_back_is_repeated_and_succeeds() {
    for fault in [Fault::Fail, Fault::CutBefore, Fault::CutAfter, Fault::Throttle] {
        let troubles = vec![between("CreateSecret", 0, 4, fault)];
        succeeds(&Plan { stacks: vec![stack(&[Step::Delete])], troubles, ..Plan::default() });
    }
}

#[test]
fn every_call_of_a_create_is_slow() {
    for seconds in 1..=3 {
        let troubles = vec![between("*", 0, 20, Fault::Slow(seconds))];
        succeeds(&Plan { lag: Lag::Usual, stacks: vec![stack(&[])], troubles, ..Plan::default() });
    }
}

#[test]
fn a_call_on_the_record_meets_a_fault() {
    for (operation, fault) in CALLS.into_iter().flat_map(|operation| FAULTS.map(|fault| (operation, fault))) {
        let plan =
            |stack| Plan { lag: Lag::Usual, stacks: vec![stack], troubles: first(operation, fault), ..Plan::default() };
        go_well(&[stack(&[Step::Delete]), stack_with_user(&[])].map(plan));
    }
}

#[test]
fn a_call_on_the_record_meets_a_fault_beside_a_lost_answer() {
    for (operation, fault) in CALLS.into_iter().chain([DESCRIBE]).flat_map(|it| FAULTS.map(|fault| (it, fault))) {
        let plan = |lost| Plan {
            lag: Lag::Usual,
            stacks: vec![stack(&[])],
            troubles: [first("CreateAccessKey", lost), first(operation, fault)].concat(),
            ..Plan::default()
        };
        go_well(&[Fault::Fail, Fault::FailAfter, Fault::CutAfter].map(plan));
    }
}

#[test]
fn a_call_on_the_record_meets_a_fault_beside_an_ended_process() {
    for (operation, fault) in CALLS.into_iter().chain([DESCRIBE]).flat_map(|it| FAULTS.map(|fault| (it, fault))) {
        let plan = |milliseconds| Plan {
            lag: Lag::Usual,
            stacks: vec![stack(&[])],
            troubles: first(operation, fault),
            interruptions: interrupted(How::Killed, milliseconds),
            ..Plan::default()
        };
        go_well(&(20..240).step_by(40).map(plan).collect::<Vec<_>>());
    }
}

#[test]
fn two_calls_on_the_record_meet_a_fault_beside_a_lost_answer() {
    for one in FAULTS {
        let plan = |other| Plan {
            stacks: vec![stack(&[])],
            troubles: vec![
                nth("CreateAccessKey", 1, Fault::CutAfter),
                nth("DeleteSecret of a record", 1, one),
                nth("UpdateSecret of a record", 1, other),
            ],
            ..Plan::default()
        };
        go_well(&FAULTS.map(plan));
    }
}

#[test]
fn a_create_does_not_activate_a_key_that_was_deactivated_while_it_waited() {
    let steps = [Step::Status(Status::Inactive), Step::Wait(Duration::from_secs(5)), Step::Read];
    let abandoned = |invocation, milliseconds| Interruption {
        invocation,
        after: Duration::from_millis(milliseconds),
        how: How::Abandoned,
    };
    let plan = |milliseconds| Plan {
        stacks: vec![stack(&steps)],
        interruptions: vec![abandoned(1, 60), abandoned(2, milliseconds)],
        ..Plan::default()
    };
    go_well(&[60, 80, 100, 120, 140].map(plan));
    let troubles = vec![between("GetSecretValue", 0, 8, Fault::NotShown)];
    let deeds = deed(4_000, Act::DeactivateStackKey);
    let stacks = vec![stack(&[Step::Wait(Duration::from_secs(30)), Step::Read])];
    goes_well(&Plan { stacks, troubles, deeds, ..Plan::default() });
}

#[test]
fn a_key_that_was_rolled_back_is_shown_to_the_next_invocation() {
    for dice in 0..60 {
        let hang = |number| nth("UpdateSecret of a record", number, Fault::Hang);
        let troubles = vec![between("ListAccessKeys", 0, 9, Fault::NotShown), hang(1), hang(2), hang(3)];
        let Verdict { story, violations, failures, .. } =
            play(Plan { dice, lag: Lag::Usual, stacks: vec![stack(&[])], troubles, ..Plan::default() });
        assert!(violations.is_empty() && failures.is_empty(), "{story}\n{violations:#?}\n{failures:#?}");
    }
}

#[test]
fn the_record_is_made_and_then_refused() {
    let then = |operation, number| nth(operation, number, Fault::Refuse);
    for refused in [then("CreateSecret of a record", 2), then("DescribeSecret of a record", 1)] {
        let troubles = [first("CreateSecret of a record", Fault::FailAfter), vec![refused]].concat();
        goes_well(&Plan { stacks: vec![stack(&[])], troubles, ..Plan::default() });
    }
    for milliseconds in (60..140).step_by(20) {
        let (troubles, interruptions) =
            (vec![between("UpdateAccessKey", 0, 200, Fault::Refuse)], interrupted(How::Killed, milliseconds));
        goes_well(&Plan { stacks: vec![stack(&[])], troubles, interruptions, ..Plan::default() });
    }
}

#[test]
fn the_user_is_known_late_and_the_store_tells_late_whose_their_key_is() {
    let hang = |operation, number| nth(operation, number, Fault::Hang);
    for from in [23, 24] {
        let troubles = vec![
            between("ListAccessKeys", 0, from, Fault::NotShown),
            between("ListAccessKeys", from, from + 8, Fault::Hang),
            hang("DescribeSecret", 1),
            hang("DescribeSecret", 2),
        ];
        let deeds = deed(1, Act::CreateKey);
        goes_well(&Plan { stacks: vec![stack(&[])], troubles, deeds, ..Plan::default() });
    }
}

#[test]
fn a_newer_record_is_not_shown_when_a_key_of_the_operation_is() {
    goes_well_as_rolled(Plan {
        dice: 15_018_230_654_534_133_773,
        lag: Lag::Usual,
        stacks: vec![StackPlan { user: "bob", ..stack(&[]) }],
        troubles: vec![nth("*", 3, Fault::CutAfter)],
        interruptions: vec![Interruption { invocation: 4, ..interrupted(How::Killed, 251)[0] }],
        ..Plan::default()
    });
}

#[test]
fn an_invocation_that_was_given_up_creates_no_key_after_the_next_has_ended() {
    let troubles = [first("CreateSecret of a record", Fault::Hang), vec![nth("ListAccessKeys", 2, Fault::Refuse)]];
    let interruptions = interrupted(How::Abandoned, 183);
    goes_well(&Plan { stacks: vec![stack(&[])], troubles: troubles.concat(), interruptions, ..Plan::default() });
}

/// The process of this invocation ends.
fn killed(invocation: u32, milliseconds: u64) -> Interruption {
    Interruption { invocation, ..interrupted(How::Killed, milliseconds)[0] }
}

/// For a life in which nothing is lost, but an operation could take minutes.
#[track_caller]
fn succeeds_within(seconds: u64, troubles: Vec<Trouble>) {
    let Verdict { story, violations, failures, longest, missed, .. } =
        play(Plan { stacks: vec![stack(&[])], troubles, ..Plan::default() });
    assert!(violations.is_empty() && failures.is_empty() && missed.is_empty(), "{story}\n{violations:#?}\n{missed:#?}");
    assert!(longest < Duration::from_secs(seconds), "{longest:?}\n{story}");
}

#[test]
fn the_answer_is_lost_of_the_call_that_makes_a_record() {
    succeeds_within(20, first("CreateSecret of a record", Fault::CutAfter));
    // The fourth invocation takes over, and has tried to make the first record before.
    let lost = nth("CreateSecret of a record", 5, Fault::CutAfter);
    succeeds_within(120, [first("CreateAccessKey", Fault::CutAfter), vec![lost]].concat());
}

#[test]
fn an_invocation_has_waited_when_the_operation_is_over() {
    let abandoned = |invocation, milliseconds| Interruption {
        invocation,
        after: Duration::from_millis(milliseconds),
        how: How::Abandoned,
    };
    // The first one creates nothing, the second waits for it, and the third is refused what it needs.
    let plan = |milliseconds| Plan {
        stacks: vec![stack(&[])],
        troubles: vec![
            nth("ListAccessKeys", 1, Fault::Slow(2)),
            nth("CreateAccessKey", 1, Fault::Refuse),
            nth("ListAccessKeys", 3, Fault::Refuse),
        ],
        interruptions: vec![abandoned(1, 60), abandoned(2, milliseconds)],
        ..Plan::default()
    };
    go_well(&(1_500..3_500).step_by(100).map(plan).collect::<Vec<_>>());
}

#[test]
fn two_attempts_end_before_the_third_one() {
    for lag in [Lag::None, Lag::Usual] {
        for first in [15, 40] {
            // The fourth invocation is the first that may take over.
            let plan = |milliseconds| Plan {
                lag,
                stacks: vec![stack(&[])],
                interruptions: vec![killed(1, first), killed(4, milliseconds)],
                ..Plan::default()
            };
            go_well(&(80..280).step_by(20).map(plan).collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_secret_of_the_next_key_is_shown_late_after_a_lost_answer() {
    let troubles =
        [first("CreateAccessKey", Fault::CutAfter), vec![between("GetSecretValue", 60, 110, Fault::NotShown)]].concat();
    succeeds(&Plan { stacks: vec![stack(&[])], troubles, ..Plan::default() });
}

#[test]
fn the_next_record_cannot_be_made_after_a_lost_answer() {
    let troubles = (5..8).map(|number| nth("CreateSecret of a record", number, Fault::Fail)).collect();
    let troubles = [first("CreateAccessKey", Fault::CutAfter), troubles].concat();
    succeeds(&Plan { stacks: vec![stack(&[])], troubles, ..Plan::default() });
}

#[test]
fn nothing_tells_whose_the_keys_are_after_a_lost_answer() {
    let lost = first("CreateAccessKey", Fault::CutAfter);
    for refused in ["DescribeSecret", "ListAccessKeys"] {
        // Before the next key, or after it was refused: the fourth invocation has asked once then, and the others twice.
        let before = vec![between(refused, 60, 300, Fault::Refuse)];
        let number = if refused == "DescribeSecret" { 6 } else { 7 };
        let after = vec![nth("CreateAccessKey", 2, Fault::Refuse), nth(refused, number, Fault::Refuse)];
        for troubles in [before, after] {
            let troubles = [lost.clone(), troubles].concat();
            goes_well(&Plan { stacks: vec![stack(&[])], troubles, ..Plan::default() });
        }
    }
}

#[test]
fn an_answer_is_lost_while_the_clocks_differ() {
    for clock_ahead in [-8, 8] {
        let troubles = first("CreateAccessKey", Fault::CutAfter);
        goes_well(&Plan { clock_ahead, stacks: vec![stack(&[])], troubles, ..Plan::default() });
    }
}

#[test]
fn an_abandoned_invocation_cannot_undo_what_it_did() {
    let troubles = [first("UpdateAccessKey", Fault::Refuse), vec![between("DeleteAccessKey", 0, 2, Fault::Refuse)]];
    let plan = |milliseconds| Plan {
        stacks: vec![StackPlan { status: Status::Inactive, ..stack(&[]) }],
        troubles: troubles.concat(),
        interruptions: interrupted(How::Abandoned, milliseconds),
        ..Plan::default()
    };
    go_well(&(40..160).step_by(20).map(plan).collect::<Vec<_>>());
}

#[test]
fn an_abandoned_invocation_cannot_name_its_key_in_the_record() {
    let plan = |milliseconds| Plan {
        stacks: vec![stack(&[])],
        troubles: first("UpdateSecret of a record", Fault::Refuse),
        interruptions: interrupted(How::Abandoned, milliseconds),
        ..Plan::default()
    };
    go_well(&(40..160).step_by(20).map(plan).collect::<Vec<_>>());
}

#[test]
fn a_create_is_rolled_back_and_its_record_goes_on_naming_the_key() {
    let fails = (2..5).map(|number| nth("UpdateSecret of a record", number, Fault::Fail));
    let troubles = [between("CreateSecret", 0, 4, Fault::Fail)].into_iter().chain(fails).collect();
    succeeds(&Plan { stacks: vec![stack(&[])], troubles, ..Plan::default() });
}

#[test]
fn a_person_deletes_the_key_of_an_ended_process_before_the_next_attempt() {
    for milliseconds in (60..180).step_by(10) {
        let (interruptions, deeds) = (interrupted(How::Killed, milliseconds), deed(30_000, Act::DeleteStackKey));
        let open = nth("DeleteSecret of a record", 1, Fault::Hang);
        succeeds(&Plan { stacks: vec![stack(&[])], troubles: vec![open], interruptions, deeds, ..Plan::default() });
    }
}

#[test]
fn the_key_of_an_ended_process_is_told_by_its_record_alone() {
    let plan = |milliseconds| Plan {
        stacks: vec![StackPlan { starts: Duration::from_millis(1_000 - milliseconds), ..stack(&[]) }],
        troubles: vec![nth(DESCRIBE, 2, Fault::Refuse), between("ListAccessKeys", 1, 60, Fault::NotShown)],
        interruptions: interrupted(How::Killed, milliseconds),
        ..Plan::default()
    };
    go_well(&(100..240).step_by(20).map(plan).collect::<Vec<_>>());
}

#[test]
fn the_key_of_an_ended_process_is_shown_nowhere_for_seconds() {
    let not_shown = |operation, from| between(operation, from, 25, Fault::NotShown);
    let troubles = vec![
        not_shown("ListAccessKeys", 1),
        not_shown("GetAccessKeyLastUsed", 0),
        not_shown("DescribeSecret", 0),
        not_shown("GetSecretValue", 0),
    ];
    let plan = |milliseconds| Plan {
        stacks: vec![StackPlan { starts: Duration::from_millis(400), ..stack(&[]) }],
        troubles: troubles.clone(),
        interruptions: interrupted(How::Killed, milliseconds),
        ..Plan::default()
    };
    go_well(&(140..280).step_by(20).map(plan).collect::<Vec<_>>());
}

#[test]
fn the_key_of_an_ended_process_is_deactivated_before_the_next_attempt() {
    let plan = |milliseconds| Plan {
        stacks: vec![stack(&[])],
        interruptions: interrupted(How::Killed, milliseconds),
        deeds: deed(30_000, Act::DeactivateStackKey),
        ..Plan::default()
    };
    go_well(&(60..180).step_by(10).map(plan).collect::<Vec<_>>());
}

#[test]
fn the_secret_of_an_ended_process_is_stored_and_its_record_names_no_key() {
    let hang = nth("UpdateSecret of a record", 1, Fault::Hang);
    let plan = |troubles| Plan {
        stacks: vec![stack(&[])],
        troubles,
        interruptions: interrupted(How::Killed, 200),
        ..Plan::default()
    };
    succeeds(&plan(vec![hang]));
    goes_well(&plan(vec![hang, between("UpdateAccessKey", 0, 300, Fault::Refuse)]));
}

#[test]
fn after_two_lost_answers_and_an_ended_process_the_next_record_is_shown_late() {
    let beside = StackPlan { user: "bob", region: OTHER_REGION, starts: Duration::from_millis(16_692), ..stack(&[]) };
    goes_well_as_rolled(Plan {
        dice: 5_211_743_457_629_296_556,
        lag: Lag::Usual,
        stacks: vec![StackPlan { user: "bob", ..stack(&[Step::Delete]) }, beside],
        troubles: vec![nth("CreateAccessKey", 2, Fault::HangAndReach(12)), nth("CreateAccessKey", 3, Fault::Fail)],
        interruptions: vec![Interruption { invocation: 4, ..interrupted(How::Killed, 99)[0] }],
        ..Plan::default()
    });
}

/// The record of the second attempt cannot be written any more when its key is rolled back.
#[test]
fn after_a_lost_answer_the_next_attempts_record_goes_on_naming_a_key_that_is_gone() {
    goes_well(&Plan {
        stacks: vec![stack_with_user(&[])],
        troubles: vec![
            between("CreateSecret", 29, 329, Fault::Fail),
            nth("CreateAccessKey", 1, Fault::CutAfter),
            nth("UpdateSecret of a record", 2, Fault::Refuse),
        ],
        ..Plan::default()
    });
}
