//! People of a tenant: who they are, and the rules of changing them. Pure; [`service`] and [`store`] do the rest.

pub mod service;
pub mod store;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::{Caller, Role, permission::may_manage},
    clock::Time,
    error::{Code, Error, Refusals, Result},
    id::UserId,
    text,
};

/// A person, as their row stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct User {
    pub id: UserId,
    /// In lower case; unique in the tenant.
    pub email: String,
    pub full_name: String,
    pub role: Role,
    /// When false, every credential of theirs is refused.
    pub is_active: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen_at: Option<Time>,
    /// Counts the changes; the `ETag`.
    pub version: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Time,
}

impl User {
    /// Whether it is one of those that a tenant which has any keeps at least one of.
    pub fn administers(&self) -> bool {
        self.is_active && self.role == Role::Admin
    }
}

/// A change to a person; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    pub email: Option<String>,
    pub full_name: Option<String>,
    pub role: Option<Role>,
    pub is_active: Option<bool>,
}

impl Patch {
    /// Checks what was sent, and writes the e-mail in lower case.
    pub fn parse(self) -> Result<Self> {
        let mut refusals = Refusals::default();
        let patch = Self {
            email: self.email.and_then(|text| refusals.take("email", email(&text))),
            full_name: self.full_name.and_then(|name| refusals.take("full_name", text::line(name, 1..=200))),
            ..self
        };
        refusals.finish()?;
        Ok(patch)
    }

    /// Changes what was sent, and nothing else.
    pub fn apply(self, user: &mut User) {
        let Self { email, full_name, role, is_active } = self;
        user.email = email.unwrap_or_else(|| std::mem::take(&mut user.email));
        user.full_name = full_name.unwrap_or_else(|| std::mem::take(&mut user.full_name));
        user.role = role.unwrap_or(user.role);
        user.is_active = is_active.unwrap_or(user.is_active);
    }
}

/// An address that is well formed, in lower case. Nothing is cut off: what has a blank at its end is refused.
pub fn email(text: &str) -> Result<String, String> {
    let refusal = || Err("must be an e-mail address such as name@example.org".to_owned());
    let Some((local, domain)) = text.rsplit_once('@') else { return refusal() };
    let atom = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b))
    };
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let well_formed = text.len() <= 254
        && local.len() <= 64
        && local.split('.').all(atom)
        && domain.contains('.')
        && domain.split('.').all(label);
    if well_formed { Ok(text.to_ascii_lowercase()) } else { refusal() }
}

/// Refuses a caller who may not make, change or remove a person of this role, or give it to somebody.
pub fn check_may_manage(caller: &Caller, role: Role) -> Result<()> {
    if may_manage(caller.role, role) {
        return Ok(());
    }
    let detail = format!("A {} manages people below lead only, not a {}.", caller.role.name(), role.name());
    Err(Error::new(Code::Forbidden, detail))
}

/// Refuses a change after which a tenant that has admins would have none; `None` is a removal.
pub fn check_admin_is_left(before: &User, after: Option<&User>, others: i64) -> Result<()> {
    if before.administers() && !after.is_some_and(User::administers) && others == 0 {
        return Err(Error::new(Code::LastAdmin, "This is the last active admin of the tenant."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_well_formed_or_refused() {
        assert_eq!(email("Ada.Lovelace+x@Example.ORG").unwrap(), "ada.lovelace+x@example.org");
        let long = format!("{}@example.org", "a".repeat(65));
        for wrong in [
            "",
            "@",
            "a",
            "a@",
            "@b.org",
            "a@b",
            "a b@c.org",
            " a@b.org",
            "a@b.org ",
            "a@b..org",
            "a@-b.org",
            "a@b-.org",
            ".a@b.org",
            "a.@b.org",
            "a..b@c.org",
            "a@b@c.org",
            "a\n@b.org",
            "\u{430}@b.org",
            "a@b\u{2024}org",
            "<a@b.org>",
            "a@b.org\0",
            &long,
        ] {
            assert!(email(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_ascii_in_lower_case_and_stays_as_it_is(text in "\\PC{0,20}@\\PC{0,20}|[a-zA-Z.]{1,9}@[a-z]{1,9}\\.org") {
            if let Ok(taken) = email(&text) {
                prop_assert!(taken.is_ascii() && taken.bytes().all(|b| !b.is_ascii_uppercase()));
                prop_assert_eq!(email(&taken), Ok(taken.clone()));
            }
        }
    }
}
