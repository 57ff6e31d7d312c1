//! The lock's Lua scripts, one per operation, each behind the same prelude.
//!
//! The sources are public so that a bench can load them and run the very same work without this client.

use std::sync::LazyLock;

use redis::Script;

macro_rules! source {
    ($file:literal) => {
        concat!(include_str!("common.lua"), include_str!($file))
    };
}

pub const ACQUIRE: &str = source!("acquire.lua");
pub const CANCEL: &str = source!("cancel.lua");
pub const INSPECT: &str = source!("inspect.lua");
pub const RELEASE: &str = source!("release.lua");
pub const RENEW: &str = source!("renew.lua");

pub(super) static ACQUIRING: LazyLock<Script> = LazyLock::new(|| Script::new(ACQUIRE));
pub(super) static CANCELLING: LazyLock<Script> = LazyLock::new(|| Script::new(CANCEL));
pub(super) static INSPECTING: LazyLock<Script> = LazyLock::new(|| Script::new(INSPECT));
pub(super) static RELEASING: LazyLock<Script> = LazyLock::new(|| Script::new(RELEASE));
pub(super) static RENEWING: LazyLock<Script> = LazyLock::new(|| Script::new(RENEW));
