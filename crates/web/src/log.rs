//! The request log: one line a request, JSON or text, written by a thread of its own so that no request waits for it.
//!
//! Lines gather in a buffer of bounded size. Where the output is slower than the requests for long, lines are left out
//! and counted, and the count is logged.

use std::{io::Write, sync::Arc, time::Duration};

use model::json;
use parking_lot::{Condvar, Mutex};

use crate::trace::Trace;

/// The most bytes that wait to be written.
const BUFFER: usize = 4 << 20;
/// How long a line may wait.
const DELAY: Duration = Duration::from_millis(50);

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// JSON, a line a request.
    #[default]
    Json,
    /// For people at a terminal.
    Text,
    /// None at all.
    Off,
}

/// What a line says.
pub(crate) struct Line<'a> {
    pub(crate) now: i64,
    pub(crate) request_id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    pub(crate) bytes: Option<usize>,
    pub(crate) duration: Duration,
    pub(crate) address: std::net::IpAddr,
    pub(crate) actor: Option<&'a str>,
    pub(crate) trace: Trace,
}

/// Where request lines go.
pub struct RequestLog {
    format: Format,
    shared: Arc<Shared>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    left_out: u64,
    ended: bool,
}

impl RequestLog {
    /// Writes lines of a format to an output; the thread ends with [`Self::close`].
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(format: Format, output: impl Write + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = match format {
            Format::Off => None,
            Format::Json | Format::Text => {
                Some(std::thread::Builder::new().name("request-log".to_owned()).spawn(move || run(&own, output))?)
            }
        };
        Ok(Self { format, shared, thread: Mutex::new(thread) })
    }

    pub(crate) fn add(&self, line: &Line<'_>) {
        if self.format == Format::Off {
            return;
        }
        let mut state = self.shared.state.lock();
        if state.lines.len() > BUFFER {
            state.left_out += 1;
            return;
        }
        match self.format {
            Format::Json => write_json(line, &mut state.lines),
            Format::Text => write_text(line, &mut state.lines),
            Format::Off => {}
        }
        let wake = state.lines.len() > BUFFER / 16;
        drop(state);
        if wake {
            self.shared.woken.notify_one();
        }
    }

    /// Writes what waits, and ends.
    pub fn close(&self) {
        self.shared.state.lock().ended = true;
        self.shared.woken.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the log's thread has been reported already.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, mut output: impl Write) {
    let mut taken = Vec::new();
    loop {
        let (left_out, ended) = {
            let mut state = shared.state.lock();
            if !state.ended {
                shared.woken.wait_for(&mut state, DELAY);
            }
            std::mem::swap(&mut taken, &mut state.lines);
            (std::mem::take(&mut state.left_out), state.ended)
        };
        // A closed output is no reason to stop serving.
        let _ = output.write_all(&taken);
        if left_out > 0 {
            tracing::warn!(left_out, "request lines were left out of the log: its output is too slow");
        }
        let _ = output.flush();
        taken.clear();
        if ended {
            return;
        }
    }
}

fn write_json(line: &Line<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"time\":");
    json::write_datetime(line.now, out);
    out.extend_from_slice(b",\"level\":\"info\",\"kind\":\"request\",\"request_id\":");
    json::write_string(line.request_id, out);
    out.extend_from_slice(b",\"method\":\"");
    out.extend_from_slice(line.method.as_bytes());
    out.extend_from_slice(b"\",\"path\":");
    json::write_string(line.path, out);
    out.extend_from_slice(b",\"status\":");
    json::write_integer(i64::from(line.status), out);
    if let Some(bytes) = line.bytes {
        out.extend_from_slice(b",\"bytes\":");
        json::write_integer(bytes as i64, out);
    }
    out.extend_from_slice(b",\"duration_us\":");
    json::write_integer(i64::try_from(line.duration.as_micros()).unwrap_or(i64::MAX), out);
    // Writing into a vector can't fail.
    let _ = write!(out, ",\"address\":\"{}\"", line.address);
    if let Some(actor) = line.actor {
        out.extend_from_slice(b",\"actor\":");
        json::write_string(actor, out);
    }
    let Trace { trace_id, span_id, .. } = line.trace;
    let _ = write!(out, ",\"trace_id\":\"{trace_id:032x}\",\"span_id\":\"{span_id:016x}\"");
    if let Some(parent) = line.trace.parent_id {
        let _ = write!(out, ",\"parent_id\":\"{parent:016x}\"");
    }
    out.extend_from_slice(b"}\n");
}

fn write_text(line: &Line<'_>, out: &mut Vec<u8>) {
    let millis = line.duration.as_secs_f64() * 1000.0;
    let _ = writeln!(out, "{:>3} {:<6} {} {millis:.2} ms", line.status, line.method, line.path.escape_debug());
}
