//! What an invocation delivers to the account that registered the type.

use std::time::Duration;

use cfn_resource_runtime::DELIVERY_TIME;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::{join, time::Instant};

use crate::{
    aws::{Account, Aws, Refusal, SECRET},
    invoke, listen, request,
};

/// How many lives are played in every weather.
const LIVES: u64 = 100;

/// The life of a key: what its invocations answered, and the longest of them.
async fn live(aws: &Aws, change: impl Fn(Value) -> Value) -> (Vec<Value>, Duration) {
    let mut events: Vec<Value> = vec![];
    let mut longest = Duration::ZERO;
    for action in ["CREATE", "READ", "DELETE", "READ"] {
        let properties = match events.first() {
            None => json!({"UserName": "alice"}),
            Some(created) => json!({"UserName": "alice", "Id": created["resourceModel"]["Id"]}),
        };
        let start = Instant::now();
        events.push(invoke(aws, &change(request(action, "stack", properties))).await);
        longest = longest.max(start.elapsed());
    }
    (events, longest)
}

/// The messages of the lines in a stream.
fn messages(lines: &[String]) -> Vec<String> {
    let message = |line: &String| serde_json::from_str::<Value>(line).unwrap()["message"].as_str().unwrap().to_owned();
    lines.iter().map(message).collect()
}

#[tokio::test(start_paused = true)]
async fn no_delivery_changes_an_outcome_or_takes_more_than_a_second() {
    let _listening = listen();
    let without_delivery = |mut request: Value| {
        request["requestData"]["providerCredentials"] = Value::Null;
        request
    };
    let undelivered = Aws::new(Account::default());
    let (expected, own_time) = live(&undelivered, without_delivery).await;
    assert!(undelivered.account().deliveries.is_empty());
    let statuses: Vec<_> = expected.iter().map(|event| event["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["SUCCESS", "SUCCESS", "SUCCESS", "FAILED"], "{expected:#?}");

    let mut delivered = 0;
    for seed in 0..LIVES {
        let aws = Aws::new(Account { weather: Some(Rng::with_seed(seed)), ..Account::default() });
        let (events, longest) = live(&aws, |request| request).await;
        assert_eq!(events, expected, "seed {seed}");
        assert!(longest <= own_time + DELIVERY_TIME, "seed {seed}: {longest:?}");
        let account = aws.account();
        assert!(account.keys.is_empty() && account.secrets.is_empty(), "seed {seed}");
        let lines: Vec<_> = account.streams.values().flatten().collect();
        assert!(!lines.iter().any(|line| line.contains(SECRET)), "seed {seed}");
        delivered += lines.len();
    }
    assert!(delivered > 0, "some weather is fair");
}

#[tokio::test(start_paused = true)]
async fn the_lines_of_two_stacks_whose_invocations_overlap_do_not_mix() {
    let _listening = listen();
    let aws = Aws::new(Account { delay: Duration::from_millis(100), ..Account::default() });
    let create = |stack, user| request("CREATE", stack, json!({"UserName": user}));
    let (one, two) = (create("one", "alice"), create("two", "bob"));
    let (first, second) = join!(invoke(&aws, &one), invoke(&aws, &two));
    assert_eq!((&first["status"], &second["status"]), (&json!("SUCCESS"), &json!("SUCCESS")), "{first} {second}");
    let account = aws.account();
    for (stack, event) in [("one", first), ("two", second)] {
        let lines = &account.streams[&format!("{stack}/DeployKey")];
        assert_eq!(messages(lines).first().unwrap(), "request received");
        assert_eq!(messages(lines).last().unwrap(), "request completed");
        assert_eq!(lines.iter().filter(|line| line.contains("AWS called")).count(), 8, "{lines:#?}");
        for line in lines {
            assert!(line.contains(&format!(r#""bearer_token":"{stack:-<8}…""#)), "{line}");
        }
        assert!(lines.last().unwrap().contains(event["resourceModel"]["Id"].as_str().unwrap()), "{lines:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_an_invocation_of_its_own_in_the_same_stream() {
    let _listening = listen();
    let aws = Aws::new(Account { looks_without_keys: 14, ..Account::default() });
    let create = request("CREATE", "stack", json!({"UserName": "alice"}));
    let event = invoke(&aws, &create).await;
    assert_eq!(event["status"], "IN_PROGRESS", "{event}");
    let mut callback = create;
    callback["callbackContext"] = event["callbackContext"].clone();
    callback["requestData"]["resourceProperties"] = event["resourceModel"].clone();
    assert_eq!(invoke(&aws, &callback).await["status"], "SUCCESS");

    let account = aws.account();
    let messages = messages(&account.streams["stack/DeployKey"]);
    let count = |message: &str| messages.iter().filter(|each| *each == message).count();
    assert_eq!((count("request received"), count("request completed")), (2, 2), "{messages:#?}");
    assert_eq!(count("waiting for AWS to show the outcome"), 1, "{messages:#?}");
    assert!(count("waiting until IAM and the store show the new key") >= 12, "{messages:#?}");
    assert_eq!(account.metrics.len(), 2);
    for put in &account.metrics {
        assert_eq!(put["MetricData"][0]["MetricName"], "HandlerInvocationCount");
        assert_eq!(put["MetricData"].as_array().unwrap().len(), 2, "{put}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invocation_gets_all_its_retries_however_much_aws_throttled_before() {
    let aws = Aws::new(Account::default());
    let read = request("READ", "stack", json!({"UserName": "alice", "Id": "AKIAIOSFODNN7EXAMPLE"}));
    // The SDK's own quota is enough for some sixty of these.
    for invocation in 0..100 {
        let code = "Throttling".to_owned();
        aws.account().refusal = Some(Refusal { status: 400, code, answered: 0, refused: 1_000 });
        assert_eq!(invoke(&aws, &read).await["errorCode"], "Throttling");
        let left = aws.account().refusal.as_ref().unwrap().refused;
        assert_eq!(1_000 - left, 6, "two calls of three attempts each, in invocation {invocation}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_warning_of_a_key_that_may_be_left_is_delivered_except_at_error() {
    let _listening = listen();
    let mut create = request("CREATE", "stack", json!({"UserName": "alice"}));
    let warning = "key of a CREATE without an answer may be left";
    for (level, is_delivered) in [("WARN", true), ("ERROR", false)] {
        create["requestData"]["typeConfiguration"] = json!({"LogLevel": level});
        // The record is made and the keys are listed. Whether CreateAccessKey made a key, IAM does not say.
        let refusal = Refusal { status: 500, code: "ServiceFailure".to_owned(), answered: 2, refused: 1 };
        let aws = Aws::new(Account { refusal: Some(refusal), ..Account::default() });
        let event = invoke(&aws, &create).await;
        assert_eq!(event["errorCode"], "ServiceInternalError", "{event}");
        let messages = messages(&aws.account().streams["stack/DeployKey"]);
        assert_eq!(messages.iter().any(|message| message == warning), is_delivered, "{level}: {messages:?}");
    }
}
