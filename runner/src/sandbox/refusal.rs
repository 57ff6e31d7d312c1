//! Why bubblewrap was refused, and the remedy.

use std::{fs, os::unix::fs::MetadataExt};

/// The settings of the kernel that refuse user namespaces; none where a file does not exist.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KernelSettings {
    /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu).
    apparmor_restricts: Option<u64>,
    /// `kernel.unprivileged_userns_clone` (Debian).
    unprivileged_clone: Option<u64>,
    /// `user.max_user_namespaces`.
    maximum: Option<u64>,
    /// Whether the root folder of this process is not that of the machine.
    is_in_chroot: bool,
}

impl KernelSettings {
    pub(super) fn read() -> Self {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
        Self {
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            unprivileged_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            maximum: number("/proc/sys/user/max_user_namespaces"),
            is_in_chroot: is_in_chroot(),
        }
    }
}

/// The first process has the root folder of the machine; only root can read which it is.
fn is_in_chroot() -> bool {
    let identity = |path: &str| fs::metadata(path).ok().map(|one| (one.dev(), one.ino()));
    identity("/proc/1/root/").is_some_and(|root| Some(root) != identity("/"))
}

/// One sentence with the remedy.
pub(super) fn explain_refusal(message: &str, kernel: &KernelSettings) -> String {
    let message = message.lines().last().unwrap_or("no message").trim_end_matches('.');
    let remedy = if kernel.is_in_chroot {
        "the kernel refuses namespaces inside a chroot, so start the runner outside of it"
    } else if kernel.maximum == Some(0) {
        "set the sysctl user.max_user_namespaces to 15000"
    } else if kernel.unprivileged_clone == Some(0) {
        "set the sysctl kernel.unprivileged_userns_clone to 1"
    } else if kernel.apparmor_restricts == Some(1) {
        "set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0, or give bwrap an AppArmor profile"
    } else if message.contains("namespace") || message.contains("ermitted") {
        "in a container, start it with --security-opt seccomp=unconfined and --cap-add SYS_ADMIN"
    } else {
        "run `make setup`, and check that the user of the agent can run the program of the runner"
    };
    format!("Bubblewrap cannot make a sandbox ({message}): {remedy}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_setting_that_causes_it() {
        let message = "bwrap: No permissions to create a new namespace";
        let none = KernelSettings::default();
        let debian = KernelSettings { unprivileged_clone: Some(0), ..none };
        let ubuntu = KernelSettings { apparmor_restricts: Some(1), unprivileged_clone: Some(1), ..none };
        let chroot = KernelSettings { is_in_chroot: true, ..none };
        for (kernel, remedy) in
            [(none, "container"), (debian, "userns_clone"), (ubuntu, "AppArmor"), (chroot, "chroot")]
        {
            let text = explain_refusal(message, &kernel);
            assert!(text.contains(remedy) && text.contains("No permissions"), "{text}");
        }
    }
}
