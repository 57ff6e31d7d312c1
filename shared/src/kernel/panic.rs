//! Panics of a unit of work, as errors like any other.

use std::{any::Any, future::Future, panic::AssertUnwindSafe};

use futures_util::FutureExt;

use super::error::{Error, Result};

/// Runs work. A panic becomes an internal error with the text of the panic as its cause.
pub async fn catch_panic<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic_text(panic.as_ref());
        tracing::error!(panic = text, "a unit of work panicked");
        Err(Error::internal(format!("panicked: {text}")))
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::error::Code;

    #[tokio::test]
    async fn a_panic_is_an_internal_error_that_quotes_it() {
        let error = catch_panic::<()>(async { panic!("{} is odd", 3) }).await.unwrap_err();
        assert_eq!((error.code(), error.causes().as_str()), (Code::InternalError, "panicked: 3 is odd"));
        assert_eq!(catch_panic(async { Ok(3) }).await.unwrap(), 3);
    }
}
