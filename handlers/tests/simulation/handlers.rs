//! The handlers as a function sets them up, with the wire of the simulation: the one place that knows how.

use std::{sync::Arc, time::Duration};

use access_key_handlers::{Confidential, Iam, Keybase, SecretStore, Services};
use access_key_schema::{AccessKey, Action, Request, RequestContext, TypeConfiguration};
use aws_credential_types::Credentials;
use aws_smithy_async::{rt::sleep::TokioSleep, time::TimeSource};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use cfn_resource_runtime::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, Clock, Deadline, OPERATION_TIMEOUT};
use serde_json::Value;

use crate::{
    aws::wire::Wire,
    cloudformation::stack_tag,
    plan::{StackPlan, Tokens},
    world::{Caller, World},
};

/// What CloudFormation asks of one invocation.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) action: Action,
    pub(crate) desired: Value,
    pub(crate) previous: Option<Value>,
    pub(crate) callback: Option<Value>,
    /// Whether it is said that an UPDATE that failed is undone.
    pub(crate) is_undone: bool,
}

/// A client as `runtime/src/aws.rs` and `src/clients.rs` configure it, on simulated time.
macro_rules! client {
    ($sdk:ident, $world:expr, $caller:expr) => {{
        let wire = SharedHttpConnector::new(Wire::new(Arc::clone($world), $caller.clone()));
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .credentials_provider(Credentials::for_tests())
            .identity_cache(IdentityCache::no_cache())
            .region($sdk::config::Region::from_static($caller.region))
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .retry_partition($sdk::config::retry::RetryPartition::custom("invocation").build())
            .timeout_config(timeouts)
            .time_source($world.function_clock())
            .sleep_impl(TokioSleep::new())
            .http_client(http_client_fn(move |_, _| wire.clone()))
            .build();
        $sdk::Client::from_conf(config)
    }};
}

/// What an invocation works with.
pub(crate) fn services(world: &Arc<World>, caller: &Caller) -> Services {
    let store = client!(aws_sdk_secretsmanager, world, caller);
    let clock = Clock::starting_at(world.function_clock().now());
    Services {
        iam: Iam::new(client!(aws_sdk_iam, world, caller), clock, Confidential::default()),
        secret_store: SecretStore::new(store, type_configuration(caller.prefix), Confidential::default()),
        keybase: Keybase::new(|| unreachable!("no life has a PgpKey"), None),
        clock,
        deadline: Deadline::of(caller.action, Duration::MAX),
    }
}

/// The request of an invocation.
pub(crate) fn request(
    stack: &StackPlan,
    resource: &str,
    operation: Option<usize>,
    tokens: Tokens,
    ask: Ask,
    next_token: Option<String>,
) -> Request {
    let Ask { action, desired, previous, callback, is_undone } = ask;
    let model = |properties: Value| -> AccessKey { serde_json::from_value(properties).unwrap() };
    let (name, logical_id) = resource.split_once('/').unwrap_or((resource, resource));
    let arn = format!("arn:aws:cloudformation:{}:123456789012:stack/{name}/1", stack.region);
    let own = operation.map_or("look".to_owned(), |operation| format!("operation-{operation}"));
    let token = match tokens {
        Tokens::None => None,
        Tokens::AnotherInCallbacks if callback.is_some() => Some(format!("{own}-again")),
        Tokens::One | Tokens::AnotherInCallbacks => Some(own),
    };
    let context = RequestContext {
        stack_id: Some(arn),
        logical_resource_id: Some(logical_id.to_owned()),
        client_request_token: token,
        stack_tags: [stack_tag(resource)].into(),
        previous_stack_tags: [stack_tag(resource)].into(),
        callback_context: callback,
        rollback: is_undone.then_some(true),
        next_token,
        ..RequestContext::default()
    };
    Request {
        action,
        desired: model(desired),
        previous: previous.map(model),
        type_configuration: type_configuration(stack.prefix),
        region: stack.region.to_owned(),
        context,
    }
}

fn type_configuration(prefix: &str) -> TypeConfiguration {
    TypeConfiguration { secret_name_prefix: Some(prefix.to_owned()), ..TypeConfiguration::default() }
}
