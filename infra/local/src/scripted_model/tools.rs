//! The tools `write` and `bash` of a script, by the names and arguments of the agent that asks, and tools of MCP
//! servers by the names that the agent has for them. So one script does the same with every agent.

use serde_json::{Value, json};

use super::script::Call;

/// The names under which agents offer to run a command.
const SHELLS: [&str; 5] = ["bash", "Bash", "exec_command", "shell_command", "shell"];

/// Whether the tools offered can write a file.
pub(super) fn can_write(offered: &[String]) -> bool {
    let names = ["write", "Write"].into_iter().chain(SHELLS);
    names.into_iter().any(|name| offers(offered, name))
}

fn offers(offered: &[String], name: &str) -> bool {
    offered.iter().any(|tool| tool == name)
}

/// A call by the names of the tools offered. One that is offered as it stands, or is unknown, stays as it is.
pub(super) fn translate(call: Call, offered: &[String]) -> Call {
    if offers(offered, &call.tool) {
        return call;
    }
    let text = |name: &str| call.args[name].as_str().unwrap_or_default();
    match call.tool.as_str() {
        "write" if offers(offered, "Write") => {
            let args = json!({"file_path": text("filePath"), "content": text("content")});
            Call { tool: "Write".into(), args }
        }
        "write" => shell_call(&write_command(text("filePath"), text("content")), &Value::Null, offered).unwrap_or(call),
        "bash" => shell_call(text("command"), &call.args["description"], offered).unwrap_or(call),
        name => match find_server_tool(name, offered) {
            Some(tool) => Call { tool: tool.clone(), args: call.args },
            None => call,
        },
    }
}

/// The tool of an MCP server by its own name: agents put the name of the server before it.
fn find_server_tool<'a>(name: &str, offered: &'a [String]) -> Option<&'a String> {
    offered.iter().find(|tool| tool.strip_suffix(name).is_some_and(|server| server.ends_with(['_', '/'])))
}

fn shell_call(command: &str, description: &Value, offered: &[String]) -> Option<Call> {
    let tool = SHELLS.into_iter().find(|name| offers(offered, name))?;
    let args = match tool {
        "exec_command" => json!({"cmd": command}),
        "shell_command" => json!({"command": command}),
        "shell" => json!({"command": ["bash", "-lc", command]}),
        _ => json!({"command": command, "description": description.as_str().unwrap_or("Runs the script's command")}),
    };
    Some(Call { tool: tool.into(), args })
}

/// A command of the shell that writes a file and the folders around it.
fn write_command(path: &str, content: &str) -> String {
    let (path, content) = (quote(path), quote(content));
    format!("mkdir -p -- \"$(dirname -- {path})\" && printf %s {content} > {path}")
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn translated(tool: &str, args: Value, offered: &[&str]) -> Call {
        let offered: Vec<_> = offered.iter().map(|name| (*name).to_owned()).collect();
        translate(Call { tool: tool.into(), args }, &offered)
    }

    #[test]
    fn a_tool_that_is_offered_keeps_its_name_and_arguments() {
        let args = json!({"filePath": "a"});
        assert_eq!(translated("write", args.clone(), &["write", "Write"]), Call { tool: "write".into(), args });
    }

    #[test]
    fn a_tool_of_a_server_is_found_by_its_own_name() {
        let args = json!({"question": "Which?"});
        for offered in ["ioc_ask_person", "mcp__ioc__ask_person", "mcp__ioc/ask_person"] {
            let call = translated("ask_person", args.clone(), &["task_person", offered]);
            assert_eq!(call, Call { tool: offered.into(), args: args.clone() });
        }
        assert_eq!(translated("ask", args, &["ioc_mask"]).tool, "ask");
    }

    #[test]
    fn a_command_runs_by_the_tool_of_each_agent() {
        for (offered, expected) in [
            ("Bash", json!({"command": "ls", "description": "Runs the script's command"})),
            ("exec_command", json!({"cmd": "ls"})),
            ("shell", json!({"command": ["bash", "-lc", "ls"]})),
        ] {
            let call = translated("bash", json!({"command": "ls"}), &[offered]);
            assert_eq!((call.tool.as_str(), call.args), (offered, expected));
        }
    }

    #[test]
    fn a_file_of_any_content_is_written_by_a_command() {
        let folder = std::env::temp_dir().join(format!("ioc-tools-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let content = "it's \"$HOME\" `x` \\n %s\n";
        let call = translated("write", json!({"filePath": "a b/c", "content": content}), &["exec_command"]);
        let command = call.args["cmd"].as_str().unwrap();
        assert!(Command::new("bash").args(["-c", command]).current_dir(&folder).status().unwrap().success());
        assert_eq!(std::fs::read_to_string(folder.join("a b/c")).unwrap(), content);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
