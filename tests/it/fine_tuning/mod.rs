//! Fine-tuning: a file per verb, the pipeline as a whole, and what may go wrong on its way.

mod cancel;
mod cancel_at_provider;
mod create;
mod curve;
mod events;
mod faults;
mod files;
mod killed;
mod list;
mod pipeline;
mod poll;
mod prompts;
mod providers;
mod retry;
mod simulated;
mod start;
mod state_machine;
