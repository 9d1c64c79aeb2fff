//! The life of a note, as CloudFormation plays it.

use std::time::Duration;

use acme_notes_note::NoteType;
use cfn_resource_runtime::{Connections, Event, Function};
use serde::Deserialize;
use serde_json::{Value, json};

async fn invoke(action: &str, token: &str, properties: Value) -> Value {
    let function = Function::<NoteType>::new(Connections::from_environment());
    let event = json!({
        "action": action, "region": "us-east-1", "bearerToken": token,
        "requestData": {"resourceProperties": properties},
    });
    let answer = function.answer(Event::deserialize(event).unwrap(), Duration::from_secs(60)).await;
    serde_json::to_value(answer).unwrap()
}

#[tokio::test]
async fn a_note_is_made_once_read_changed_listed_and_deleted() {
    let name = format!("life-{}", std::process::id());
    let note = |text: &str| json!({"Name": name, "Text": text});
    let shown = |text: &str| json!({"Name": name, "Text": text, "Characters": text.len()});
    for token in ["first", "first"] {
        assert_eq!(invoke("CREATE", token, note("Milk")).await["resourceModel"], shown("Milk"));
    }
    assert_eq!(invoke("CREATE", "second", note("Tea")).await["errorCode"], "AlreadyExists");
    assert_eq!(invoke("UPDATE", "third", note("Bread")).await["resourceModel"], shown("Bread"));
    assert_eq!(invoke("READ", "", json!({"Name": name})).await["resourceModel"], shown("Bread"));
    let listed = invoke("LIST", "", json!({})).await;
    assert!(listed["resourceModels"].as_array().unwrap().contains(&json!({"Name": name})), "{listed}");
    assert_eq!(invoke("DELETE", "fourth", json!({"Name": name})).await["status"], "SUCCESS");
    assert_eq!(invoke("DELETE", "fifth", json!({"Name": name})).await["errorCode"], "NotFound");
    assert_eq!(invoke("READ", "", json!({"Name": name})).await["errorCode"], "NotFound");
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_words() {
    let answer = invoke("CREATE", "token", json!({"Name": "A note", "Colour": "red"})).await;
    let message = "Text is required; Name: a name is 1 to 64 lower-case letters, digits or hyphens; \
                   Colour is not a property of this type";
    assert_eq!((&answer["errorCode"], &answer["message"]), (&json!("InvalidRequest"), &json!(message)));
}
