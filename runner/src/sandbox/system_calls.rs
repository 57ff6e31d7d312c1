//! The system calls that no program of an agent needs, refused by the kernel (seccomp).
//!
//! They are what namespaces do not separate (the keys of the kernel, sockets to the hypervisor), and what has given
//! processes more rights than they should have: namespaces and mounts of their own, `io_uring`, `bpf`.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

/// Refused with `EPERM`. `io_uring` makes calls that no filter sees.
const REFUSED: [i64; 28] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_userfaultfd,
];

/// The kinds of sockets that exist in a network namespace of its own. Others, such as `AF_VSOCK`, lead out of it.
const SOCKET_FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Restricts this process and all that it starts. Does nothing on processors for which no filter can be made.
///
/// Call it before the process has a second thread. Programs of another architecture than the machine's own (32 bits)
/// are ended when they make a call.
pub(super) fn restrict_system_calls() -> Result<(), Error> {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(()) };
    // The flags of `clone3` are in memory, where no filter sees them. Without it, programs use `clone`.
    let unseen = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    for (rules, error) in [(make_refusals()?, libc::EPERM), (unseen, libc::ENOSYS)] {
        let action = SeccompAction::Errno(error.unsigned_abs());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, architecture)?;
        apply_filter(&BpfProgram::try_from(filter)?)?;
    }
    Ok(())
}

/// A call without rules is refused whatever its arguments are.
fn make_refusals() -> Result<BTreeMap<i64, Vec<SeccompRule>>, Error> {
    let mut refusals: BTreeMap<_, _> = REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    let user_namespace = u64::from(libc::CLONE_NEWUSER.unsigned_abs());
    for call in [libc::SYS_clone, libc::SYS_unshare] {
        refusals.insert(call, vec![when_first([(SeccompCmpOp::MaskedEq(user_namespace), user_namespace)])?]);
    }
    let other_families = SOCKET_FAMILIES.map(|family| (SeccompCmpOp::Ne, u64::from(family.unsigned_abs())));
    refusals.insert(libc::SYS_socket, vec![when_first(other_families)?]);
    Ok(refusals)
}

/// Holds where the first argument fulfils all conditions.
fn when_first<const N: usize>(conditions: [(SeccompCmpOp, u64); N]) -> Result<SeccompRule, Error> {
    let conditions = conditions.into_iter();
    let conditions =
        conditions.map(|(operator, value)| SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, value));
    Ok(SeccompRule::new(conditions.collect::<Result<_, _>>()?)?)
}
