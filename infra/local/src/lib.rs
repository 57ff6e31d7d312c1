//! The whole of ioc in one process.
