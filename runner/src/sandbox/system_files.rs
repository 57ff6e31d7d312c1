//! The system that a sandbox shows: `/usr`, and of `/etc` an allow-list.

use std::{ffi::OsString, fs, path::Path};

use super::{error::SandboxError, user::AgentUser};

/// Folders that are a symbolic link into `/usr` on merged systems, and a folder elsewhere.
pub(super) const BASE_FOLDERS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs need of `/etc`: the dynamic linker, name services, certificates (never private keys), the time zone.
const ETC: [&str; 14] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
];

/// The folders of those; stated, because bubblewrap may make them private to its own user.
const ETC_FOLDERS: [&str; 5] = ["/etc", "/etc/pki", "/etc/pki/ca-trust", "/etc/pki/tls", "/etc/ssl"];

/// The arguments of bubblewrap that mount the system read-only.
pub(super) fn system_arguments() -> Vec<OsString> {
    let mut arguments = to_arguments(&["--ro-bind", "/usr", "/usr"]);
    for folder in BASE_FOLDERS {
        match fs::read_link(folder) {
            Ok(target) => arguments.extend(["--symlink".into(), target.into_os_string(), folder.into()]),
            Err(_) if Path::new(folder).is_dir() => arguments.extend(to_arguments(&["--ro-bind", folder, folder])),
            Err(_) => {}
        }
    }
    for folder in ETC_FOLDERS {
        arguments.extend(to_arguments(&["--dir", folder]));
    }
    for path in ETC {
        arguments.extend(to_arguments(&["--ro-bind-try", path, path]));
    }
    arguments
}

/// Writes the made-up files of `/etc` into the session's folder, and returns the arguments that mount them.
pub(super) fn write_made_up_files(folder: &Path, user: AgentUser, home: &Path) -> Result<Vec<OsString>, SandboxError> {
    let AgentUser { uid, gid } = user;
    let files = [
        ("passwd", format!("agent:x:{uid}:{gid}:agent:{}:/bin/sh\n", home.display())),
        ("group", format!("agent:x:{gid}:\n")),
        ("hosts", "127.0.0.1 localhost\n".to_owned()),
    ];
    let mut arguments = Vec::new();
    for (name, content) in files {
        let path = folder.join(name);
        fs::write(&path, content).map_err(SandboxError::of_start(format!("writing {}", path.display())))?;
        arguments.extend(["--ro-bind".into(), path.into_os_string(), format!("/etc/{name}").into()]);
    }
    Ok(arguments)
}

pub(super) fn to_arguments(texts: &[&str]) -> Vec<OsString> {
    texts.iter().map(OsString::from).collect()
}
