//! Starts sandboxes from a thread that lives as long as the runner.
//!
//! The kernel ends a sandbox when the *thread* that started it ends (`PR_SET_PDEATHSIG`), and threads of an
//! asynchronous runtime end while the runner lives on.

use std::{
    io,
    sync::{LazyLock, mpsc},
    thread,
};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

struct Launch {
    command: Command,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

static LAUNCHES: LazyLock<mpsc::Sender<Launch>> = LazyLock::new(|| {
    let (sender, launches) = mpsc::channel::<Launch>();
    let work = move || {
        for mut launch in launches {
            let _guard = launch.runtime.enter();
            // Nobody waits any more: the child is dropped, and therefore killed.
            let _ = launch.answer.send(launch.command.spawn());
        }
    };
    // Without the thread every launch fails with an error, because the receiver is gone.
    let _ = thread::Builder::new().name("sandbox-launcher".to_owned()).spawn(work);
    sender
});

/// Starts a command from a thread that lives as long as this process, so that `--die-with-parent` means the runner.
pub async fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    let (answer, child) = oneshot::channel();
    let gone = || io::Error::other("the thread that starts sandboxes has ended");
    LAUNCHES.send(Launch { command, runtime: Handle::current(), answer }).map_err(|_| gone())?;
    child.await.map_err(|_| gone())?
}
