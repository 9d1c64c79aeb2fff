//! The Lambda function of the resource type, without its `main`.
//!
//! An event goes one way: [`decode()`] reads it, [`validate()`] makes the typed request that a handler gets, and
//! [`answer`] calls the handler, with AWS clients that use the caller's credentials. Its answer or its error becomes the
//! progress event that CloudFormation gets.

mod clients;
mod decode;
mod dispatch;
pub mod memory;
pub mod telemetry;
mod validate;

pub use clients::Clients;
pub use decode::{Event, decode};
pub use dispatch::answer;
pub use validate::validate;
