//! Any bytes at all: decoded, recast and validated as a request, under the rules of every action.
//!
//! Nothing may panic, and whatever is refused is refused with words for a person.
#![no_main]

#[path = "../../src/decode.rs"]
mod decode;
#[path = "../../src/validate.rs"]
mod validate;

use access_key_schema::{Action, ProgressEvent};
use libfuzzer_sys::fuzz_target;
use validate::Rules;

fuzz_target!(|body: &[u8]| {
    let Ok(event) = serde_json::from_slice(body) else { return };
    let (payload, _) = match decode::decode(event) {
        Ok(request) => request,
        Err(error) => {
            assert!(!error.message.is_empty());
            let event = ProgressEvent::from(error);
            assert!(serde_json::to_string(&event).is_ok());
            return;
        }
    };
    let _ = payload.action.parse::<Action>();
    let Ok(properties) = decode::properties(payload.resource_properties.unwrap_or_default()) else { return };
    for rules in [Rules::Create, Rules::Update, Rules::Callback, Rules::Previous, Rules::Lookup] {
        match validate::model(properties.clone(), rules) {
            Ok(model) => assert!(serde_json::to_value(&model).is_ok()),
            Err(error) => assert!(!error.message.is_empty()),
        }
    }
});
