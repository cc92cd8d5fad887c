//! Sets up the log: text or JSON lines on standard error, filtered by level and part.
//!
//! `main` calls it once, after the settings are read. What is logged is decided where it happens;
//! tokens, payloads and credentials never are.

use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::settings::{LogFormat, LogSettings};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level reads as none.
    #[error("failed to read log.level")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// Somebody else set a subscriber before.
    #[error("failed to install the log")]
    Installed(#[from] tracing_subscriber::util::TryInitError),
}

/// Installs the log for the whole process.
pub fn install(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter: Targets = settings.level.parse()?;
    // h2 logs frames below this, and the paths in them hold device tokens.
    let filter =
        filter.with_target("h2", LevelFilter::INFO).with_target("rustls", LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match settings.format {
        LogFormat::Text => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(colour).with_filter(filter).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    tracing_subscriber::registry().with(layer).try_init()?;
    Ok(())
}
