//! The built binary behind the Lambda API, with moto as AWS: what each handler does, seen from outside.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

mod bad_requests;
mod failures_after_creation;
mod lifecycle;
mod list;
mod missing_and_taken;
mod replay;
mod round_trips;
mod secrets;
