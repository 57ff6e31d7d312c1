//! Programs from a file: a list of `[[program]]` in TOML.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{error::ProgramError, program::AgentProgram};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramFile {
    #[serde(default)]
    program: Vec<AgentProgram>,
}

/// Reads the programs of a file, such as
///
/// ```toml
/// [[program]]
/// name = "goose"
/// command = ["goose", "acp"]
/// protocol = "openai_chat"
/// environment = { OPENAI_HOST = "{base_url}", OPENAI_API_KEY = "{api_key_placeholder}", GOOSE_MODEL = "{model}" }
/// ```
///
/// Fails with `PROGRAM_FILE_INVALID` where the file is no such list, or where an entry has no command, an empty name,
/// or the name of another one.
pub fn parse_program_file(text: &str) -> Result<Vec<AgentProgram>, ProgramError> {
    let invalid = |reason: String| ProgramError::InvalidFile { reason };
    let file: ProgramFile = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
    let mut names = BTreeSet::new();
    for program in &file.program {
        let name = &program.name;
        if name.is_empty() || program.command.first().is_none_or(String::is_empty) {
            return Err(invalid(format!("the program {name:?} needs a name and a command")));
        }
        if !names.insert(name) {
            return Err(invalid(format!("the program {name:?} stands there twice")));
        }
    }
    Ok(file.program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::{ModelProtocol, ProgramLocations, built_in_programs};

    #[test]
    fn a_program_of_a_file_needs_a_name_a_command_and_a_protocol() {
        let text = "[[program]]\nname = \"a\"\ncommand = [\"a\", \"acp\"]\nprotocol = \"anthropic\"\n\
                    [program.files]\n\".a/config\" = \"{model}\"\n[program.asking.environment]\nASK = \"1\"\n";
        let programs = parse_program_file(text).unwrap();
        assert_eq!(programs[0].protocol, ModelProtocol::Anthropic);
        assert_eq!(programs[0].files[".a/config"], "{model}");
        assert_eq!(programs[0].asking.environment["ASK"], "1");
    }

    #[test]
    fn every_built_in_program_could_stand_in_a_file() {
        let location = || Some(std::path::PathBuf::from("/a/node_modules/b/c"));
        let programs = built_in_programs(&ProgramLocations {
            opencode: location(),
            ripgrep: location(),
            node: location(),
            claude: location(),
            codex: location(),
        });
        assert_eq!(programs.len(), 3);
        let file = std::collections::BTreeMap::from([("program", &programs)]);
        assert_eq!(parse_program_file(&toml::to_string(&file).unwrap()).unwrap(), programs);
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_reason() {
        let one = "[[program]]\nname = \"a\"\ncommand = [\"a\"]\nprotocol = \"anthropic\"\n";
        for (text, reason) in [
            (format!("{one}{one}"), "twice"),
            (one.replace("[\"a\"]", "[]"), "a command"),
            (one.replace("anthropic", "smoke"), "smoke"),
            (format!("{one}colour = \"red\"\n"), "colour"),
        ] {
            let error = parse_program_file(&text).unwrap_err();
            assert_eq!(error.code(), "PROGRAM_FILE_INVALID");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
