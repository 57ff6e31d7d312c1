//! `ioc supervise`: a small process between this one and each server that it starts, so that no server outlives it.
//!
//! It holds the read end of a pipe whose write end only its parent holds. A line on the pipe is a signal for the
//! server. The pipe closes when the parent ends, even by SIGKILL. The supervisor then stops the server and every
//! process that the server has started, detached ones included.

use std::{
    fs,
    io::BufRead,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sys::{
        signal::{Signal, kill, killpg},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};

/// How one server is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Supervision {
    /// The signal for a graceful end of the server.
    #[arg(long, default_value = "SIGTERM")]
    pub stop: Signal,
    /// How long a graceful end may take, in milliseconds, before the server is killed.
    #[arg(long, default_value_t = 5000)]
    pub grace: u64,
    /// The user to run it as, for servers that refuse to be run by root.
    #[arg(long, requires = "gid")]
    pub uid: Option<u32>,
    #[arg(long)]
    pub gid: Option<u32>,
    /// A folder to remove when the parent and the server have ended.
    #[arg(long)]
    pub remove: Option<PathBuf>,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

enum Event {
    /// The parent sends the server a signal.
    Signal(Signal),
    /// The parent has ended, or asks for the end.
    End,
    Exited(ExitStatus),
}

/// Runs the server to its end and returns its exit code, or 128 and the signal that killed it.
pub async fn run(supervision: Supervision) -> Result<u8> {
    // Handlers, not a mask: the server would inherit a mask.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    adopt_orphans();
    let server = start(&supervision)?;
    let (events, mut happened) = unbounded_channel();
    let waiting = events.clone();
    thread::spawn(move || reap(server, &waiting));
    thread::spawn(move || listen(&events));

    let (mut kill_at, mut for_good) = (None, false);
    let status = loop {
        tokio::select! {
            event = happened.recv() => match event.unwrap_or(Event::End) {
                Event::Signal(signal) => _ = kill(server, signal),
                Event::End => {
                    for_good = true;
                    kill_at = kill_at.or_else(|| Some(ask_to_end(server, &supervision)));
                }
                Event::Exited(status) => break status,
            },
            _ = terminate.recv() => kill_at = kill_at.or_else(|| Some(ask_to_end(server, &supervision))),
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
            () = until(kill_at) => {
                _ = kill(server, Signal::SIGKILL);
                kill_at = None;
            }
        }
    };
    end_the_rest(server).await;
    if let (true, Some(folder)) = (for_good, supervision.remove) {
        _ = fs::remove_dir_all(folder);
    }
    Ok(code(status))
}

/// The exit code of a process, or 128 plus the signal that killed it, as in shells.
pub(crate) fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(1)
}

fn start(supervision: &Supervision) -> Result<Pid> {
    let mut command = Command::new(&supervision.command[0]);
    command.args(&supervision.command[1..]).stdin(Stdio::null()).process_group(0);
    if let (Some(uid), Some(gid)) = (supervision.uid, supervision.gid) {
        command.uid(uid).gid(gid);
    }
    let child = command.spawn().with_context(|| format!("{} does not start", supervision.command[0]))?;
    Ok(pid(child.id()))
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed())
}

/// Asks the server to end; returns the time from which it is killed.
fn ask_to_end(server: Pid, supervision: &Supervision) -> Instant {
    _ = kill(server, supervision.stop);
    // A suspended process receives no signal until it is resumed.
    _ = kill(server, Signal::SIGCONT);
    Instant::now() + Duration::from_millis(supervision.grace)
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// Sends an event for each line on the pipe, and for its end.
fn listen(events: &UnboundedSender<Event>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if let Ok(signal) = line.trim().parse() {
            _ = events.send(Event::Signal(signal));
        }
    }
    _ = events.send(Event::End);
}

/// Reaps the server and every adopted process.
fn reap(server: Pid, events: &UnboundedSender<Event>) {
    loop {
        let (ended, status) = match waitpid(None, None) {
            Ok(WaitStatus::Exited(ended, code)) => (ended, code << 8),
            Ok(WaitStatus::Signaled(ended, signal, _)) => (ended, signal as i32),
            Ok(_) | Err(nix::Error::EINTR) => continue,
            Err(_) => return,
        };
        if ended == server {
            _ = events.send(Event::Exited(ExitStatus::from_raw(status)));
        }
    }
}

/// Makes this process, instead of init, the parent of orphans of the server.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    {
        _ = nix::sys::prctl::set_child_subreaper(true);
    }
}

/// Kills every remaining process of the server, and waits until all have ended.
async fn end_the_rest(server: Pid) {
    let all_gone = async {
        loop {
            _ = killpg(server, Signal::SIGKILL);
            let left = descendants();
            if left.is_empty() {
                break;
            }
            for process in left {
                _ = kill(process, Signal::SIGKILL);
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    _ = timeout(Duration::from_secs(5), all_gone).await;
}

/// All descendants of this process. On other systems than Linux only the server's process group is killed.
fn descendants() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let parents: Vec<(u32, u32)> =
        entries.filter_map(|entry| parent(entry.file_name().to_str()?.parse().ok()?)).collect();
    let mut found = vec![std::process::id()];
    let mut next = 0;
    while next < found.len() {
        let above = found[next];
        found.extend(parents.iter().filter(|(_, parent)| *parent == above).map(|(process, _)| process));
        next += 1;
    }
    found[1..].iter().map(|process| pid(*process)).collect()
}

/// A process with its parent.
fn parent(process: u32) -> Option<(u32, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may itself contain spaces and parentheses: the fields begin after the last one.
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    Some((process, parent))
}
