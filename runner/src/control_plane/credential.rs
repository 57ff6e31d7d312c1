//! The credential that all calls of a runner share. It changes while they are made.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// A credential. Clones share it, and it is never shown.
#[derive(Clone)]
pub struct SharedCredential(Arc<RwLock<String>>);

impl SharedCredential {
    pub fn new(text: String) -> Self {
        Self(Arc::new(RwLock::new(text)))
    }

    /// The credential for the next call.
    pub fn current(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn replace(&self, text: String) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

impl fmt::Debug for SharedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedCredential")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_credential_reaches_all_clones_and_is_not_shown() {
        let credential = SharedCredential::new("one".to_owned());
        let clone = credential.clone();
        credential.replace("two".to_owned());
        assert_eq!(clone.current(), "two");
        assert!(!format!("{clone:?}").contains("two"));
    }
}
