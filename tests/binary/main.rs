//! The built binary behind the Lambda API, with moto as AWS: what each handler does, seen from outside.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

mod bad_requests;
mod create_only;
mod description;
mod failures_after_creation;
mod lifecycle;
mod list;
mod missing_and_taken;
mod pgp;
mod replay;
mod request_variants;
mod rollbacks;
mod round_trips;
mod secrets;
mod ses_smtp;
#[cfg(unix)]
mod stale_connections;
mod stored_secrets;
mod tags;
