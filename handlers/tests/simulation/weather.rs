//! What goes wrong between the handlers and AWS.

use std::{collections::BTreeMap, time::Duration};

use crate::plan::{Fault, Plan, When};

/// How often each operation was called.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    calls: BTreeMap<String, u32>,
}

impl Weather {
    /// What befalls this call of a handler.
    pub(crate) fn fault(&mut self, plan: &Plan, operation: &str, now: Duration) -> Option<Fault> {
        for name in [operation, "*"] {
            *self.calls.entry(name.to_owned()).or_default() += 1;
        }
        let strikes = plan.troubles.iter().find(|trouble| {
            (trouble.operation == operation || trouble.operation == "*")
                && match trouble.when {
                    When::Nth(nth) => self.calls[trouble.operation] == nth,
                    When::Between(from, to) => (from..to).contains(&now.as_secs()),
                }
        });
        strikes.map(|trouble| trouble.fault)
    }
}
