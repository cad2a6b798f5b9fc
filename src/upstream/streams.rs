//! A worker's HTTP/2 connections: few, shared by all exchanges, and replaced when the upstream says goodbye.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::connect::Connector;
use super::error::ForwardError;
use super::multiplexed::{Multiplexed, Place};
use crate::observe::exchange::Observer;

/// How often connections that nobody uses are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// The connections, oldest first.
#[derive(Debug)]
pub struct Streams {
    connections: RefCell<Vec<Rc<Multiplexed>>>,
    /// Held while a connection is made, so that a burst makes one and not one for each request.
    making: Mutex<()>,
    connector: Connector,
    observer: Arc<Observer>,
}

impl Streams {
    /// None yet, and the task that ends what nobody has used for `upstream.idle_timeout`.
    #[must_use]
    pub fn new(connector: Connector, observer: Arc<Observer>) -> Rc<Self> {
        let streams = Rc::new(Self {
            connections: RefCell::default(),
            making: Mutex::default(),
            connector,
            observer,
        });
        tokio::task::spawn_local(sweep(Rc::downgrade(&streams)));
        streams
    }

    /// A place on a connection, on a new one if need be.
    ///
    /// # Errors
    /// Those of [`Connector::http2`].
    pub async fn place(&self) -> Result<Place, ForwardError> {
        if let Some(place) = self.free_place() {
            return Ok(place);
        }
        let limit = self.connector.config.connect_timeout;
        let Ok(_making) = tokio::time::timeout(limit, self.making.lock()).await else {
            return Err(ForwardError::ConnectTimeout(limit));
        };
        // Whoever was first may have made one.
        if let Some(place) = self.free_place() {
            return Ok(place);
        }
        let began = Instant::now();
        let connection = Rc::new(self.connector.http2().await?);
        self.observer.metrics.upstream.connected(began.elapsed());
        let place = connection.place();
        self.connections.borrow_mut().push(connection);
        Ok(place)
    }

    /// On the oldest connection that has one: what is left over when a burst has gone is idle, and ends.
    fn free_place(&self) -> Option<Place> {
        let connections = self.connections.borrow();
        let with_room = connections
            .iter()
            .find(|connection| connection.has_room())?;
        Some(with_room.place())
    }

    fn drop_old(&self) {
        let limit = self.connector.config.idle_timeout;
        self.connections.borrow_mut().retain(|connection| {
            let is_old = connection.idle_for().is_some_and(|idle| idle >= limit);
            connection.is_open() && !is_old
        });
    }
}

async fn sweep(streams: Weak<Streams>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(streams) = streams.upgrade() else {
            return;
        };
        streams.drop_old();
    }
}
