//! The local host: the servers it starts, the scripted model, its setup.

mod opencode;
mod scripted_model;
mod services;
mod setup;
