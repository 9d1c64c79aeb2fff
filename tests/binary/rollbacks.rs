//! CloudFormation rolls a failed update back by another UPDATE, with the properties exchanged: what was refused has left nothing
//! to write, so the rollback succeeds whatever is refused still, and all is as it was.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{
    Fault, TestEnvironment,
    events::{id, message, secret_name},
    requests::{self, with},
};

fn tags(tags: &[(&str, &str)]) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// What the stack and the resource had, and what an UPDATE wants of them.
struct Change {
    own: [Value; 2],
    stack: [Value; 2],
    status: [&'static str; 2],
}

impl Change {
    fn of_own_tags() -> Self {
        let own = [tags(&[("a", "1"), ("b", "1")]), tags(&[("b", "2"), ("c", "1")])];
        Self { own, stack: [json!({}), json!({})], status: ["Active", "Active"] }
    }

    fn of_status() -> Self {
        let own = tags(&[("a", "1")]);
        Self { own: [own.clone(), own], stack: [json!({}), json!({})], status: ["Active", "Inactive"] }
    }

    fn of_stack_tags() -> Self {
        let stack = [json!({"team": "payments", "stage": "test"}), json!({"team": "orders", "env": "test"})];
        Self { stack, status: ["Active", "Active"], ..Self::of_status() }
    }

    fn of_everything() -> Self {
        Self { status: ["Active", "Inactive"], stack: Self::of_stack_tags().stack, ..Self::of_own_tags() }
    }

    /// The properties of the key before the change, or after it.
    fn properties(&self, model: &Value, after: usize) -> Value {
        with(&with(model, "Tags", self.own[after].clone()), "Status", self.status[after])
    }

    /// An UPDATE to the properties and stack tags before the change, or after it.
    fn update(&self, model: &Value, previous: usize, after: usize) -> Value {
        let request = requests::update(self.properties(model, previous), self.properties(model, after));
        let request = with(&request, "requestData.previousStackTags", self.stack[previous].clone());
        with(&request, "requestData.stackTags", self.stack[after].clone())
    }
}

/// All that an UPDATE may change of a key.
async fn state(env: &TestEnvironment, user: &str, model: &Value) -> Value {
    let name = secret_name(model);
    let keys = env.aws.keys(user).await;
    let tags = env.aws.secret_tags(&name).await;
    json!([format!("{keys:?}"), tags, env.aws.secret_value(&name).await["Tags"]])
}

#[tokio::test]
async fn the_rollback_of_a_denied_update_succeeds_although_the_denial_stands() {
    let env = TestEnvironment::start().await;
    let denied = ["TagResource", "UntagResource", "UpdateSecret", "UpdateAccessKey", "GetSecretValue"];
    let changes = [
        ("own", Change::of_own_tags as fn() -> Change),
        ("status", Change::of_status),
        ("stack", Change::of_stack_tags),
        ("all", Change::of_everything),
    ];
    let mut refused = 0;
    for operation in denied {
        for (name, change) in changes {
            for previous in [1, 0] {
                let (user, change) = (format!("{operation}-{name}-{previous}"), change());
                env.proxy.make_everything_new();
                env.aws.create_user(&user).await;
                let create = requests::create(json!({"UserName": user, "Tags": change.own[0]}));
                let create =
                    with(&with(&create, "bearerToken", user.clone()), "requestData.stackTags", change.stack[0].clone());
                let model = env.succeed(&create).await;
                // A denial for a user who is seconds old passes.
                env.proxy.make_everything_old();
                let before = state(&env, &user, &model).await;

                env.proxy.inject(operation, .., Fault::Error(400, "AccessDeniedException"));
                let event = env.invoke_to_the_end(&change.update(&model, 0, 1)).await;
                let is_refused = event["status"] == "FAILED";
                refused += usize::from(is_refused);
                let undone = env.invoke_to_the_end(&change.update(&model, previous, 0)).await;
                env.proxy.clear_faults();

                assert!(!is_refused || undone["status"] == "SUCCESS", "{user}: {event}\n{undone}");
                if is_refused {
                    assert_eq!(state(&env, &user, &model).await, before, "{user}: {event}\n{undone}");
                }
            }
        }
    }
    assert_eq!(refused, 24, "rows in which the denial is in the way");
}

#[tokio::test]
async fn a_key_without_a_stored_secret_strands_no_stack_for_its_tags() {
    let env = TestEnvironment::with_user("alice").await;
    let imported = json!({"UserName": "alice", "Id": env.aws.create_access_key("alice").await});
    let with_tags = |own: &[(&str, &str)]| with(&imported, "Tags", tags(own));
    let (a, b) = (with_tags(&[("team", "a"), ("x", "1")]), with_tags(&[("team", "b"), ("x", "1")]));
    let reordered = with_tags(&[("x", "1"), ("team", "a")]);

    let changes = [
        (&imported, &a, true),
        (&a, &imported, false),
        (&a, &b, true),
        (&b, &a, true),
        (&a, &a, false),
        (&a, &reordered, false),
    ];
    for (previous, wanted, is_told) in changes {
        let event = env.update(previous, wanted).await;
        assert_eq!(event["status"], "SUCCESS", "{event}");
        assert_eq!(event["resourceModel"].get("Tags"), None, "{event}");
        assert_eq!(
            event.get("message").is_some_and(|_| message(&event).contains("are kept nowhere")),
            is_told,
            "{event}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_property_strands_no_stack() {
    let env = TestEnvironment::with_user("alice").await;
    let own = tags(&[("team", "a")]);
    let model = env.create(json!({"UserName": "alice", "Serial": 1, "Tags": own})).await;
    env.proxy.make_everything_old();
    let model = env.succeed(&requests::read(&model)).await;
    // Whatever has it in it must not be quoted.
    let mark = "kwijibo";
    let wrong = [
        ("Tags", json!({"team": mark})),
        ("Tags", json!(mark)),
        ("Tags", json!(7)),
        ("Tags", json!([mark])),
        ("Tags", json!([7])),
        ("Tags", json!([null])),
        ("Tags", json!([[{"Key": "team", "Value": mark}]])),
        ("Tags", json!([{"Key": mark}])),
        ("Tags", json!([{"Value": mark}])),
        ("Tags", json!([{"Key": "team", "Value": 7}])),
        ("Tags", json!([{"Key": "team", "Value": null}])),
        ("Tags", json!([{"Key": null, "Value": "a"}])),
        ("Tags", json!([{"Key": "team", "Value": [mark]}])),
        ("Tags", json!([{"Key": "team", "Value": mark, "Colour": mark}])),
        ("Tags", json!([{"Key": format!("aws:{mark}"), "Value": "a"}])),
        ("Tags", json!([{"Key": mark.repeat(20), "Value": "a"}])),
        ("Tags", json!([{"Key": "team", "Value": mark.repeat(40)}])),
        ("Tags", json!([{"Key": mark, "Value": "a"}, {"Key": mark, "Value": "b"}])),
        ("Tags", (0..60).map(|number| json!({"Key": format!("{mark}-{number}"), "Value": ""})).collect()),
        ("Status", json!(mark)),
        ("Status", json!([mark])),
        ("Status", json!({"name": mark})),
        ("Serial", json!(mark)),
        ("Serial", json!("1.5")),
        ("Serial", json!([1])),
        ("Serial", json!(2)),
        ("PgpKey", json!(7)),
        ("PgpKey", json!(mark)),
        ("PgpKey", json!([mark])),
        ("PgpKey", json!("keybase:alice")),
        ("SesSmtpRegion", json!(mark)),
        ("SesSmtpRegion", json!([mark])),
        ("SesSmtpRegion", json!("eu-west-1")),
        ("UserName", json!(format!("{mark} {mark}"))),
        ("UserName", json!([mark])),
        ("UserName", json!({"name": mark})),
        ("UserName", json!("bob")),
        ("Description", json!(format!("{mark}%"))),
        ("Description", json!(mark.repeat(40))),
        ("Description", json!([mark])),
        ("Description", json!({"name": mark})),
        ("Colour", json!(mark)),
    ];
    let named: BTreeSet<_> = wrong.iter().map(|(property, _)| *property).collect();
    assert!(settable_properties().iter().all(|property| named.contains(&**property)), "each is in a row");
    env.proxy.take_calls();
    for (property, value) in wrong {
        let failed = with(&model, property, value);
        let event = env.update(&model, &failed).await;
        assert_eq!(event["status"], "FAILED", "{property}: {event}");
        assert!(!event.to_string().contains(mark), "{property}: {event}");
        assert_eq!(written(&env), Vec::<String>::new(), "what is refused writes nothing: {failed}");
        for previous in [&model, &failed] {
            let event = env.update(previous, &model).await;
            assert_eq!(event["resourceModel"], model, "{failed}: {event}");
            let written = written(&env);
            // Where the failed properties are the previous ones, the tags that are there may be written again.
            let is_allowed = |call: &String| previous == &failed && call == "TagResource";
            assert!(written.iter().all(is_allowed), "{failed}: {written:?}");
        }
    }
}

/// The properties of the schema that a template may set.
fn settable_properties() -> Vec<String> {
    let schema: Value = serde_json::from_str(include_str!("../../schema/aws-iam-accesskey.json")).unwrap();
    let is_settable = |name: &&String| {
        let pointer = json!(format!("/properties/{name}"));
        !schema["readOnlyProperties"].as_array().unwrap().contains(&pointer)
    };
    schema["properties"].as_object().unwrap().keys().filter(is_settable).cloned().collect()
}

/// The calls since the last look that write something.
fn written(env: &TestEnvironment) -> Vec<String> {
    let is_write =
        |call: &String| ["Create", "Delete", "Tag", "Untag", "Update"].iter().any(|verb| call.starts_with(verb));
    env.proxy.take_operations().into_iter().filter(is_write).collect()
}

#[tokio::test]
async fn an_update_that_does_not_say_what_was_before_is_held_against_the_store() {
    let env = TestEnvironment::with_user("alice").await;
    let model = env.create(json!({"UserName": "alice", "Serial": 3, "Tags": tags(&[("team", "a")])})).await;
    for previous in [Value::Null, json!({})] {
        assert_eq!(env.update(&previous, &model).await["resourceModel"], model);
        for (property, value) in [("Serial", json!(4)), ("Serial", json!(2)), ("SesSmtpRegion", json!("eu-west-1"))] {
            let event = env.update(&previous, &with(&model, property, value)).await;
            assert_eq!(event["errorCode"], "NotUpdatable", "{event}");
        }
        let tagged = with(&with(&model, "Tags", tags(&[("team", "b")])), "Status", "Inactive");
        assert_eq!(env.update(&previous, &tagged).await["resourceModel"], tagged);
        assert_eq!(env.update(&previous, &model).await["resourceModel"], model);
    }
    assert_eq!(env.aws.key_ids("alice").await, [id(&model)]);
}
