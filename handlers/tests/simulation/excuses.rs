//! What makes a violation none: no handler could know of it.
//!
//! An excuse that no life needs hides faults. So each counts for the rules alone that some life would break without it, and
//! [`NEEDED`] names that life.

use std::collections::BTreeSet;

use Excuse::{
    EndedWhileUndoing, LateCall, NeverShown, NoToken, NotTold, Person, PersonAtWork, ReadRefused, ReplicasFlap,
    SecretDeletedByPerson, SecretSealed, SecretUnread, TagsPutBack, TagsRefused, UndoneBlindly, UserGone, WriteRefused,
};

/// The rules, what excuses them, and the seed of a life that breaks the rule without that excuse: `survey` in `main.rs` finds
/// them. The letter tells the places apart in which a rule is judged.
const NEEDED: [(&str, Excuse, u64); 38] = [
    ("2", NoToken, 582),
    ("2", NotTold, 2_063),
    ("3a", Person, 525),
    ("3b", PersonAtWork, 373),
    ("3b", ReplicasFlap, 192),
    ("3b", SecretUnread, 2_939),
    ("3b", TagsRefused, 49_410),
    ("3b", UndoneBlindly, 4_868),
    ("3c", NeverShown, 25_742),
    ("3c", ReplicasFlap, 26),
    ("3c", UserGone, 37_010),
    ("3d", NeverShown, 25_742),
    ("3d", ReplicasFlap, 38),
    ("3f", LateCall, 58_015),
    ("3f", Person, 36),
    ("3f", ReplicasFlap, 306),
    ("3f", SecretUnread, 13_076),
    ("4a", Person, 679),
    ("4b", Person, 123),
    ("5", EndedWhileUndoing, 11_003),
    ("5", LateCall, 1_384),
    ("5", Person, 679),
    ("7a", ReplicasFlap, 13_405),
    ("7a", UserGone, 3_299),
    ("7b", UserGone, 3_696),
    ("9a", Person, 1_170),
    ("9a", SecretSealed, 81_171),
    ("9a", UndoneBlindly, 4_308),
    ("9b", Person, 894),
    ("9b", ReadRefused, 974),
    ("9b", SecretSealed, 56_157),
    ("9b", TagsPutBack, 87_733),
    ("9b", WriteRefused, 81_443),
    ("12", NoToken, 1_504),
    ("15", LateCall, 10_021),
    ("15", Person, 136),
    ("15", ReplicasFlap, 1_510),
    ("15", SecretDeletedByPerson, 6_366),
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
    /// There is no user of this name any more.
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

/// Something that must not be as it is, unless it is excused. It begins with the number of its rule and, where a rule is judged in
/// several places, a letter for the place.
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
        let rule = self.rule().to_owned();
        let counts = |excuse: Excuse| NEEDED.iter().any(|(of, needed, _)| (*of, *needed) == (&*rule, excuse));
        let held = excuses.into_iter().filter_map(|(excuse, holds)| (holds && counts(excuse)).then_some(excuse));
        self.excuses.extend(held);
        self
    }

    /// The rule, and the excuse without which it would be broken, where nothing else excuses that.
    pub(crate) fn needs(&self) -> Option<(String, Excuse)> {
        let mut excuses = self.excuses.iter();
        excuses.next().filter(|_| excuses.next().is_none()).map(|excuse| (self.rule().to_owned(), *excuse))
    }

    fn rule(&self) -> &str {
        self.what.split(':').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{life::play, plan::Plan};

    #[test]
    fn each_excuse_is_needed_by_a_life() {
        let is_idle = |(rule, excuse, seed): &(&str, Excuse, u64)| {
            !play(Plan::draw(*seed)).excused.contains(&((*rule).to_owned(), *excuse))
        };
        assert_eq!(NEEDED.into_iter().filter(is_idle).collect::<Vec<_>>(), [], "not needed in these lives");
    }
}
