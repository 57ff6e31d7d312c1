//! Every endpoint and background task of ioc.
