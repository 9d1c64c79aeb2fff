//! Any bytes at all: decoded, and validated as a request of every action, called for the first time and called back.
//!
//! Nothing may panic, and whatever is refused is refused with words for a person.
#![no_main]

use std::sync::LazyLock;

use access_key_schema::{AccessKey, Action, HandlerError, ProgressEvent, RequestContext, RequestPayload};
use cfn_resource_runtime::{Validator, decode};
use libfuzzer_sys::fuzz_target;

static VALIDATOR: LazyLock<Validator<AccessKey>> = LazyLock::new(Validator::default);

fuzz_target!(|body: &[u8]| {
    let Ok(event) = serde_json::from_slice(body) else { return };
    let (payload, context) = match decode(event).request {
        Ok(decoded) => decoded,
        Err(error) => return assert_well_formed(error),
    };
    for action in [Action::Create, Action::Read, Action::Update, Action::Delete, Action::List] {
        for callback_context in [None, Some(true.into())] {
            let payload = RequestPayload { action, ..payload.clone() };
            let context = RequestContext { callback_context, ..context.clone() };
            match VALIDATOR.validate(payload, context) {
                Ok(request) => assert!(serde_json::to_value(&request.desired).is_ok()),
                Err(error) => assert_well_formed(error),
            }
        }
    }
});

fn assert_well_formed(error: HandlerError) {
    assert!(!error.message.is_empty());
    assert!(serde_json::to_string(&ProgressEvent::from(error)).is_ok());
}
