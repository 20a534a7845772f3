//! Lets connections in: so many at a time, and where there are more, in the place of one that does nothing.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use web::Manners;

use crate::connection::{self, Refusals, Wire};

/// How many may wait for a place, and for how long.
const WAITING: usize = 256;
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a client that found no place may take to read so.
const LINGERING: Duration = Duration::from_millis(500);
/// How many are looked at to find one that has done nothing for long.
const LOOKED_AT: usize = 64;
/// How many are looked at where hardly one is idle.
const MOST_LOOKED_AT: usize = 4096;
/// How long nothing is accepted after that has failed.
const PAUSE: Duration = Duration::from_millis(50);

/// Who lets connections in.
pub(crate) struct Lobby {
    manners: Arc<Manners>,
    refusals: Refusals,
    connections: TaskTracker,
    stop: CancellationToken,
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    open: Open,
    epoch: Instant,
}

impl Lobby {
    pub(crate) fn new(manners: Arc<Manners>, connections: TaskTracker, stop: CancellationToken, most: usize) -> Self {
        let own = Arc::clone(&manners);
        Self {
            manners,
            refusals: Arc::new(move |address, status| own.refuse(address, status)),
            connections,
            stop,
            places: Arc::new(Semaphore::new(most)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            open: Open::default(),
            epoch: Instant::now(),
        }
    }

    /// Lets in whoever comes, until the server stops.
    pub(crate) async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.receive(stream, peer),
                Err(error) => self.failed(&error).await,
            }
        }
    }

    /// Out of descriptors, most likely: some are taken back, and the next try waits for them.
    async fn failed(&self, error: &io::Error) {
        tracing::warn!(error = %error, "a connection could not be accepted");
        self.open.close_idle();
        tokio::time::sleep(PAUSE).await;
    }

    fn receive(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            let lobby = Arc::clone(self);
            self.connections.spawn(async move { lobby.serve(stream, peer, place).await });
            return;
        }
        self.open.close_idle();
        // With this many waiting, more would only wait in vain.
        let Ok(waiting) = Arc::clone(&self.waiting).try_acquire_owned() else { return };
        let lobby = Arc::clone(self);
        self.connections.spawn(async move {
            let place = Arc::clone(&lobby.places).acquire_owned();
            match tokio::time::timeout(PATIENCE, place).await {
                Ok(Ok(place)) => {
                    drop(waiting);
                    lobby.serve(stream, peer, place).await;
                }
                _ => lobby.turn_away(stream, peer).await,
            }
        });
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let wire = Wire::new(self.epoch);
        let listed = self.open.add(&wire);
        let (manners, refusals) = (Arc::clone(&self.manners), Arc::clone(&self.refusals));
        let held = Box::new((listed, place));
        connection::serve(stream, peer, manners, refusals, wire, held, self.stop.clone()).await;
    }

    /// 503, in one piece and without waiting for the request.
    async fn turn_away(&self, mut stream: TcpStream, peer: SocketAddr) {
        let answer = (self.refusals)(peer.ip(), 503);
        let talk = async {
            stream.write_all(&answer).await?;
            stream.shutdown().await?;
            // A socket that is closed over unread bytes takes the answer back.
            let mut space = [0; 4096];
            while stream.read(&mut space).await? > 0 {}
            io::Result::Ok(())
        };
        // Whoever does not want to hear it need not.
        let _ = tokio::time::timeout(LINGERING, talk).await;
    }
}

/// The connections that are open.
#[derive(Default, Clone)]
struct Open(Arc<Mutex<Vec<Arc<Wire>>>>);

/// A connection among those that are open.
struct Listed {
    open: Open,
    wire: Arc<Wire>,
}

impl Open {
    fn add(&self, wire: &Arc<Wire>) -> Listed {
        let mut open = self.0.lock();
        wire.slot.store(open.len(), Ordering::Relaxed);
        open.push(Arc::clone(wire));
        Listed { open: self.clone(), wire: Arc::clone(wire) }
    }

    /// Ends the connection that has done nothing for longest, of some that are looked at.
    fn close_idle(&self) {
        let open = self.0.lock();
        let start: usize = rand::random_range(0..open.len().max(1));
        let some = open.iter().cycle().skip(start).take(open.len().min(MOST_LOOKED_AT));
        let some = some.filter(|wire| !wire.is_ending());
        let idle = some.filter_map(|wire| Some((wire.idle_since()?, wire))).take(LOOKED_AT);
        if let Some((_, longest)) = idle.min_by_key(|(since, _)| *since) {
            longest.close();
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut open = self.open.0.lock();
        let slot = self.wire.slot.load(Ordering::Relaxed);
        if slot < open.len() {
            open.swap_remove(slot);
        }
        if let Some(moved) = open.get(slot) {
            moved.slot.store(slot, Ordering::Relaxed);
        }
    }
}
