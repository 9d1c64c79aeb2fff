//! What the account that registered the type gets to see of an invocation: its log lines and its metrics, in moto's Logs
//! and CloudWatch.
//!
//! A delivery is given up after a second of the clock. So that the machine has that second, the tests run one at a time, and
//! apart from those that fill it.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use serde_json::{Value, json};

use tokio::sync::Mutex;

use crate::support::{
    Call, Fault, TestEnvironment,
    events::id,
    requests::{self, of_resource, primary_identifier, registry, test_entrypoint, with},
};

/// The log group in the fixtures.
const GROUP: &str = "aws-iam-accesskey-logs";

/// The log stream of the resource in the fixtures.
const STREAM: &str =
    "arn__aws__cloudformation__us-east-1__123456789012__stack/deploy/5c2b1f60-8d1c-11ef-a1a3-0affd8b5f8a7/DeployKey";

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// How often a test is played on a machine that is too busy for it.
const ATTEMPTS: usize = 4;

/// Plays a test in an environment with a user alice, and again where it failed after a delivery took too long: then it
/// says nothing.
async fn play(test: impl AsyncFn(&TestEnvironment)) {
    let _turn = ONE_AT_A_TIME.lock().await;
    for attempt in 1.. {
        let env = TestEnvironment::with_user("alice").await;
        // moto loads a service when it is called first, which takes longer than a delivery may.
        env.aws.logs.create_log_group().log_group_name("loads-the-logs").send().await.unwrap();
        assert!(env.aws.metric_names("loads-the-metrics").await.is_empty());
        let Err(failure) = AssertUnwindSafe(test(&env)).catch_unwind().await else { return };
        let is_busy = env.function.log().iter().any(|line| line.contains(r#""outcome":"Timeout""#));
        if attempt == ATTEMPTS || !is_busy {
            resume_unwind(failure);
        }
    }
}

/// The lines of a stream, as JSON, without their times.
async fn lines(env: &TestEnvironment, stream: &str) -> Vec<Value> {
    let lines = env.aws.log_lines(GROUP, stream).await;
    let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| with(&with(&line, "timestamp", Value::Null), "duration_ms", Value::Null)).collect()
}

/// The operations of deliveries, sorted: logs and metrics are sent side by side.
fn operations(deliveries: &[Call]) -> Vec<&str> {
    let mut operations: Vec<_> = deliveries.iter().map(|call| call.operation.as_str()).collect();
    operations.sort_unstable();
    operations
}

/// The metrics in a delivery, each on a line: its name, value, unit and dimensions.
fn metrics(deliveries: &[Call]) -> Vec<String> {
    let puts: Vec<_> = deliveries.iter().filter(|call| call.operation == "PutMetricData").collect();
    let data = puts.iter().flat_map(|call| {
        let body: Value = serde_json::from_str(&call.body).unwrap();
        assert_eq!(body["Namespace"], "AWS/CloudFormation/AWS/IAM/AccessKey");
        body["MetricData"].as_array().unwrap().clone()
    });
    data.map(|datum| {
        let is_duration = datum["Unit"] == "Milliseconds";
        assert!(!is_duration || datum["Value"].as_f64().unwrap() > 0.0, "{datum}");
        let value = if is_duration { Value::Null } else { datum["Value"].clone() };
        let dimensions = datum["Dimensions"].as_array().unwrap().iter();
        let dimensions = dimensions.map(|each| format!("{}={}", text(&each["Name"]), text(&each["Value"])));
        let dimensions = dimensions.collect::<Vec<_>>().join(" ");
        format!("{} {value} {} {dimensions}", text(&datum["MetricName"]), text(&datum["Unit"]))
    })
    .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Of each line what tells it from the others.
fn told(lines: &[Value]) -> Vec<String> {
    let fields = ["level", "message", "operation", "outcome", "status", "code"];
    let tell = |line: &Value| {
        let told = fields.iter().filter_map(|field| line[field].as_str()).collect::<Vec<_>>();
        told.join(" ")
    };
    lines.iter().map(tell).collect()
}

#[tokio::test]
async fn the_lines_of_standard_output_go_in_order_to_the_stream_of_the_resource() {
    play(async |env| {
        let model = env.create(json!({"UserName": "alice"})).await;
        env.fail(&requests::read(&json!({"Id": "AKIAIOSFODNN7EXAMPLE"})), "NotFound", "").await;

        let lines = lines(env, STREAM).await;
        let told = told(&lines);
        let (created, failed) = told.split_at(told.iter().position(|line| line.ends_with("SUCCESS")).unwrap() + 1);
        assert_eq!(created.first().unwrap(), "INFO request received");
        assert_eq!(created.last().unwrap(), "INFO request completed SUCCESS");
        for call in ["ListAccessKeys OK", "CreateAccessKey OK", "CreateSecret OK", "GetSecretValue OK"] {
            assert!(created.contains(&format!("INFO AWS called {call}")), "{call}: {created:#?}");
        }
        assert_eq!(failed.first().unwrap(), "INFO request received");
        assert!(failed.contains(&"INFO AWS called GetSecretValue ResourceNotFoundException".to_owned()), "{failed:#?}");
        assert!(failed.contains(&"INFO AWS called GetAccessKeyLastUsed NoSuchEntity".to_owned()), "{failed:#?}");
        assert_eq!(failed.last().unwrap(), "ERROR request failed NotFound");

        let request = &lines[0];
        assert_eq!(request["stack_id"], requests::create(Value::Null)["stackId"]);
        assert_eq!(request["logical_resource_id"], "DeployKey");
        assert_eq!(request["resource_type"], "AWS::IAM::AccessKey");
        assert_eq!(request["resource_type_version"], "00000001");
        assert_eq!(request["span"], json!({"name": "invocation", "action": "CREATE", "bearer_token": "9f1c2b7e…"}));
        let outcome = lines.iter().find(|line| line["message"] == "request completed").unwrap();
        assert_eq!(outcome["span"]["id"], id(&model));
        let call = lines.iter().find(|line| line["operation"] == "CreateAccessKey").unwrap();
        assert_eq!((&call["service"], &call["attempt"]), (&json!("IAM"), &json!(1)));
        assert!(call["aws_request_id"].is_string(), "{call}");

        let on_standard_output = env.function.log();
        for line in env.aws.log_lines(GROUP, STREAM).await {
            assert!(on_standard_output.contains(&line), "{line}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_missing_group_or_stream_is_created_once_and_none_is_looked_for() {
    play(async |env| {
        let listed = registry("LIST", Value::Null);
        let cases = [
            (
                of_resource(&listed, "One"),
                vec![
                    "CreateLogGroup",
                    "CreateLogStream",
                    "CreateLogStream",
                    "PutLogEvents",
                    "PutLogEvents",
                    "PutMetricData",
                ],
            ),
            (of_resource(&listed, "One"), vec!["PutLogEvents", "PutMetricData"]),
            (of_resource(&listed, "Two"), vec!["CreateLogStream", "PutLogEvents", "PutLogEvents", "PutMetricData"]),
            (
                with(&listed, "stackId", Value::Null),
                vec!["CreateLogStream", "PutLogEvents", "PutLogEvents", "PutMetricData"],
            ),
        ];
        for (request, expected) in cases {
            env.succeed(&request).await;
            let deliveries = env.proxy.take_deliveries();
            assert_eq!(operations(&deliveries), expected);
            assert!(deliveries.iter().all(|call| call.access_key_id == "ASIAEXAMPLEPROVIDER1"), "{deliveries:?}");
        }
        let calls = env.proxy.take_calls();
        assert!(calls.iter().all(|call| call.access_key_id == "ASIAEXAMPLECALLER001"), "{calls:?}");

        let stack = STREAM.strip_suffix("DeployKey").unwrap();
        let streams = ["123456789012-us-east-1".to_owned(), format!("{stack}One"), format!("{stack}Two")];
        assert_eq!(env.aws.log_streams(GROUP).await, streams);
        for (stream, invocations) in streams.iter().zip([1, 2, 1]) {
            let told = told(&lines(env, stream).await);
            assert_eq!(told.iter().filter(|line| line.ends_with("request received")).count(), invocations, "{told:#?}");
        }
    })
    .await;
}

#[tokio::test]
async fn each_invocation_is_counted_and_timed_and_a_failure_counted_by_its_code() {
    play(async |env| {
        let model = env.create(json!({"UserName": "alice"})).await;
        let created = [
            "HandlerInvocationCount 1.0 Count Action=CREATE ResourceType=AWS::IAM::AccessKey",
            "HandlerInvocationDuration null Milliseconds Action=CREATE ResourceType=AWS::IAM::AccessKey",
        ];
        assert_eq!(metrics(&env.proxy.take_deliveries()), created);

        env.fail(&requests::delete(&json!({"UserName": "alice"})), "NotFound", "").await;
        let failed = [
            "HandlerInvocationCount 1.0 Count Action=DELETE ResourceType=AWS::IAM::AccessKey",
            "HandlerInvocationDuration null Milliseconds Action=DELETE ResourceType=AWS::IAM::AccessKey",
            "HandlerException 1.0 Count Action=DELETE ExceptionType=HandlerError ResourceType=AWS::IAM::AccessKey \
             HandlerErrorCode=NotFound",
            "HandlerExceptionByErrorCode 1.0 Count Action=DELETE HandlerErrorCode=NotFound",
            "HandlerExceptionByExceptionCount 1.0 Count Action=DELETE",
        ];
        assert_eq!(metrics(&env.proxy.take_deliveries()), failed);

        let request = with(&requests::read(&model), "resourceType", "Acme::IAM::AccessKey");
        env.succeed(&request).await;
        let deliveries = env.proxy.take_deliveries();
        assert!(deliveries.iter().any(|call| call.body.contains(r#""AWS/CloudFormation/Acme/IAM/AccessKey""#)));
        let metrics = env.aws.metric_names("AWS/CloudFormation/AWS/IAM/AccessKey").await;
        assert_eq!(metrics.len(), 7, "{metrics:?}");
    })
    .await;
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_told_of_too() {
    play(async |env| {
        env.fail(&with(&requests::create(json!({})), "requestData.stackTags", 1), "InvalidRequest", "stackTags").await;
        assert_eq!(told(&lines(env, STREAM).await), ["INFO request received", "ERROR request failed InvalidRequest"]);
        assert_eq!(metrics(&env.proxy.take_deliveries()).len(), 5);
    })
    .await;
}

#[tokio::test]
async fn no_credentials_no_group_or_the_test_entry_point_means_no_delivery() {
    play(async |env| {
        let listed = registry("LIST", Value::Null);
        let mut test = test_entrypoint("LIST", Value::Null);
        let registry_data = &listed["requestData"];
        for field in ["providerCredentials", "providerLogGroupName"] {
            env.succeed(&with(&listed, &format!("requestData.{field}"), Value::Null)).await;
            test = with(&test, field, registry_data[field].clone());
            test = with(&test, &format!("request.{field}"), registry_data[field].clone());
        }
        for field in ["resourceType", "awsAccountId"] {
            test = with(&test, field, listed[field].clone());
        }
        env.succeed(&test).await;
        assert_eq!(env.proxy.take_deliveries(), []);
    })
    .await;
}

#[tokio::test]
async fn the_type_configuration_sets_the_level_over_that_of_the_environment() {
    play(async |env| {
        for (level, expected) in [
            ("ERROR", vec!["ERROR request failed NotFound"]),
            ("WARN", vec!["ERROR request failed NotFound"]),
            ("INFO", vec!["INFO request received", "ERROR request failed NotFound"]),
        ] {
            let before = env.function.log().len();
            let request = of_resource(&requests::delete(&json!({})), level);
            env.fail(&requests::configured(&request, json!({"LogLevel": level})), "NotFound", "").await;
            assert_eq!(told(&lines(env, &STREAM.replace("DeployKey", level)).await), expected);
            assert_eq!(env.function.log().len() - before, expected.len());
        }
    })
    .await;
}

#[tokio::test]
async fn a_failed_delivery_changes_no_outcome_and_is_a_line_and_a_metric() {
    play(async |env| {
        let model = env.create(json!({"UserName": "alice"})).await;
        let expected = env.read(&model).await;
        let refused = || Fault::Error(400, "AccessDeniedException");
        for (service, operation, fault, why) in [
            ("CloudWatch Logs", "PutLogEvents", refused(), "AccessDeniedException"),
            ("CloudWatch Logs", "PutLogEvents", Fault::Error(500, "InternalFailure"), "InternalFailure"),
            ("CloudWatch Logs", "PutLogEvents", Fault::Error(400, "ThrottlingException"), "ThrottlingException"),
            ("CloudWatch Logs", "PutLogEvents", Fault::CutAfter, "NoConnection"),
            ("CloudWatch", "PutMetricData", refused(), "AccessDeniedException"),
            ("CloudWatch", "PutMetricData", Fault::Error(503, "ServiceUnavailable"), "ServiceUnavailable"),
            // Last, because a delivery that took too long looks like a busy machine.
            ("CloudWatch Logs", "PutLogEvents", Fault::Hang, "Timeout"),
            ("CloudWatch", "PutMetricData", Fault::Hang, "Timeout"),
        ] {
            let context = format!("{operation} {fault:?}");
            let before = env.function.log().len();
            env.proxy.inject(operation, .., fault);
            env.proxy.take_deliveries();
            let start = Instant::now();
            assert_eq!(env.read(&model).await, expected, "{context}");
            assert!(start.elapsed() < Duration::from_secs(2), "{context}: {:?}", start.elapsed());
            env.proxy.clear_faults();
            let log = env.function.log();
            let line = log[before..].iter().find(|line| line.contains("not delivered"));
            let line: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{context}: {log:#?}"))).unwrap();
            assert_eq!((&line["service"], &line["outcome"]), (&json!(service), &json!(why)), "{context}");
            if operation == "PutLogEvents" {
                let counted = metrics(&env.proxy.take_deliveries());
                let metric = "HandlerException 1.0 Count Action=ProviderLogDelivery ExceptionType=";
                let metric = format!("{metric}{why} ResourceType=AWS::IAM::AccessKey");
                assert!(counted.contains(&metric), "{context}: {counted:#?}");
            }
        }
        // What was delivered before is there, and what comes after it as well.
        let before = lines(env, STREAM).await.len();
        assert_eq!(env.read(&model).await, expected);
        assert!(lines(env, STREAM).await.len() > before);
    })
    .await;
}

#[tokio::test]
async fn no_delivery_of_a_whole_life_holds_a_secret_or_a_whole_bearer_token() {
    play(async |env| {
        let request = requests::create(json!({"UserName": "alice"}));
        let model = env.succeed(&request).await;
        env.read(&model).await;
        env.update(&model, &with(&model, "Status", "Inactive")).await;
        env.proxy.inject("DeleteSecret", .., Fault::Error(500, "InternalServiceError"));
        env.delete(&primary_identifier(&model)).await;
        env.proxy.clear_faults();
        env.delete(&model).await;
        let secrets = ["MustNotBeLogged", text(&model["SecretAccessKey"]), text(&model["SesSmtpPasswordV4"])];
        let deliveries = env.proxy.take_deliveries();
        assert!(deliveries.len() > 10 && deliveries.iter().any(|call| call.body.contains("alice")), "{deliveries:?}");
        for secret in [&secrets[..], &[text(&request["bearerToken"])]].concat() {
            let leaks = deliveries.iter().filter(|call| call.body.contains(secret)).count();
            assert_eq!(leaks, 0);
            env.assert_not_logged(&[secret]);
        }
    })
    .await;
}
