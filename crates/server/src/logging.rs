//! The program's own log: faults, starts and stops; requests have a log of their own in the same form.

use app::settings::{Log, LogFormat, LogLevel};
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

/// Sends what happens to standard error; the first call decides for the process.
pub fn start(log: Log, text: bool) {
    let level = LevelFilter::from_level(match log.level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    });
    // Not into a file, and not where NO_COLOR asks for none.
    let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(colours);
    // A second call, as in tests that start several servers, changes nothing.
    let _ = match (text, log.format) {
        (false, LogFormat::Json) => builder.json().flatten_event(true).with_current_span(false).try_init(),
        (true, _) | (_, LogFormat::Text) => builder.compact().with_target(false).without_time().try_init(),
    };
}
