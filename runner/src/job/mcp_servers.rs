//! The MCP servers that an agent is given: the runner's own tools, and those of the session's environment.

use crate::{
    acp::{EnvVariable, HttpHeader, McpServer, McpServerHttp, McpServerStdio},
    control_plane::environment::EnvironmentMcpServer,
    mcp::{SERVER_NAME, ToolAccess},
};

/// The servers for an agent, and the names of those that it cannot use, because it reaches none over HTTP.
///
/// An agent whose own configuration has the runner's tools is not given them a second time.
pub(super) fn choose_mcp_servers(
    own: Option<&ToolAccess>,
    of_environment: &[EnvironmentMcpServer],
    is_http_reachable: bool,
) -> (Vec<McpServer>, Vec<String>) {
    let own = own.into_iter().map(|access| {
        let header = HttpHeader::new("Authorization", format!("Bearer {}", access.token));
        McpServer::Http(McpServerHttp::new(SERVER_NAME, access.url.clone()).headers(vec![header]))
    });
    let all = own.chain(of_environment.iter().map(describe));
    let (usable, unusable): (Vec<_>, Vec<_>) =
        all.partition(|server| is_http_reachable || !matches!(server, McpServer::Http(_)));
    (usable, unusable.iter().map(name_of).collect())
}

fn describe(server: &EnvironmentMcpServer) -> McpServer {
    let name = server.name.clone();
    if let Some(url) = &server.url {
        let headers = server.headers.iter().map(|(name, value)| HttpHeader::new(name, value)).collect();
        return McpServer::Http(McpServerHttp::new(name, url).headers(headers));
    }
    let variables = server.variables.iter().map(|(name, value)| EnvVariable::new(name, value)).collect();
    let command = server.command.clone().unwrap_or_default();
    McpServer::Stdio(McpServerStdio::new(name, command).args(server.arguments.clone()).env(variables))
}

fn name_of(server: &McpServer) -> String {
    match server {
        McpServer::Http(server) => server.name.clone(),
        McpServer::Stdio(server) => server.name.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_agent_that_reaches_no_server_over_http_gets_the_programs_alone() {
        let servers: Vec<EnvironmentMcpServer> = serde_json::from_value(json!([
            {"name": "files", "command": "files-server", "arguments": ["--read-only"], "variables": {"A": "1"}},
            {"name": "issues", "url": "https://issues.example.com/mcp", "headers": {"X-Team": "a"}},
        ]))
        .unwrap();
        let access = ToolAccess::create("http://127.0.0.1:9");
        let (all, none) = choose_mcp_servers(Some(&access), &servers, true);
        let shown = serde_json::to_value(&all).unwrap();
        assert_eq!((all.len(), none), (3, Vec::new()));
        assert_eq!(shown[1]["args"], json!(["--read-only"]), "{shown:#}");
        assert_eq!(shown[2]["headers"][0]["name"], "X-Team", "{shown:#}");
        let (programs, unusable) = choose_mcp_servers(Some(&access), &servers, false);
        assert_eq!(programs.iter().map(name_of).collect::<Vec<_>>(), ["files"]);
        assert_eq!(unusable, [SERVER_NAME, "issues"]);
        assert_eq!(choose_mcp_servers(None, &[], true).0, []);
    }
}
