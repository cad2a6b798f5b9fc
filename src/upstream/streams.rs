//! A worker's HTTP/2 connections: few, shared by all exchanges, and replaced when the upstream says goodbye.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::connect::Connector;
use super::error::ForwardError;
use super::multiplexed::{Multiplexed, Place};
use super::queue::Queue;
use crate::observe::exchange::Observer;

/// How often connections that nobody uses are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// The connections, oldest first.
#[derive(Debug)]
pub struct Streams {
    connections: RefCell<Vec<Rc<Multiplexed>>>,
    /// Those on which no exchange begins any more, but some are under way.
    leaving: RefCell<Vec<Weak<Multiplexed>>>,
    /// Held while a connection is made, so that a burst makes one and not one for each request.
    making: Mutex<()>,
    queue: Rc<Queue>,
    connector: Connector,
}

/// What there is for an exchange.
enum Room {
    Place(Place),
    /// For another connection.
    Connection,
}

impl Streams {
    /// None yet, and the task that ends what nobody has used for `upstream.idle_timeout`.
    #[must_use]
    pub fn new(connector: Connector, observer: Arc<Observer>) -> Rc<Self> {
        let config = &connector.config;
        let streams = Rc::new(Self {
            connections: RefCell::default(),
            leaving: RefCell::default(),
            making: Mutex::default(),
            queue: Rc::new(Queue::new(config.queue, config.queue_timeout, observer)),
            connector,
        });
        tokio::task::spawn_local(sweep(Rc::downgrade(&streams)));
        streams
    }

    /// A place on a connection, on a new one if need be. Waits for its turn if all are full and no more may be made.
    ///
    /// # Errors
    /// Those of [`Queue::take`] and [`Connector::http2`].
    pub async fn place(&self) -> Result<Place, ForwardError> {
        loop {
            match self.queue.take(|| self.room()).await? {
                Room::Place(place) => return Ok(place),
                Room::Connection => {}
            }
            let limit = self.connector.config.connect_timeout;
            let Ok(_making) = tokio::time::timeout(limit, self.making.lock()).await else {
                return Err(ForwardError::ConnectTimeout(limit));
            };
            // Whoever was first may have made one.
            match self.room() {
                Some(Room::Place(place)) => return Ok(place),
                None => {}
                Some(Room::Connection) => {
                    let connection = self.connector.http2(&self.queue).await?;
                    let connection = Rc::new(connection);
                    let place = connection.place();
                    self.connections.borrow_mut().push(connection);
                    // There is room for others now.
                    self.queue.freed();
                    return Ok(place);
                }
            }
        }
    }

    /// On the oldest connection that has a place: what is left over when a burst has gone is idle, and ends.
    fn room(&self) -> Option<Room> {
        let connections = self.connections.borrow();
        if let Some(with_room) = connections.iter().find(|connection| connection.has_room()) {
            return Some(Room::Place(with_room.place()));
        }
        drop(connections);
        self.sort_out();
        let all = self.connections.borrow().len() + self.leaving.borrow().len();
        (all < self.connector.config.max_connections).then_some(Room::Connection)
    }

    /// Forgets the connections on which no exchange can begin. They end with their last exchange.
    fn sort_out(&self) {
        let mut leaving = self.leaving.borrow_mut();
        self.connections.borrow_mut().retain(|connection| {
            if connection.is_open() && !connection.has_lived() {
                return true;
            }
            leaving.push(Rc::downgrade(connection));
            false
        });
        leaving.retain(|connection| connection.strong_count() > 0);
    }

    fn drop_old(&self) {
        self.sort_out();
        let limit = self.connector.config.idle_timeout;
        self.connections
            .borrow_mut()
            .retain(|connection| connection.idle_for().is_none_or(|idle| idle < limit));
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
