//! The options of `ioc-runner inside`.

use std::{ffi::OsString, path::PathBuf};

use super::super::user::AgentUser;

/// The instructions of the runner.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Ports of 127.0.0.1, and the sockets to which their connections are forwarded.
    pub(super) forwards: Vec<(u16, PathBuf)>,
    pub(super) user: Option<AgentUser>,
    /// The bubblewrap that keeps the user from making user namespaces.
    pub(super) confine: Option<PathBuf>,
    /// The current folder of the program.
    pub(super) directory: Option<PathBuf>,
    pub(super) processes: Option<u64>,
    pub(super) file_bytes: Option<u64>,
    /// There is no sandbox: end the program's processes with it, and with this process, which is the runner.
    pub(super) supervise: Option<i32>,
    /// Print the facts of this sandbox instead of starting a program.
    pub(super) facts: bool,
    /// End all processes of the user instead of starting a program.
    pub(super) end_processes: bool,
    pub(super) program: Option<OsString>,
    pub(super) arguments: Vec<OsString>,
}

impl Options {
    /// Whether this process runs as the agent's own user, so that all processes of the user are the agent's.
    pub(super) fn has_own_user(&self) -> bool {
        self.user.is_some_and(|user| user.uid == nix::unistd::geteuid().as_raw())
    }
}

pub(super) fn parse_options(arguments: &[OsString]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let name = name.to_str().ok_or("an option is not UTF-8")?;
        match name {
            "--facts" => options.facts = true,
            "--end-processes" => options.end_processes = true,
            "--" => {
                options.program = arguments.next().cloned();
                options.arguments = arguments.by_ref().cloned().collect();
            }
            "--confine" | "--directory" | "--forward" | "--user" | "--processes" | "--file-bytes" | "--supervise" => {
                let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
                read_option(&mut options, name, value)
                    .ok_or_else(|| format!("{name} cannot be {}", value.to_string_lossy()))?;
            }
            other => return Err(format!("the option {other} does not exist")),
        }
    }
    Ok(options)
}

fn read_option(options: &mut Options, name: &str, value: &OsString) -> Option<()> {
    // Paths may have any bytes, everything else is text.
    let text = || value.to_str();
    match name {
        "--confine" => options.confine = Some(value.into()),
        "--directory" => options.directory = Some(value.into()),
        "--forward" => {
            let (port, socket) = text()?.split_once('=')?;
            options.forwards.push((port.parse().ok()?, socket.into()));
        }
        "--user" => {
            let (uid, gid) = text()?.split_once(':')?;
            options.user = Some(AgentUser { uid: uid.parse().ok()?, gid: gid.parse().ok()? });
        }
        "--supervise" => options.supervise = Some(text()?.parse().ok()?),
        "--processes" => options.processes = Some(text()?.parse().ok()?),
        _ => options.file_bytes = Some(text()?.parse().ok()?),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<Options, String> {
        parse_options(&texts.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_end_at_the_program_and_its_arguments_stay_as_they_are() {
        let options = parse(&["--forward", "80=/a.sock", "--user", "7:8", "--processes", "9", "--", "sh", "--user"]);
        let expected = Options {
            forwards: vec![(80, "/a.sock".into())],
            user: Some(AgentUser { uid: 7, gid: 8 }),
            processes: Some(9),
            program: Some("sh".into()),
            arguments: vec!["--user".into()],
            ..Options::default()
        };
        assert_eq!(options.unwrap(), expected);
    }

    #[test]
    fn a_wrong_option_is_refused_by_its_name() {
        assert_eq!(parse(&["--forward", "http=/a"]).unwrap_err(), "--forward cannot be http=/a");
        assert_eq!(parse(&["--supervise", "me"]).unwrap_err(), "--supervise cannot be me");
        assert_eq!(parse(&["--forward"]).unwrap_err(), "--forward needs a value");
        assert_eq!(parse(&["--open"]).unwrap_err(), "the option --open does not exist");
    }
}
