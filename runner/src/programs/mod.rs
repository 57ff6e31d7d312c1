//! Coding agents as configuration: which program, what it finds in its environment and in its HOME, and which form of
//! the model's API it speaks. A new agent that speaks ACP needs an entry of a file, never code.

mod built_in;
mod endpoint;
mod error;
mod home;
mod program;
mod program_file;
mod template;

pub use built_in::{ProgramLocations, built_in_programs};
pub use endpoint::{ModelEndpoint, ProgramEndpoints};
pub use error::ProgramError;
pub use program::{AgentLaunch, AgentProgram, DefaultModels, ModelProtocol, ProgramOverlay};
pub use program_file::parse_program_file;
