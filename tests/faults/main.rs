//! The fault laboratory: every handler with every fault at every call it makes, then CloudFormation's retries, and
//! after each case the invariants:
//!
//! - the user's keys are exactly those that a model or a message names;
//! - every live key of ours has its stored secret, or is named in a message;
//! - nothing is stored without a key (but for one case, see [`check_invariants`]);
//! - no secret is in a log line, a message, a callback context or a token.
//!
//! `make faults` prints the table of outcomes that `tests/faults/outcomes.md` holds.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Write as _,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
};

use futures_util::FutureExt;
use serde_json::{Value, json};
use support::{Fault, Lab, requests};

/// How many laboratories work side by side: they mostly wait.
const LABS: usize = 6;

/// How often CloudFormation calls again after a retriable error.
const RETRIES: usize = 3;

const RETRIABLE: [&str; 4] = ["NetworkFailure", "Throttling", "ServiceInternalError", "ResourceConflict"];

/// A handler in a situation, and the calls it makes there: operation and which of its occurrences.
struct Scenario {
    name: &'static str,
    calls: &'static [(&'static str, usize)],
}

const SCENARIOS: [Scenario; 8] = [
    Scenario {
        name: "CREATE",
        calls: &[
            ("ListAccessKeys", 0),
            ("GetSecretValue", 0),
            ("CreateAccessKey", 0),
            ("CreateSecret", 0),
            ("UpdateAccessKey", 0),
            ("ListAccessKeys", 1),
        ],
    },
    Scenario { name: "CREATE, callback", calls: &[("GetSecretValue", 0), ("ListAccessKeys", 0)] },
    Scenario { name: "CREATE, undoing", calls: &[("DeleteAccessKey", 0), ("DeleteSecret", 0)] },
    Scenario { name: "READ", calls: &[("GetSecretValue", 0), ("GetAccessKeyLastUsed", 0), ("ListAccessKeys", 0)] },
    Scenario { name: "UPDATE", calls: &[("UpdateAccessKey", 0), ("GetSecretValue", 0), ("ListAccessKeys", 0)] },
    Scenario { name: "DELETE", calls: &[("DeleteAccessKey", 0), ("DeleteSecret", 0)] },
    Scenario {
        name: "DELETE, by id",
        calls: &[("GetAccessKeyLastUsed", 0), ("DeleteAccessKey", 0), ("DeleteSecret", 0)],
    },
    Scenario { name: "LIST", calls: &[("ListUsers", 0), ("ListAccessKeys", 0)] },
];

/// The columns of the table: what is played, and whether on one call or on all until the invocation is over.
fn faults() -> Vec<(&'static str, Fault, bool)> {
    let refused = Fault::Answer(403, "AccessDenied");
    let throttled = Fault::Answer(400, "ThrottlingException");
    let failing = Fault::Answer(500, "InternalFailure");
    let unavailable = Fault::Answer(503, "ServiceUnavailable");
    vec![
        ("refused", refused, true),
        ("throttled once", throttled.clone(), false),
        ("throttled", throttled, true),
        ("500 once", failing.clone(), false),
        ("500", failing, true),
        ("503", unavailable, true),
        ("cut before, once", Fault::CutBefore, false),
        ("cut before", Fault::CutBefore, true),
        ("cut after, once", Fault::CutAfter, false),
        ("cut after", Fault::CutAfter, true),
        ("no answer, once", Fault::Hang, false),
        ("no answer", Fault::Hang, true),
        ("killed before", Fault::Kill { after: false }, false),
        ("killed after", Fault::Kill { after: true }, false),
    ]
}

#[derive(Clone)]
struct Case {
    number: usize,
    scenario: &'static str,
    operation: &'static str,
    occurrence: usize,
    fault_name: &'static str,
    fault: Fault,
    always: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_at_any_call_orphans_a_key_unnamed() {
    let mut cases = VecDeque::new();
    for scenario in &SCENARIOS {
        for (operation, occurrence) in scenario.calls {
            for (fault_name, fault, always) in faults() {
                cases.push_back(Case {
                    number: cases.len(),
                    scenario: scenario.name,
                    operation,
                    occurrence: *occurrence,
                    fault_name,
                    fault,
                    always,
                });
            }
        }
    }
    let count = cases.len();
    let queue = Arc::new(Mutex::new(cases));
    let outcomes = Arc::new(Mutex::new(BTreeMap::new()));
    let labs: Vec<_> = (0..LABS).map(|_| tokio::spawn(work(Arc::clone(&queue), Arc::clone(&outcomes)))).collect();
    for lab in labs {
        lab.await.unwrap();
    }
    let outcomes = outcomes.lock().unwrap();
    assert_eq!(outcomes.len(), count, "every case has an outcome");
    let table = table(&outcomes, count);
    println!("{table}");
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/outcomes.md"), &table).unwrap();
    let broken = outcomes.values().filter(|outcome| outcome.contains("BROKEN")).count();
    assert_eq!(broken, 0, "cases that broke an invariant; each has said why above");
    // `make faults` takes the new table over.
    let updating = std::env::var_os("UPDATE_OUTCOMES").is_some();
    assert!(
        updating || table == include_str!("outcomes.md"),
        "the outcomes changed: run `make faults`, and look at what changed in tests/faults/outcomes.md"
    );
}

type Outcomes = Arc<Mutex<BTreeMap<(usize, String, &'static str), String>>>;

/// One laboratory: takes cases until there are none left.
async fn work(queue: Arc<Mutex<VecDeque<Case>>>, outcomes: Outcomes) {
    let lab = Lab::start().await;
    let mut secrets = BTreeSet::new();
    loop {
        let Some(case) = queue.lock().unwrap().pop_front() else { break };
        let story = AssertUnwindSafe(play(&lab, &case, &mut secrets)).catch_unwind().await;
        let outcome = story.unwrap_or_else(|_| "**BROKEN**".to_owned());
        clean_up(&lab, &format!("user-{}", case.number)).await;
        let row = format!("{} | {}{}", case.scenario, case.operation, ["", ", second"][case.occurrence]);
        outcomes.lock().unwrap().insert((case.number, row, case.fault_name), outcome);
    }
    let leaks =
        lab.function.log().into_iter().filter(|line| secrets.iter().any(|secret| line.contains(secret))).count();
    assert_eq!(leaks, 0, "log lines with a secret");
}

/// What happened in one case.
struct Story<'a> {
    lab: &'a Lab,
    user: String,
    /// Every event that CloudFormation got, in order.
    events: Vec<Value>,
}

impl Story<'_> {
    fn last(&self) -> &Value {
        self.events.last().unwrap()
    }

    /// Invokes under a fault that may kill the function, and then gets no answer.
    async fn invoke(&mut self, request: &Value) {
        tokio::select! {
            answer = self.lab.invoke(request) => self.events.push(answer),
            () = self.lab.front.killing() => {
                self.lab.function.kill_and_restart();
                self.events.push(json!({"status": "FAILED", "errorCode": "killed"}));
            }
        }
    }

    /// Carries an operation to its end as CloudFormation does: callbacks and retries, with the same token.
    async fn carry_on(&mut self, request: &Value) {
        for _ in 0..RETRIES {
            let event = self.last().clone();
            let code = event["errorCode"].as_str().unwrap_or_default();
            if event["status"] == "IN_PROGRESS" {
                self.invoke(&callback(request, &event)).await;
            } else if code == "killed" || RETRIABLE.contains(&code) {
                self.invoke(request).await;
            } else {
                break;
            }
        }
    }
}

fn callback(request: &Value, event: &Value) -> Value {
    let mut callback = request.clone();
    callback["callbackContext"] = event["callbackContext"].clone();
    callback["requestData"]["resourceProperties"] = event["resourceModel"].clone();
    callback
}

async fn play(lab: &Lab, case: &Case, secrets: &mut BTreeSet<String>) -> String {
    let user = format!("user-{}", case.number);
    lab.aws.create_user(&user).await;
    let create = |serial: &str, status: &str| {
        let mut request = requests::registry("CREATE", json!({"UserName": user, "Serial": serial, "Status": status}));
        request["bearerToken"] = format!("{user}-{serial}").into();
        request
    };

    // The situation: the user has a key of the same resource, with a lower Serial.
    let first = lab.invoke(&create("1", "Active")).await["resourceModel"].clone();
    let request = match case.scenario {
        "READ" => requests::registry("READ", requests::primary_identifier(&first)),
        "UPDATE" => {
            let mut wanted = first.clone();
            wanted["Status"] = "Inactive".into();
            requests::registry_update(first.clone(), wanted)
        }
        "DELETE" => requests::registry("DELETE", first.clone()),
        "DELETE, by id" => requests::registry("DELETE", requests::primary_identifier(&first)),
        "LIST" => requests::registry("LIST", Value::Null),
        _ => create("2", "Inactive"),
    };
    let mut story = Story { lab, user: user.clone(), events: vec![] };
    let mut faulty = request.clone();
    match case.scenario {
        "CREATE, callback" => {
            lab.front.fault_times("ListAccessKeys", 1, usize::MAX, Fault::HideKeys);
            story.invoke(&request).await;
            lab.front.heal();
            faulty = callback(&request, story.last());
        }
        "CREATE, undoing" => lab.front.fault("UpdateAccessKey", Fault::Answer(403, "AccessDenied")),
        _ => {}
    }

    let times = if case.always { usize::MAX } else { 1 };
    lab.front.fault_times(case.operation, case.occurrence, times, case.fault.clone());
    story.invoke(&faulty).await;
    let under_fault = story.last().clone();
    let played = lab.front.faults_played();
    lab.front.heal();
    assert!(played > 0, "{case}: the fault was never played");
    story.carry_on(&faulty).await;
    let outcome = outcome(case, &under_fault, story.last());

    // A failed CREATE is rolled back; somebody deletes a stack again whose DELETE failed.
    let last = story.last().clone();
    if last["status"] == "FAILED" {
        if case.scenario.starts_with("CREATE") && last["resourceModel"]["Id"].is_string() {
            story.invoke(&requests::registry("DELETE", last["resourceModel"].clone())).await;
        } else if case.scenario.starts_with("DELETE") {
            story.invoke(&request).await;
        }
    }
    let dead_secret = check_invariants(case, &story, &first, secrets).await;
    if dead_secret { format!("{outcome}; a dead key's secret stays") } else { outcome }
}

/// Whether a dead key's secret is still stored: when the process ends between the two deletions of an undo, nothing
/// leads from the next CREATE to the secret of a key that is gone.
async fn check_invariants(case: &Case, story: &Story<'_>, first: &Value, secrets: &mut BTreeSet<String>) -> bool {
    let Story { lab, user, events } = story;
    let keys: BTreeSet<String> = lab.aws.keys(user).await.into_iter().map(|(id, _)| id).collect();
    let stored: BTreeSet<String> =
        lab.aws.stored().await.into_iter().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect();
    let named = |id: &String| {
        events.iter().any(|event| event["message"].as_str().is_some_and(|message| message.contains(id.as_str())))
    };
    // What CloudFormation believes to exist: the key of the last event, and the first one until it is deleted.
    let mut expected: BTreeSet<String> = BTreeSet::new();
    if !case.scenario.starts_with("DELETE") {
        expected.insert(first["Id"].as_str().unwrap().to_owned());
    }
    if case.scenario.starts_with("CREATE") && story.last()["status"] == "SUCCESS" {
        expected.extend(story.last()["resourceModel"]["Id"].as_str().map(ToOwned::to_owned));
    }
    for id in &keys {
        assert!(expected.contains(id) || named(id), "{case}: key {id} is orphaned: {events:#?}");
        assert!(stored.contains(id) || named(id), "{case}: the secret of key {id} is lost: {events:#?}");
    }
    for id in &expected {
        assert!(keys.contains(id), "{case}: key {id} is gone: {events:#?}");
    }
    let dead_secret = !stored.is_subset(&keys);
    let killed_in_undo = case.scenario == "CREATE, undoing" && matches!(case.fault, Fault::Kill { .. });
    assert!(!dead_secret || killed_in_undo, "{case}: a secret is stored without a key: {events:#?}");
    for model in events.iter().map(|event| &event["resourceModel"]).chain([first]) {
        secrets.extend(model["SecretAccessKey"].as_str().map(ToOwned::to_owned));
    }
    for event in events {
        let mut event = event.clone();
        if event["status"] == "SUCCESS" {
            event["resourceModel"] = Value::Null;
        }
        let text = event.to_string();
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{case}: an event tells a secret");
    }
    dead_secret
}

async fn clean_up(lab: &Lab, user: &str) {
    for (id, _) in lab.aws.keys(user).await {
        lab.aws.iam.delete_access_key().user_name(user).access_key_id(id).send().await.unwrap();
    }
    for name in lab.aws.stored().await {
        lab.aws.secrets.delete_secret().secret_id(name).force_delete_without_recovery(true).send().await.unwrap();
    }
    lab.aws.iam.delete_user().user_name(user).send().await.unwrap();
    lab.front.heal();
    lab.front.calls();
}

/// A cell of the table: what the faulty invocation answered, and how the operation ended.
fn outcome(case: &Case, under_fault: &Value, last: &Value) -> String {
    let word = |event: &Value| match event["errorCode"].as_str() {
        None => "ok".to_owned(),
        Some(code) if event["resourceModel"]["Id"].is_string() => format!("{code} with Id"),
        Some(code) => code.to_owned(),
    };
    // These calls are on their way side by side: whether the secret was stored when the process ended is a matter of
    // luck. If it was, the key is found again, or else named.
    let beside_the_store = ["CreateSecret", "UpdateAccessKey"].contains(&case.operation) || case.occurrence == 1;
    if case.scenario == "CREATE" && matches!(case.fault, Fault::Kill { .. }) && beside_the_store {
        return "killed, then ok, or the key is named".to_owned();
    }
    if under_fault == last { word(last) } else { format!("{}, then {}", word(under_fault), word(last)) }
}

fn table(outcomes: &BTreeMap<(usize, String, &'static str), String>, count: usize) -> String {
    let mut rows: Vec<(String, Vec<String>)> = vec![];
    for ((_, row, _), outcome) in outcomes {
        match rows.last_mut() {
            Some((name, cells)) if name == row => cells.push(outcome.clone()),
            _ => rows.push((row.clone(), vec![outcome.clone()])),
        }
    }
    let mut table = format!(
        "# What becomes of a fault\n\n\
         Made by `make faults`, {count} cases: a handler, a call it makes, what happens to that call. A cell says what the\n\
         invocation under the fault answered and, after \"then\", how the operation ended once CloudFormation had called\n\
         again. After every case the keys in IAM, the stored secrets, the events and the log are checked: see the head of\n\
         `tests/faults/main.rs`. \"with Id\" is a failed CREATE that names the key for the rollback to delete.\n\n"
    );
    let names: Vec<_> = faults().into_iter().map(|(name, ..)| name).collect();
    writeln!(table, "| handler | call | {} |", names.join(" | ")).unwrap();
    writeln!(table, "| --- | --- |{}", " --- |".repeat(names.len())).unwrap();
    for (row, cells) in rows {
        writeln!(table, "| {row} | {} |", cells.join(" | ")).unwrap();
    }
    table
}

impl std::fmt::Display for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, scenario, operation, occurrence, fault_name, .. } = self;
        write!(formatter, "case {number}: {scenario}, {operation} #{occurrence}, {fault_name}")
    }
}
