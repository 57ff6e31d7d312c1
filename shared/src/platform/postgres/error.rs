//! Failures of Postgres and their meaning for a caller.

use std::time::Duration;

use tokio_postgres::error::{DbError, SqlState};

use crate::kernel::error::{Code, Error, Result};

/// How long to wait for the answers of one round trip. It is longer than the statement timeout of Postgres, so only a
/// server or a network that hangs exceeds it. The connection is closed then, and the transaction with it.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(9);

/// The SQLSTATE of `claim_idempotency_key` for a key that is in use.
const KEY_REFUSED: &str = "IK001";

/// Why a call to Postgres failed.
#[derive(Debug)]
pub(super) enum CallFailure {
    Failed(tokio_postgres::Error),
    /// No answer within [`CALL_TIMEOUT`].
    TimedOut,
}

impl CallFailure {
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Failed(error) if is_gone(error))
    }

    /// Whether the server had no space left or its disk failed.
    pub(super) fn is_of_storage(&self) -> bool {
        let of_storage = |code: &SqlState| [SqlState::DISK_FULL, SqlState::IO_ERROR].contains(code);
        matches!(self, Self::Failed(error) if error.code().is_some_and(of_storage))
    }

    /// Whether the claim of a unit of work was refused.
    pub(super) fn is_refused_claim(&self) -> bool {
        matches!(self, Self::Failed(error) if error.code().is_some_and(|code| code.code() == KEY_REFUSED))
    }
}

impl From<CallFailure> for Error {
    #[track_caller]
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::Failed(error) => error.into(),
            CallFailure::TimedOut => Self::unavailable("Postgres", "no answer in time; the connection was closed"),
        }
    }
}

/// Waits for an answer of Postgres for at most [`CALL_TIMEOUT`].
pub(super) async fn with_timeout<T>(
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, CallFailure> {
    tokio::time::timeout(CALL_TIMEOUT, asked).await.map_err(|_| CallFailure::TimedOut)?.map_err(CallFailure::Failed)
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

/// Whether the server lacks a resource for now (a connection, memory, space or a working disk, time), so that the same
/// call may succeed later.
fn is_exhausted(code: &SqlState) -> bool {
    code.code().starts_with("53") || [SqlState::IO_ERROR, SqlState::QUERY_CANCELED].contains(code)
}

impl From<tokio_postgres::Error> for Error {
    #[track_caller]
    fn from(source: tokio_postgres::Error) -> Self {
        if is_gone(&source) || source.code().is_some_and(is_exhausted) {
            Self::unavailable("Postgres", source)
        } else if source.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) {
            Self::new(Code::DependencyUnavailable, "Another request changed the same rows at the same time.")
                .caused_by(source)
        } else {
            Self::internal(source)
        }
    }
}

/// Whether an error came from Postgres or from the connection to it.
pub(crate) fn is_of_postgres(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.downcast_ref::<tokio_postgres::Error>().is_some())
}

/// The detail of an error that a SQL function raised with the SQLSTATE `kind`, if this is one.
pub(crate) fn refused_with<'a>(error: &'a Error, kind: &str) -> Option<&'a str> {
    let raised = raised_error(error).filter(|raised| raised.code().code() == kind)?;
    raised.detail()
}

fn raised_error(error: &Error) -> Option<&DbError> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<tokio_postgres::Error>()?.as_db_error()
}

/// Translates the violation of a named constraint into a domain error at the call site.
pub trait OnConstraint<T> {
    fn on_constraint(self, name: &str, error: impl FnOnce() -> Error) -> Result<T>;
}

impl<T> OnConstraint<T> for Result<T> {
    fn on_constraint(self, name: &str, error: impl FnOnce() -> Error) -> Result<T> {
        self.map_err(|broken| {
            let hit = raised_error(&broken).is_some_and(|raised| raised.constraint() == Some(name));
            if hit { error() } else { broken }
        })
    }
}
