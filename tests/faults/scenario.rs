//! The situations in which handlers are tried, and the calls they make there.

use std::fmt::{self, Display, Formatter};

/// A handler in a situation. In each of them the user already has a key of the same resource, with a lower `Serial`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    Create,
    /// The second invocation of a CREATE whose first one answered `IN_PROGRESS`.
    CreateCallback,
    /// A CREATE that deletes its key again, because `UpdateAccessKey` is refused.
    CreateUndoing,
    Read,
    Update,
    Delete,
    /// A DELETE that gets the primary identifier alone.
    DeleteById,
    List,
}

impl Scenario {
    pub(crate) const ALL: [Self; 8] = [
        Self::Create,
        Self::CreateCallback,
        Self::CreateUndoing,
        Self::Read,
        Self::Update,
        Self::Delete,
        Self::DeleteById,
        Self::List,
    ];

    /// The calls the handler makes: operation, and which of the operation's calls it is, from 0.
    pub(crate) fn calls(self) -> &'static [(&'static str, usize)] {
        match self {
            Self::Create => &[
                ("ListAccessKeys", 0),
                ("GetSecretValue", 0),
                ("CreateAccessKey", 0),
                ("CreateSecret", 0),
                ("UpdateAccessKey", 0),
                ("ListAccessKeys", 1),
            ],
            Self::CreateCallback => &[("GetSecretValue", 0), ("ListAccessKeys", 0)],
            Self::CreateUndoing | Self::Delete => &[("DeleteAccessKey", 0), ("DeleteSecret", 0)],
            Self::Read => &[("GetSecretValue", 0), ("GetAccessKeyLastUsed", 0), ("ListAccessKeys", 0)],
            Self::Update => &[("UpdateAccessKey", 0), ("GetSecretValue", 0), ("ListAccessKeys", 0)],
            Self::DeleteById => &[("GetAccessKeyLastUsed", 0), ("DeleteAccessKey", 0), ("DeleteSecret", 0)],
            Self::List => &[("ListUsers", 0), ("ListAccessKeys", 0)],
        }
    }

    pub(crate) fn is_create(self) -> bool {
        matches!(self, Self::Create | Self::CreateCallback | Self::CreateUndoing)
    }

    pub(crate) fn is_delete(self) -> bool {
        matches!(self, Self::Delete | Self::DeleteById)
    }
}

impl Display for Scenario {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Create => "CREATE",
            Self::CreateCallback => "CREATE, callback",
            Self::CreateUndoing => "CREATE, undoing",
            Self::Read => "READ",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::DeleteById => "DELETE, by id",
            Self::List => "LIST",
        })
    }
}
