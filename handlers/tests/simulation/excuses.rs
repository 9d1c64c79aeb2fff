//! What makes a violation none: no handler could know of it.
//!
//! An excuse that no life needs hides faults. So each counts for the rules alone that some life would break without it, and
//! [`NEEDED`] names that life.

use std::collections::BTreeSet;

use Excuse::{
    EndedWhileUndoing, LateCall, NeverShown, NoToken, NotTold, Person, PersonAtWork, ReadRefused, ReplicasFlap,
    SecretDeletedByPerson, SecretSealed, SecretUnread, TagsPutBack, TagsRefused, TagsUnseen, UndoneBlindly, UserGone,
    WriteRefused,
};

/// The rules, what excuses them, and the seed of a life that breaks the rule without that excuse: `survey` in `main.rs` finds
/// them. A rule that is judged in several places has a life for each.
const NEEDED: [(u8, Excuse, u64); 34] = [
    (2, NoToken, 582),
    (2, NotTold, 2_063),
    (3, LateCall, 58_015),
    (3, NeverShown, 25_742),
    (3, Person, 36),
    (3, Person, 525),
    (3, PersonAtWork, 373),
    (3, ReplicasFlap, 26),
    (3, ReplicasFlap, 306),
    (3, SecretUnread, 1_847),
    (3, SecretUnread, 13_076),
    (3, TagsRefused, 43_696),
    (3, UndoneBlindly, 4_868),
    (3, UserGone, 37_010),
    (4, Person, 123),
    (4, Person, 679),
    (5, EndedWhileUndoing, 11_003),
    (5, LateCall, 1_384),
    (5, Person, 679),
    (7, ReplicasFlap, 17_142),
    (7, UserGone, 3_299),
    (7, UserGone, 3_696),
    (9, Person, 463),
    (9, ReadRefused, 1_562),
    (9, SecretSealed, 2_904),
    (9, TagsPutBack, 87_733),
    (9, TagsUnseen, 53_590),
    (9, UndoneBlindly, 4_308),
    (9, WriteRefused, 81_443),
    (12, NoToken, 1_504),
    (15, LateCall, 7_590),
    (15, Person, 136),
    (15, ReplicasFlap, 1_510),
    (15, SecretDeletedByPerson, 6_366),
];

/// Why something is no violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excuse {
    /// A person has changed or deleted the key, its secret or its user.
    Person,
    /// A person is about to do something, or not every read shows yet what one has done.
    PersonAtWork,
    /// A person has deleted the key's secret, which tells that there is a description.
    SecretDeletedByPerson,
    /// Another stack has just deleted the user.
    UserGone,
    /// A call took effect when its invocation, or the whole operation, was over.
    LateCall,
    /// The process ended between the deletions of the key and of the rest.
    EndedWhileUndoing,
    /// Without a token, no invocation knows that it is a retry.
    NoToken,
    /// The invocation that answered last was not told of the key, and says how to list the user's keys.
    NotTold,
    /// One read knows, and the next one does not.
    ReplicasFlap,
    /// No CREATE has succeeded with the key, so that IAM may show it for the first time when it is deleted.
    NeverShown,
    /// The store may not describe the tags yet that the UPDATE itself has put back.
    TagsPutBack,
    /// IAM has refused once to show the tags of a user who is not new, which counts as a role that may not see them.
    TagsRefused,
    /// The role may not see the tags of users, nor decrypt the secret any more, so that nothing shows it a description.
    TagsUnseen,
    /// The secret could not be read.
    SecretUnread,
    /// A secret that cannot be decrypted any more cannot be written either.
    SecretSealed,
    /// A call is refused that reads what the operation needs to know.
    ReadRefused,
    /// A call is refused that has something to write.
    WriteRefused,
    /// The rollback sends the old properties as previous ones, so that the request changes nothing, and reads may be late.
    UndoneBlindly,
}

/// Something that must not be as it is, unless it is excused. It begins with the number of its rule.
#[derive(Debug, PartialEq)]
pub(crate) struct Violation {
    pub(crate) what: String,
    pub(crate) excuses: BTreeSet<Excuse>,
}

impl<T: Into<String>> From<T> for Violation {
    fn from(what: T) -> Self {
        Self { what: what.into(), excuses: BTreeSet::new() }
    }
}

impl Violation {
    /// The same, excused by each of these that holds and that is needed for the rule.
    pub(crate) fn unless(mut self, excuses: impl IntoIterator<Item = (Excuse, bool)>) -> Self {
        let rule = self.rule();
        let counts = |excuse: Excuse| NEEDED.iter().any(|(of, needed, _)| (*of, *needed) == (rule, excuse));
        let held = excuses.into_iter().filter_map(|(excuse, holds)| (holds && counts(excuse)).then_some(excuse));
        self.excuses.extend(held);
        self
    }

    /// The number of the rule, and the excuse without which it would be broken, where nothing else excuses that.
    pub(crate) fn needs(&self) -> Option<(u8, Excuse)> {
        let mut excuses = self.excuses.iter();
        excuses.next().filter(|_| excuses.next().is_none()).map(|excuse| (self.rule(), *excuse))
    }

    fn rule(&self) -> u8 {
        self.what.split(':').next().and_then(|number| number.parse().ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{life::play, plan::Plan};

    #[test]
    fn each_excuse_is_needed_by_a_life() {
        let is_idle =
            |(rule, excuse, seed): &(u8, Excuse, u64)| !play(Plan::draw(*seed)).excused.contains(&(*rule, *excuse));
        assert_eq!(NEEDED.into_iter().filter(is_idle).collect::<Vec<_>>(), [], "not needed in these lives");
    }
}
