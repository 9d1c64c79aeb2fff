//! The function with everything it needs around it, on this machine: AWS (moto), a proxy before it that records calls and
//! injects faults, and the Lambda API (cargo-lambda) with the built binary behind it.
//!
//! Each [`TestEnvironment`] has its own processes, ports and AWS account, and leaves nothing behind.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]
#![allow(clippy::expect_used, clippy::missing_panics_doc, clippy::panic, clippy::unwrap_used)]
#![allow(missing_docs, unreachable_pub)]

mod aws;
mod cbor;
pub mod events;
mod fault_proxy;
mod function;
mod process;
pub mod requests;

use std::{
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
};

pub use aws::Aws;
pub use fault_proxy::{Call, Fault, FaultProxy, OF_A_RECORD};
pub use function::{FUNCTION_REGION, Function};
use serde_json::Value;

/// How often a test follows an operation that goes on in a callback.
const CALLBACKS: usize = 20;

/// A function, and AWS as it sees it through the proxy.
pub struct TestEnvironment {
    pub function: Function,
    pub proxy: FaultProxy,
    pub aws: Aws,
}

impl TestEnvironment {
    /// Starts an environment with an empty AWS account.
    pub async fn start() -> Self {
        let aws = Aws::start().await;
        let proxy = FaultProxy::start(aws.address()).await;
        let function = Function::start(proxy.address).await;
        Self { function, proxy, aws }
    }

    /// Starts an environment whose account has one user, without access keys.
    pub async fn with_user(name: &str) -> Self {
        let env = Self::start().await;
        env.aws.create_user(name).await;
        env
    }

    /// Sends a request to the function and returns its progress event.
    pub async fn invoke(&self, request: &Value) -> Value {
        self.proxy.record_for(&request["action"]);
        self.function.invoke(request.to_string()).await
    }

    /// Sends a request, and again whenever the answer is `IN_PROGRESS`, as CloudFormation does. Returns the last event.
    pub async fn invoke_to_the_end(&self, request: &Value) -> Value {
        let mut event = self.invoke(request).await;
        for _ in 0..CALLBACKS {
            if event["status"] != "IN_PROGRESS" {
                return event;
            }
            event = self.invoke(&requests::callback(request, &event)).await;
        }
        panic!("IN_PROGRESS after {CALLBACKS} callbacks: {event}");
    }

    /// Sends a request that must succeed in the end, and returns the model it is answered with (null from DELETE and
    /// LIST).
    pub async fn succeed(&self, request: &Value) -> Value {
        let event = self.invoke_to_the_end(request).await;
        assert_eq!(event["status"], "SUCCESS", "{event}");
        event["resourceModel"].clone()
    }

    /// Sends a request that must fail with this error code and a message that contains `reason`, and returns the event.
    pub async fn fail(&self, request: &Value, code: &str, reason: &str) -> Value {
        let event = self.invoke(request).await;
        events::assert_failed(&event, code, reason);
        event
    }

    /// Creates an access key with these properties, and returns its model.
    pub async fn create(&self, properties: Value) -> Value {
        self.succeed(&requests::create(properties)).await
    }

    /// The progress event of a READ that gets the model's primary identifier alone, as CloudFormation's does.
    pub async fn read(&self, model: &Value) -> Value {
        self.invoke(&requests::read(model)).await
    }

    /// The progress event of an UPDATE from one model to another, with the same stack tags.
    pub async fn update(&self, previous: &Value, wanted: &Value) -> Value {
        self.invoke(&requests::update(previous.clone(), wanted.clone())).await
    }

    /// The progress event of a DELETE of these properties.
    pub async fn delete(&self, properties: &Value) -> Value {
        self.invoke(&requests::delete(properties)).await
    }

    /// Asserts that the user has no access key and that no secret is stored. `context` is shown if it is not so.
    pub async fn assert_nothing_left(&self, user: &str, context: impl Display) {
        assert!(self.aws.keys(user).await.is_empty(), "{user} still has an access key: {context}");
        self.assert_no_secret_left(context).await;
    }

    /// Asserts that no secret is stored. `context` is shown if one is.
    pub async fn assert_no_secret_left(&self, context: impl Display) {
        let names = self.aws.secret_names().await;
        assert!(names.is_empty(), "{names:?} are still stored: {context}");
    }

    /// Asserts that the function has made no call to AWS since the last look.
    pub fn assert_no_calls(&self) {
        assert_eq!(self.proxy.take_operations(), Vec::<String>::new());
    }

    /// Asserts that no line the function has written contains one of these.
    pub fn assert_not_logged<S: AsRef<str>>(&self, secrets: &[S]) {
        let log = self.function.log();
        assert!(log.iter().any(|line| line.contains("CREATE")), "the function logs what it is asked: {log:?}");
        let leaks = log.iter().filter(|line| secrets.iter().any(|secret| line.contains(secret.as_ref()))).count();
        assert_eq!(leaks, 0, "log lines that contain a secret");
    }
}

/// Locks a mutex even after a thread that held it has panicked: one failed test shall not hide why.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
