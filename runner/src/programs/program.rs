//! One program, and how it is prepared for a session.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{endpoint::ProgramEndpoints, error::ProgramError, home::write_files, template::Template};
use crate::acp::PermissionPolicy;

/// The form of the model's API that a program speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelProtocol {
    /// `POST /v1/chat/completions` of OpenAI.
    OpenaiChat,
    /// `POST /v1/responses` of OpenAI.
    OpenaiResponses,
    /// `POST /v1/messages` of Anthropic.
    Anthropic,
    /// `POST /v1beta/models/{model}:generateContent` of Gemini.
    Gemini,
}

/// The models of sessions that name none, as their providers have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultModels {
    pub anthropic: String,
    pub openai: String,
    pub gemini: String,
}

impl DefaultModels {
    /// The model for programs of this protocol.
    pub fn of(&self, protocol: ModelProtocol) -> &str {
        match protocol {
            ModelProtocol::Anthropic => &self.anthropic,
            ModelProtocol::OpenaiChat | ModelProtocol::OpenaiResponses => &self.openai,
            ModelProtocol::Gemini => &self.gemini,
        }
    }
}

/// A coding agent that speaks ACP over its standard input and output.
///
/// The texts of `environment` and `files` are templates. They may use `{base_url}`, `{model}`, `{api_key_placeholder}`,
/// `{tools_url}`, `{tools_token}`, `{home}`, and `{permission.KIND}` with a kind of tools, such as
/// `{permission.execute}`, which is `allow`, `ask` or `deny`. All other braces stand for themselves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AgentProgram {
    /// The name that sessions and environments use, such as `codex`.
    pub name: String,
    /// Its version, for people.
    #[serde(default)]
    pub version: Option<String>,
    /// The program and what always follows it.
    pub command: Vec<String>,
    /// Further arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The environment of the process, which sees nothing of the runner's own. HOME is added.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Files in its HOME, by their paths relative to it.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The entries that hold instead where the permissions of a session do not allow everything.
    #[serde(default)]
    pub asking: ProgramOverlay,
    /// Folders that it must be able to read.
    #[serde(default)]
    pub read_only: Vec<PathBuf>,
    /// How it speaks to its model.
    pub protocol: ModelProtocol,
    /// The mode that is chosen for each new session, such as the one in which the agent asks for permission.
    #[serde(default)]
    pub mode: Option<String>,
    /// Whether its files name the MCP server of the runner's tools. Otherwise the server is named over ACP.
    #[serde(default)]
    pub configures_tools: bool,
}

/// Entries that replace those of a program with the same names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProgramOverlay {
    /// Of the environment.
    pub environment: BTreeMap<String, String>,
    /// Of the files.
    pub files: BTreeMap<String, String>,
}

/// A prepared program, ready to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentLaunch {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The whole environment of the process.
    pub environment: BTreeMap<String, String>,
    /// The files and folders that were written in HOME, so that a caller can give them to another user.
    pub written: Vec<PathBuf>,
}

impl AgentProgram {
    /// Writes the program's files into a HOME and says how to start it. `home` is where the runner sees HOME and
    /// `home_inside` where the agent sees it; they differ in a sandbox. May be repeated with the same HOME, while no
    /// agent runs in it.
    pub fn prepare(
        &self,
        home: &Path,
        home_inside: &Path,
        endpoints: &ProgramEndpoints,
        policy: &PermissionPolicy,
    ) -> Result<AgentLaunch, ProgramError> {
        let template = Template::new(home_inside, endpoints, policy)?;
        let asking = if policy.allows_everything() { ProgramOverlay::default() } else { self.asking.clone() };
        let fill = |texts: BTreeMap<String, String>| -> BTreeMap<String, String> {
            texts.into_iter().map(|(name, text)| (name, template.fill(&text))).collect()
        };
        let mut files = self.files.clone();
        files.extend(asking.files);
        let written = write_files(&self.name, home, &fill(files))?;
        let mut environment = self.environment.clone();
        environment.extend(asking.environment);
        environment.insert("HOME".into(), "{home}".into());
        let command = self.command.iter().chain(&self.arguments).cloned().collect();
        Ok(AgentLaunch { command, environment: fill(environment), written })
    }
}
