//! The URL and the version of a user.

use shared::identity::users::User;

use crate::http::version::Versioned;

impl Versioned for User {
    fn location(&self) -> String {
        format!("/api/v1/users/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
