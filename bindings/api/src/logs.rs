//! What the engine logs, for the log of the host: off until a host asks for it.
//!
//! The engine logs through `tracing`, and so may other code of the process; only the engine's own
//! events pass here. They hold no key, passphrase or application data.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::guard;
use crate::stream::{Source, Stream};
use crate::types::{LogEvent, LogLevel, LogLine};

/// Lines that wait for the reader of one log; more are dropped and counted.
const LINES_MAX: usize = 1024;

/// Where the names of the engine's modules begin.
const OWN: &str = "tidelog";

/// What the engine logs from now on, down to a level.
///
/// # Errors
///
/// [`AlreadyExists`](ErrorKind::AlreadyExists) if other code of this process took over `tracing`.
pub fn logs(level: LogLevel) -> Result<Stream<LogEvent>> {
    guard(|| {
        install()?;
        let (lines, waiting) = mpsc::channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let reader = Reader { level: level.into(), lines, lost: Arc::clone(&lost) };
        let mut readers = HUB.lock();
        readers.push(reader);
        HUB.adjust(&readers);
        Ok(Stream::new(Lines { waiting, lost }))
    })
}

fn install() -> Result<()> {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*installed {
        tracing::subscriber::set_global_default(Forward).map_err(|_| {
            Error::new(ErrorKind::AlreadyExists, "this process handles its log lines otherwise")
        })?;
        *installed = true;
    }
    Ok(())
}

static INSTALLED: Mutex<bool> = Mutex::new(false);
static HUB: Hub = Hub { readers: Mutex::new(Vec::new()), most: AtomicUsize::new(0) };

/// Everybody who reads, and how much the most curious of them wants.
struct Hub {
    readers: Mutex<Vec<Reader>>,
    /// 0 for nothing, 1 for errors, up to 5 for traces.
    most: AtomicUsize,
}

struct Reader {
    level: Level,
    lines: mpsc::Sender<LogLine>,
    lost: Arc<AtomicU64>,
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn adjust(&self, readers: &[Reader]) {
        self.most
            .store(readers.iter().map(|reader| rank(reader.level)).max().unwrap_or(0), Ordering::Relaxed);
    }

    fn tell(&self, level: Level, line: &LogLine) {
        let mut readers = self.lock();
        readers.retain(|reader| {
            if level > reader.level {
                return !reader.lines.is_closed();
            }
            match reader.lines.try_send(line.clone()) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    reader.lost.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            }
        });
        self.adjust(&readers);
    }
}

const fn rank(level: Level) -> usize {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// Hands the engine's events to the hub. Spans have no meaning here.
struct Forward;

impl Subscriber for Forward {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() && metadata.target().starts_with(OWN) {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with(OWN)
            && rank(*metadata.level()) <= HUB.most.load(Ordering::Relaxed)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let metadata = event.metadata();
        let mut text = Text::default();
        event.record(&mut text);
        let line = LogLine {
            level: (*metadata.level()).into(),
            target: metadata.target().to_owned(),
            text: text.message + &text.fields,
        };
        HUB.tell(*metadata.level(), &line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message of an event, and its fields as ` name=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        written.expect("a string takes any text");
    }
}

struct Lines {
    waiting: mpsc::Receiver<LogLine>,
    lost: Arc<AtomicU64>,
}

impl Source for Lines {
    type Event = LogEvent;

    async fn next(&mut self) -> Result<Option<LogEvent>> {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            return Ok(Some(LogEvent::Lagged(lost)));
        }
        Ok(self.waiting.recv().await.map(LogEvent::Line))
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warn,
            Level::INFO => Self::Info,
            Level::DEBUG => Self::Debug,
            Level::TRACE => Self::Trace,
        }
    }
}
