//! The cases: every scenario with every fault at each of its calls.

use std::{
    fmt::{self, Display, Formatter},
    ops::Bound,
};

use crate::{scenario::Scenario, support::Fault};

/// The columns of the table: what only a real connection and a real process can show. What an answer of AWS leads to, the
/// simulation shows for every call.
pub(crate) const FAULTS: [NamedFault; 5] = {
    use Persistence::{Always, Once};
    [
        NamedFault("refused", Fault::Error(403, "AccessDenied"), Always),
        NamedFault("cut after", Fault::CutAfter, Always),
        NamedFault("no answer", Fault::Hang, Always),
        NamedFault("killed before", Fault::KillBefore, Once),
        NamedFault("killed after", Fault::KillAfter, Once),
    ]
};

/// A fault under the name it has in the table.
#[derive(Clone)]
pub(crate) struct NamedFault(pub(crate) &'static str, Fault, Persistence);

/// How many calls get the fault.
#[derive(Clone, Copy)]
enum Persistence {
    /// One call alone.
    Once,
    /// That call and all after it, until the invocation is over.
    Always,
}

/// One cell of the table.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) number: usize,
    pub(crate) scenario: Scenario,
    pub(crate) operation: &'static str,
    /// Which of the operation's calls gets the fault first, from 0.
    pub(crate) occurrence: usize,
    fault: NamedFault,
}

impl Case {
    /// All cases, in the order of the table's cells.
    pub(crate) fn all() -> Vec<Self> {
        let mut cases = vec![];
        for scenario in Scenario::ALL {
            for &(operation, occurrence) in scenario.calls() {
                for fault in FAULTS {
                    cases.push(Self { number: cases.len(), scenario, operation, occurrence, fault });
                }
            }
        }
        cases
    }

    /// The user of this case alone.
    pub(crate) fn user(&self) -> String {
        format!("user-{}", self.number)
    }

    pub(crate) fn fault(&self) -> Fault {
        self.fault.1.clone()
    }

    /// The operation's calls that get the fault.
    pub(crate) fn faulty_calls(&self) -> (Bound<usize>, Bound<usize>) {
        let first = Bound::Included(self.occurrence);
        match self.fault.2 {
            Persistence::Once => (first, first),
            Persistence::Always => (first, Bound::Unbounded),
        }
    }

    /// Whether the function's process is killed.
    pub(crate) fn is_kill(&self) -> bool {
        matches!(self.fault.1, Fault::KillBefore | Fault::KillAfter)
    }
}

impl Display for Case {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { number, scenario, operation, occurrence, fault } = self;
        write!(formatter, "case {number}: {scenario}, {operation} #{occurrence}, {}", fault.0)
    }
}
