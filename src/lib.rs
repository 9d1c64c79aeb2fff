//! The Lambda function of the resource type, without its `main`: the runtime's function with the handlers of an access key.

mod clients;

pub use clients::AccessKeyType;

/// The Lambda function, as a test or a benchmark calls it.
pub type Function = cfn_resource_runtime::Function<AccessKeyType>;

/// The crates whose log lines are written.
pub const CRATES: &[&str] = &["access_key_handlers", "access_key_schema", env!("CARGO_CRATE_NAME")];
