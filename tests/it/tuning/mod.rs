//! Fine-tuning: a file per verb, the pipeline as a whole, and what may go wrong on its way.

mod calling_off;
mod cancel;
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
mod rules;
mod simulated;
mod start;
