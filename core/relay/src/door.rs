//! Where connections come in: bounded in number, and in time and bytes until they are trusted.
//!
//! The limits hold from the first byte, before any HTTP is parsed, so that whoever connects and
//! dribbles is gone after the handshake time. A plain HTTP request must be over by then too.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::config::{HANDSHAKE_TIME, UNAUTHENTICATED_BYTES_MAX};
use crate::metrics::Metrics;

/// Pause after the operating system refuses a connection, for instance for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A listener that guards what it accepts.
pub(crate) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, connections_max: usize, metrics: Arc<Metrics>) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(connections_max)), metrics }
    }
}

impl Listener for Door {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // A live push is one small message; it must not wait for an acknowledgement by TCP.
            let _ = stream.set_nodelay(true);
            match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => return (Guarded::new(stream, place), address),
                Err(_) => self.metrics.connections_refused_total.add(1),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Lifts the limits of a connection once somebody is at the other end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust(Arc<AtomicBool>);

impl Trust {
    /// From now on the connection may live and speak.
    pub(crate) fn grant(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_granted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a request handler knows of its connection.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    pub(crate) trust: Trust,
}

impl Connected<IncomingStream<'_, Door>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self { address: *stream.remote_addr(), trust: stream.io().trust.clone() }
    }
}

/// A TCP stream that fails when it takes too long or brings too much before it is trusted.
pub(crate) struct Guarded {
    stream: TcpStream,
    trust: Trust,
    deadline: Pin<Box<Sleep>>,
    received: usize,
    _place: OwnedSemaphorePermit,
}

impl Guarded {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Self {
        let deadline = Box::pin(sleep(HANDSHAKE_TIME));
        Self { stream, trust: Trust::default(), deadline, received: 0, _place: place }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.trust.is_granted() {
            return Ok(());
        }
        if self.deadline.as_mut().poll(context).is_ready() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "handshake takes too long"));
        }
        if self.received > UNAUTHENTICATED_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "handshake is too long"));
        }
        Ok(())
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.received = self.received.saturating_add(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
