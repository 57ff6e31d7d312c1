//! Users of a tenant, and the rules for changing them. Pure, except for [`service`] and [`store`].

pub mod service;
pub mod store;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    identity::auth::{Caller, Role, permission::may_manage},
    kernel::{
        clock::Time,
        error::{Code, Error, Result, ValidationErrors},
        id::UserId,
        text,
    },
};

/// A user of a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct User {
    /// The id of the user.
    pub id: UserId,
    /// The e-mail address in lower case, unique in the tenant.
    pub email: String,
    /// The full name.
    pub full_name: String,
    /// The role.
    pub role: Role,
    /// Whether the user is active. All credentials of an inactive user are refused.
    pub is_active: bool,
    /// When the user last called the API; null if never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen_at: Option<Time>,
    /// The version of the user, which is also its `ETag`.
    pub version: i64,
    /// When the user was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// When the user was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Time,
}

impl User {
    /// Whether the user is an active admin. A tenant that has one always keeps at least one.
    pub fn is_active_admin(&self) -> bool {
        self.is_active && self.role == Role::Admin
    }
}

/// A change to a user. Absent fields stay unchanged.
#[derive(Clone, Debug, Default)]
pub struct UserChanges {
    pub email: Option<String>,
    pub full_name: Option<String>,
    pub role: Option<Role>,
    pub is_active: Option<bool>,
}

impl UserChanges {
    /// Validates the fields, and converts the e-mail address to lower case.
    pub fn validate(self) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let patch = Self {
            email: self.email.and_then(|text| refusals.check("email", parse_email(&text))),
            full_name: self.full_name.and_then(|name| refusals.check("full_name", text::parse_line(name, 1..=200))),
            ..self
        };
        refusals.into_result()?;
        Ok(patch)
    }

    /// Sets the fields that are present.
    pub fn apply(self, user: &mut User) {
        let Self { email, full_name, role, is_active } = self;
        user.email = email.unwrap_or_else(|| std::mem::take(&mut user.email));
        user.full_name = full_name.unwrap_or_else(|| std::mem::take(&mut user.full_name));
        user.role = role.unwrap_or(user.role);
        user.is_active = is_active.unwrap_or(user.is_active);
    }
}

/// Validates an e-mail address and converts it to lower case. It is not trimmed: surrounding spaces are refused.
pub fn parse_email(text: &str) -> Result<String, String> {
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

/// Refuses a caller who may not create, change or delete users of a role, or assign that role.
pub fn check_may_manage(caller: &Caller, role: Role) -> Result<()> {
    if may_manage(caller.role, role) {
        return Ok(());
    }
    let detail = format!("A {} may manage only users below lead, not a {}.", caller.role.name(), role.name());
    Err(Error::new(Code::Forbidden, detail))
}

/// Refuses a change, or with `None` a deletion, that would leave a tenant without its last active admin.
pub fn check_admin_is_left(before: &User, after: Option<&User>, others: i64) -> Result<()> {
    if before.is_active_admin() && !after.is_some_and(User::is_active_admin) && others == 0 {
        return Err(Error::new(Code::LastAdmin, "This is the last active admin of the tenant."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_malformed_address_is_refused() {
        assert_eq!(parse_email("Ada.Lovelace+x@Example.ORG").unwrap(), "ada.lovelace+x@example.org");
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
            assert!(parse_email(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_address_is_lower_case_ascii_and_stays_unchanged(text in "\\PC{0,20}@\\PC{0,20}|[a-zA-Z.]{1,9}@[a-z]{1,9}\\.org") {
            if let Ok(taken) = parse_email(&text) {
                prop_assert!(taken.is_ascii() && taken.bytes().all(|b| !b.is_ascii_uppercase()));
                prop_assert_eq!(parse_email(&taken), Ok(taken.clone()));
            }
        }
    }
}
