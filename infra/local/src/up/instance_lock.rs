//! Resources that one running instance needs exclusively: its folder, its port, free disk space. Each error names the
//! obstacle and its remedy.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Error, Result, bail};
use nix::{
    fcntl::{Flock, FlockArg},
    sys::statvfs::statvfs,
};
use tokio::{net::TcpListener, time::sleep};

/// Disk space that must be free to start, in MiB.
const MIN_FREE_MIB: u64 = 300;

/// Held as long as this instance runs; the system releases it when the process ends, for whatever reason.
pub(super) struct InstanceLock {
    _lock: Flock<File>,
}

/// Locks the folder `.local`.
pub(super) fn acquire(local: &Path) -> Result<InstanceLock> {
    let free = free(local)?;
    if free < MIN_FREE_MIB {
        bail!(
            "the disk of {} is full ({free} MiB free, {MIN_FREE_MIB} needed): free some space, then try again",
            local.display()
        );
    }
    let path = local.join("up.lock");
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let file = file.with_context(|| format!("{} cannot be written", path.display()))?;
    let Ok(mut lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
        let process = fs::read_to_string(&path).unwrap_or_default();
        bail!("`make up` already runs here (process {process}): use it (. .local/env), or end it first")
    };
    lock.set_len(0)?;
    write!(lock, "{}", std::process::id())?;
    Ok(InstanceLock { _lock: lock })
}

/// Binds the port of the API. An instance that has just ended may hold the port a moment longer.
pub(super) async fn bind_port(port: u16) -> Result<TcpListener> {
    let late = Instant::now() + Duration::from_secs(2);
    loop {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < late => {
                sleep(Duration::from_millis(50)).await;
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                bail!(
                    "port {port} of 127.0.0.1 is used by another program: stop that program, or choose another port: IOC_PORT=8001 make up"
                )
            }
            bound => return bound.with_context(|| format!("port {port} of 127.0.0.1 cannot be listened on")),
        }
    }
}

/// Adds the context of a full disk to an error, because servers report that in their own ways or not at all.
pub(super) fn explain(error: Error, local: &Path) -> Error {
    match free(local) {
        Ok(free) if free < 20 => error.context(format!("the disk of {} is full ({free} MiB free)", local.display())),
        _ => error,
    }
}

fn free(folder: &Path) -> Result<u64> {
    let disk = statvfs(folder).with_context(|| format!("{} cannot be inspected", folder.display()))?;
    let (blocks, size) = (disk.blocks_available(), disk.fragment_size());
    #[expect(clippy::useless_conversion, reason = "the two are of other types on other systems")]
    Ok(u64::from(blocks).saturating_mul(u64::from(size)) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_by_one_instance_at_a_time() {
        let folder = crate::paths::temporary("claim").unwrap();
        let first = acquire(&folder).unwrap();
        let refused = acquire(&folder).err().unwrap().to_string();
        assert!(refused.contains(&format!("(process {})", std::process::id())), "{refused}");
        drop(first);
        // A process that another test starts inherits the open file until it executes its program.
        let began = std::time::Instant::now();
        while let Err(error) = acquire(&folder) {
            assert!(began.elapsed().as_secs() < 10, "{error}");
            std::thread::yield_now();
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_a_remedy() {
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = other.local_addr().unwrap().port();
        let refused = bind_port(port).await.unwrap_err().to_string();
        assert!(refused.contains(&port.to_string()) && refused.contains("IOC_PORT="), "{refused}");
    }
}
