//! A model of AWS, as far as the handlers talk to it.
//!
//! The truth decides every write; what reads are told of it comes late ([`replica`]). [`iam`] is one for all regions,
//! each region has a [`secrets_manager`] of its own, and [`wire`] is the way there: the SDK's own HTTP interface.

pub(crate) mod iam;
pub(crate) mod replica;
pub(crate) mod secrets_manager;
pub(crate) mod wire;

/// Why a service refuses a call.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

/// What a service answers: the body of a success, or a refusal.
pub(crate) type Answer = Result<String, Refusal>;
