//! The model gateway with real clients and real small providers.

mod passing;
mod support;
