//! CloudFormation's part: it calls the handler, calls again after callbacks and retriable errors, and rolls back.

use std::time::Duration;

use cfn_resource_runtime::HandlerErrorCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    case::Case,
    scenario::Scenario,
    support::{
        Fault, TestEnvironment,
        requests::{self, callback, create_with_token, with},
    },
};

/// How often CloudFormation calls again after a retriable error.
const RETRIES: usize = 3;

/// An operation under a fault, from its first invocation to its end.
pub(crate) struct Operation<'a> {
    env: &'a TestEnvironment,
    /// The model of the key that the user had before.
    pub(crate) existing: Value,
    /// Every event that CloudFormation got, in order.
    pub(crate) events: Vec<Value>,
    /// The event of the invocation under the fault.
    pub(crate) under_fault: Value,
    /// The event that ended the operation, before any rollback.
    pub(crate) end: Value,
}

impl<'a> Operation<'a> {
    /// Plays a case to its end.
    pub(crate) async fn run(env: &'a TestEnvironment, case: &Case) -> Self {
        let user = case.user();
        env.aws.create_user(&user).await;
        if matches!(case.scenario, Scenario::CreateRollback | Scenario::Delete) {
            // Whether a key that IAM does not know is gone, or too new to be known, takes half a minute to find out.
            env.proxy.make_everything_old();
        }
        let existing = env.succeed(&create(&user, "1", "Active")).await;
        let request = request(case.scenario, &user, &existing);
        let mut operation = Self { env, existing, events: vec![], under_fault: Value::Null, end: Value::Null };

        if case.scenario == Scenario::CreateRollback {
            env.proxy.inject("CreateSecret", .., Fault::Error(400, "LimitExceededException"));
        }
        env.proxy.inject(case.operation, case.faulty_calls(), case.fault());
        operation.under_fault = operation.invoke(&request).await;
        assert!(env.proxy.faults_injected(case.operation) > 0, "{case}: the fault was never injected");
        env.proxy.clear_faults();

        operation.end = operation.carry_on(&request).await;
        operation.clean_up_after_failure(case.scenario, &request).await;
        operation
    }

    /// Invokes the function, which a fault may kill: then the event is one that only this laboratory knows.
    async fn invoke(&mut self, request: &Value) -> Value {
        let event = tokio::select! {
            event = self.env.invoke(request) => event,
            () = self.env.proxy.kill_requested() => {
                self.env.function.kill_and_restart();
                json!({"status": "FAILED", "errorCode": "killed"})
            }
        };
        self.events.push(event.clone());
        event
    }

    /// Carries the operation to its end, by callbacks and retries with the same token, and returns the last event.
    async fn carry_on(&mut self, request: &Value) -> Value {
        let mut event = self.under_fault.clone();
        for _ in 0..RETRIES {
            let is_retriable =
                HandlerErrorCode::deserialize(&event["errorCode"]).is_ok_and(HandlerErrorCode::is_retriable);
            if event["status"] == "IN_PROGRESS" {
                event = self.invoke(&callback(request, &event)).await;
            } else if is_retriable || event["errorCode"] == "killed" {
                // A minute goes by until the record of an attempt is no longer its invocation's.
                self.env.aws.age_records(Duration::from_secs(70)).await;
                event = self.invoke(request).await;
            } else {
                break;
            }
        }
        event
    }

    /// Rolls back a failed CREATE that named its key, and repeats a failed DELETE, as a person does with the stack.
    async fn clean_up_after_failure(&mut self, scenario: Scenario, request: &Value) {
        if self.end["status"] != "FAILED" {
            return;
        }
        let model = self.end["resourceModel"].clone();
        if scenario.is_create() && model["Id"].is_string() {
            self.invoke(&requests::delete(&model)).await;
        } else if scenario.is_delete() {
            self.invoke(request).await;
        }
    }
}

fn create(user: &str, serial: &str, status: &str) -> Value {
    let properties = json!({"UserName": user, "Serial": serial, "Status": status});
    create_with_token(&format!("{user}-{serial}"), properties)
}

/// The request that begins the scenario's operation.
fn request(scenario: Scenario, user: &str, existing: &Value) -> Value {
    match scenario {
        Scenario::Create | Scenario::CreateRollback => create(user, "2", "Inactive"),
        Scenario::Read => requests::read(existing),
        Scenario::Update => requests::update(existing.clone(), with(existing, "Status", "Inactive")),
        Scenario::Delete => requests::delete(existing),
        Scenario::List => requests::registry("LIST", Value::Null),
    }
}
