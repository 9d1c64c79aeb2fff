//! The situations in which handlers are tried, and the calls they make there.

use std::fmt::{self, Display, Formatter};

/// A handler in a situation. In each of them the user already has a key of the same resource, with a lower `Serial`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    Create,
    /// A CREATE that deletes its key again, because `CreateSecret` is refused.
    CreateRollback,
    Read,
    Update,
    Delete,
    List,
}

impl Scenario {
    pub(crate) const ALL: [Self; 6] =
        [Self::Create, Self::CreateRollback, Self::Read, Self::Update, Self::Delete, Self::List];

    /// The calls that are tried: operation, and which of the operation's calls it is, from 0. Those that change something,
    /// and one that reads.
    pub(crate) fn calls(self) -> &'static [(&'static str, usize)] {
        match self {
            Self::Create => &[
                ("CreateSecret of a record", 0),
                ("CreateAccessKey", 0),
                ("CreateSecret", 0),
                ("UpdateSecret of a record", 0),
                ("UpdateAccessKey", 0),
                ("ListAccessKeys", 1),
                ("DeleteSecret of a record", 0),
            ],
            Self::CreateRollback | Self::Delete => &[("DeleteAccessKey", 0), ("DeleteSecret", 0)],
            Self::Read => &[("GetSecretValue", 0)],
            Self::Update => &[("UpdateAccessKey", 0)],
            Self::List => &[("ListAccessKeys", 0)],
        }
    }

    pub(crate) fn is_create(self) -> bool {
        matches!(self, Self::Create | Self::CreateRollback)
    }

    pub(crate) fn is_delete(self) -> bool {
        self == Self::Delete
    }
}

impl Display for Scenario {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Create => "CREATE",
            Self::CreateRollback => "CREATE, rolling back",
            Self::Read => "READ",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::List => "LIST",
        })
    }
}
