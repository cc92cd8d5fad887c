//! The sandbox as a process of its own: what `fanfare sandbox` does.

use std::future::pending;
use std::io::{self, Read as _, Write as _};

use serde::Serialize;
use tokio::sync::oneshot;

use super::{Credentials, Sandbox, SandboxArgs, SandboxError};

/// The line that `--json` prints.
#[derive(Debug, Serialize)]
struct Announcement<'a> {
    apns_url: String,
    fcm_url: String,
    smtp_url: String,
    token_uri: String,
    control_url: String,
    #[serde(flatten)]
    credentials: &'a Credentials,
    /// [`Sandbox::config_toml`].
    config_toml: String,
}

/// Starts a sandbox, says where it is, and keeps it until Ctrl-C, SIGTERM, or
/// with `--parent-pipe` the end of standard input.
pub async fn run(args: &SandboxArgs) -> Result<(), SandboxError> {
    let sandbox = Sandbox::start(args.options()?).await?;
    let text = match args.json {
        true => announce_json(&sandbox)?,
        false => announce(&sandbox),
    };
    print(&text).map_err(SandboxError::Announce)?;
    tokio::select! {
        () = interrupted() => {}
        () = watch_parent(args.parent_pipe) => {}
    }
    sandbox.stop().await;
    Ok(())
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn announce(sandbox: &Sandbox) -> String {
    format!(
        "# APNs     {}\n# FCM      {}\n# SMTP     {}\n# control  {}\n\n{}",
        sandbox.apns_url(),
        sandbox.fcm_url(),
        sandbox.smtp_url(),
        sandbox.control_url(),
        sandbox.config_toml()
    )
}

pub(super) fn announce_json(sandbox: &Sandbox) -> Result<String, SandboxError> {
    let announcement = Announcement {
        apns_url: sandbox.apns_url(),
        fcm_url: sandbox.fcm_url(),
        smtp_url: sandbox.smtp_url(),
        token_uri: sandbox.token_uri(),
        control_url: sandbox.control_url(),
        credentials: sandbox.credentials(),
        config_toml: sandbox.config_toml(),
    };
    let line = serde_json::to_string(&announcement)
        .map_err(|error| SandboxError::Announce(error.into()))?;
    Ok(line + "\n")
}

async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        pending::<()>().await;
    }
}

/// Ends with standard input. A thread reads it, because a read that waits for
/// a pipe cannot be called off: a runtime would wait for it when it ends.
async fn watch_parent(is_wanted: bool) {
    if !is_wanted {
        return pending().await;
    }
    let (ended, end) = oneshot::channel();
    let spawned = std::thread::Builder::new().name("sandbox-stdin".to_owned()).spawn(move || {
        let mut buffer = [0; 1024];
        while matches!(io::stdin().read(&mut buffer), Ok(read) if read > 0) {}
        // The receiver is gone when the sandbox ended for another reason.
        let _ = ended.send(());
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "failed to watch standard input");
        return pending().await;
    }
    // An error means that the thread is gone, and standard input with it.
    let _ = end.await;
}
