//! What goes wrong between the handlers and AWS.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    plan::{Fault, Plan, When},
    world::Caller,
};

/// A call that something has befallen.
#[derive(Debug)]
pub(crate) struct Hit {
    /// What was called.
    pub(crate) operation: String,
    pub(crate) fault: Fault,
    /// The operation of CloudFormation that called it.
    pub(crate) by: Option<usize>,
    pub(crate) at: Duration,
}

/// How often each operation was called.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    calls: BTreeMap<String, u32>,
    /// The troubles of the plan, by number, that have befallen a call.
    struck: BTreeSet<usize>,
    /// The calls that a trouble has befallen, in this order.
    pub(crate) hits: Vec<Hit>,
    /// The invocations that were interrupted.
    pub(crate) interrupted: BTreeSet<u32>,
}

impl Weather {
    /// What befalls this call of a handler.
    pub(crate) fn fault(&mut self, plan: &Plan, caller: &Caller, operation: &str, now: Duration) -> Option<Fault> {
        for name in [operation, "*"] {
            *self.calls.entry(name.to_owned()).or_default() += 1;
        }
        let strikes = plan.troubles.iter().enumerate().find(|(_, trouble)| {
            (trouble.operation == operation || trouble.operation == "*")
                && match trouble.when {
                    When::Nth(nth) => self.calls[trouble.operation] == nth,
                    When::Between(from, to) => (from..to).contains(&now.as_secs()),
                }
        });
        let (number, trouble) = strikes?;
        self.struck.insert(number);
        self.hits.push(Hit { operation: operation.to_owned(), fault: trouble.fault, by: caller.operation, at: now });
        Some(trouble.fault)
    }

    /// What the plan has, and never happened.
    pub(crate) fn missed(&self, plan: &Plan) -> Vec<String> {
        let troubles = plan.troubles.iter().enumerate().filter(|(number, _)| !self.struck.contains(number));
        let troubles = troubles.map(|(_, trouble)| format!("{trouble:?} never happened"));
        let interruptions = plan.interruptions.iter().filter(|each| !self.interrupted.contains(&each.invocation));
        troubles.chain(interruptions.map(|each| format!("{each:?} never happened"))).collect()
    }
}
