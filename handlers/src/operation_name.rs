//! The name of an operation, in the records of CREATE and in the user agent of its calls to IAM. `CloudTrail` keeps the user
//! agent of each call, so a person can find out which operation created a key. No handler decides anything by the user agent.

use access_key_schema::Request;
use sha2::{Digest, Sha256};

/// What every operation's name begins with.
pub(crate) const PREFIX: &str = "access-key-";

/// How many hexadecimal digits follow. The SDK warns of names of more than 50 characters.
const DIGITS: usize = 32;

/// The name of the request's operation in a user agent, or `None` where it has no token.
#[must_use]
pub fn app_name(request: &Request) -> Option<String> {
    Some(format!("{PREFIX}{}", &digest(request)?[..DIGITS]))
}

/// The operation that the request is part of, in hexadecimal digits. They are the same in all its invocations, and differ in
/// every other operation. Without a token, nothing tells one operation from another. The digits do not reveal the token, by which
/// CloudFormation speaks.
pub(crate) fn digest(request: &Request) -> Option<String> {
    let context = &request.context;
    let token = context.client_request_token.as_ref()?;
    let operation = serde_json::json!([context.stack_id, context.logical_resource_id, token]).to_string();
    Some(base16ct::lower::encode_string(&Sha256::digest(operation)))
}

#[cfg(test)]
mod tests {
    use access_key_schema::{AccessKey, Action, RequestContext, TypeConfiguration};

    use super::*;

    #[test]
    fn an_operation_has_one_name_and_another_one_has_another() {
        let name = |[stack, resource, token]: [Option<&str>; 3]| {
            let some = |text: Option<&str>| text.map(ToOwned::to_owned);
            let context = RequestContext {
                stack_id: some(stack),
                logical_resource_id: some(resource),
                client_request_token: some(token),
                ..RequestContext::default()
            };
            app_name(&Request {
                action: Action::Create,
                desired: AccessKey::default(),
                previous: None,
                type_configuration: TypeConfiguration::default(),
                region: "us-east-1".to_owned(),
                context,
            })
        };
        let operations = [
            [Some("stack"), Some("Key"), Some("token")],
            [Some("stack"), Some("Key"), Some("other")],
            [Some("stack"), Some("Other"), Some("token")],
            [None, Some("Key"), Some("token")],
            [Some("stackKey"), Some(""), Some("token")],
        ];
        let names: std::collections::BTreeSet<_> = operations.map(|operation| name(operation).unwrap()).into();
        assert_eq!(names.len(), operations.len());
        assert_eq!(name(operations[0]), name(operations[0]));
        assert!(names.iter().all(|name| name.len() == PREFIX.len() + DIGITS && !name.contains("token")), "{names:?}");
        assert_eq!(name([Some("stack"), Some("Key"), None]), None);
    }
}
