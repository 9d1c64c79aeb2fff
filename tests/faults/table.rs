//! The table of outcomes.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    case::{Case, FAULTS},
    operation::Operation,
    scenario::Scenario,
};

/// A cell of the table: what the invocation under the fault answered, and how the operation ended.
pub(crate) fn cell(case: &Case, operation: &Operation<'_>) -> String {
    // These calls are made side by side: whether the secret was stored, or the record named the key, when the process was killed
    // is a matter of luck. If so, the key is found again; if not, it is named.
    let beside_the_store = ["CreateSecret", "UpdateSecret of a record", "UpdateAccessKey"].contains(&case.operation);
    if case.scenario == Scenario::Create && case.is_kill() && beside_the_store {
        return "killed, then ok, or the key is named".to_owned();
    }
    let Operation { under_fault, end, .. } = operation;
    let result = |event| result(case.scenario, event);
    if under_fault == end { result(end) } else { format!("{}, then {}", result(under_fault), result(end)) }
}

fn result(scenario: Scenario, event: &Value) -> String {
    match event["errorCode"].as_str() {
        None if event["status"] == "IN_PROGRESS" => "in progress".to_owned(),
        None => "ok".to_owned(),
        Some(code) if scenario.is_create() && event["resourceModel"]["Id"].is_string() => format!("{code} with Id"),
        Some(code) => code.to_owned(),
    }
}

/// The whole table in Markdown, from all cases and a cell for each of them.
pub(crate) fn render(cases: &[Case], cells: &[String]) -> String {
    let mut table = format!(
        "# What becomes of a fault\n\n\
         Made by `make faults`, {} cases: a handler, a call it makes, what happens to that call. A cell says what the\n\
         invocation under the fault answered and, after \"then\", how the operation ended once CloudFormation had called\n\
         again. After every case the keys in IAM, the stored secrets, the events and the log are checked: see the head of\n\
         `tests/faults/main.rs`. \"with Id\" is a failed CREATE that names the key for the rollback to delete.\n\n",
        cases.len()
    );
    let names = FAULTS.map(|fault| fault.0);
    writeln!(table, "| handler | call | {} |", names.join(" | ")).unwrap();
    writeln!(table, "| --- | --- |{}", " --- |".repeat(names.len())).unwrap();
    for (cases, cells) in cases.chunks(names.len()).zip(cells.chunks(names.len())) {
        let Case { scenario, operation, occurrence, .. } = cases[0];
        let which = ["", ", second"][occurrence];
        writeln!(table, "| {scenario} | {operation}{which} | {} |", cells.join(" | ")).unwrap();
    }
    table
}
