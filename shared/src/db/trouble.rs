//! What can go wrong with Postgres, and what that means to a caller.

use std::time::Duration;

use tokio_postgres::error::{DbError, SqlState};

use crate::error::{Code, Error, Result};

/// How long we wait for the answer to what we sent at once. Longer than Postgres may work on one statement, so that only
/// a server or a network that hangs is met by it: the connection is given up then, and with it the transaction.
pub(super) const PATIENCE: Duration = Duration::from_secs(9);

/// What `claim_idempotency_key` says of a key that is not free.
const KEY_REFUSED: &str = "IK001";

/// Why Postgres gave no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    Failed(tokio_postgres::Error),
    /// Nothing came back for [`PATIENCE`].
    Silent,
}

impl Trouble {
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Failed(error) if is_gone(error))
    }

    /// Whether what the transaction of a unit begins with was refused.
    pub(super) fn is_refused_claim(&self) -> bool {
        matches!(self, Self::Failed(error) if error.code().is_some_and(|code| code.code() == KEY_REFUSED))
    }
}

impl From<Trouble> for Error {
    #[track_caller]
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Failed(error) => error.into(),
            Trouble::Silent => Self::unavailable("Postgres", "nothing came back in time; the connection was closed"),
        }
    }
}

/// What Postgres answers, unless it hangs.
pub(super) async fn in_time<T>(asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Trouble> {
    tokio::time::timeout(PATIENCE, asked).await.map_err(|_| Trouble::Silent)?.map_err(Trouble::Failed)
}

/// Whether the server or the connection went away, so that the same call may succeed on a new connection.
fn is_gone(error: &tokio_postgres::Error) -> bool {
    let broken_pipe =
        || std::error::Error::source(error).is_some_and(|cause| cause.downcast_ref::<std::io::Error>().is_some());
    match error.code() {
        None => error.is_closed() || broken_pipe(),
        Some(code) => {
            let class = &code.code()[..2];
            class == "08"
                || [
                    SqlState::ADMIN_SHUTDOWN,
                    SqlState::CRASH_SHUTDOWN,
                    SqlState::CANNOT_CONNECT_NOW,
                    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                ]
                .contains(code)
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    #[track_caller]
    fn from(source: tokio_postgres::Error) -> Self {
        let busy = [SqlState::TOO_MANY_CONNECTIONS, SqlState::QUERY_CANCELED];
        if is_gone(&source) || source.code().is_some_and(|code| busy.contains(code)) {
            Self::unavailable("Postgres", source)
        } else if source.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) {
            Self::new(Code::DependencyUnavailable, "Somebody else changed the same rows at once.").caused_by(source)
        } else {
            Self::internal(source)
        }
    }
}

/// The detail of the error of this kind that the database's own rules raised, if it was that.
pub(crate) fn refused_with<'a>(error: &'a Error, kind: &str) -> Option<&'a str> {
    let raised = raised(error).filter(|raised| raised.code().code() == kind)?;
    raised.detail()
}

fn raised(error: &Error) -> Option<&DbError> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<tokio_postgres::Error>()?.as_db_error()
}

/// Turns the violation of a constraint into a domain error, where the statement is.
pub trait OnConstraint<T> {
    fn on_constraint(self, name: &str, error: impl FnOnce() -> Error) -> Result<T>;
}

impl<T> OnConstraint<T> for Result<T> {
    fn on_constraint(self, name: &str, error: impl FnOnce() -> Error) -> Result<T> {
        self.map_err(|broken| {
            let hit = raised(&broken).is_some_and(|raised| raised.constraint() == Some(name));
            if hit { error() } else { broken }
        })
    }
}
