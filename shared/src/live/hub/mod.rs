//! The connections of this process: what the local host serves itself.
//!
//! Who watches the same topic and has been told the same is served from one reading and one text, however many they are. Each
//! has a mailbox; one that is full is passed over, and read for again once there is room.

mod keeper;
pub mod mailbox;
mod neighbours;
mod pump;
mod room;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, task::JoinSet};
use uuid::Uuid;

use crate::{
    app::App,
    error::{Code, Error, Result},
    id::{RequestId, TenantId},
};

use self::{mailbox::Mailbox, room::Room};
use super::{
    bell::News,
    connection::Connection,
    service::{Heard, hear},
};

/// How many connections this process holds for one tenant.
pub const MOST_PER_TENANT: usize = 5_000;

/// All connections of this process. Clones are the same hub.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    /// Tells bells of our own from those of other processes.
    id: Uuid,
    rooms: Mutex<HashMap<TenantId, Arc<Room>>>,
    opened: Notify,
    /// Bells that other processes are to hear.
    outgoing: Mutex<BTreeSet<News>>,
    rung: Notify,
}

impl Default for Hub {
    fn default() -> Self {
        Self(Arc::new(Inner {
            id: RequestId::new().0,
            rooms: Mutex::default(),
            opened: Notify::new(),
            outgoing: Mutex::default(),
            rung: Notify::new(),
        }))
    }
}

/// A connection's place in the hub; given up when it is dropped.
pub struct Seat {
    hub: Hub,
    room: Arc<Room>,
    id: String,
    pub mailbox: Arc<Mailbox>,
}

impl Hub {
    /// Takes a connection in.
    pub fn enter(&self, connection: Connection) -> Result<Seat> {
        let (id, tenant_id) = (connection.id.clone(), connection.who.tenant_id);
        let mailbox = Arc::<Mailbox>::default();
        let mut rooms = self.rooms();
        let room = rooms.entry(tenant_id).or_insert_with(|| Arc::new(Room::new(tenant_id)));
        if room.len() >= MOST_PER_TENANT {
            return Err(Error::new(Code::QuotaExceeded, "The tenant has too many connections already."));
        }
        room.enter(connection, mailbox.clone());
        let room = room.clone();
        drop(rooms);
        self.0.opened.notify_one();
        Ok(Seat { hub: self.clone(), room, id, mailbox })
    }

    /// Says that a tenant has news; other processes are told too.
    pub fn ring(&self, news: News) {
        self.ring_here(news);
        let mut outgoing = self.0.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody fetches them while nothing is served here; a bell that is lost costs a second.
        if outgoing.len() < 10_000 {
            outgoing.insert(news);
        }
        drop(outgoing);
        self.0.rung.notify_one();
    }

    fn ring_here(&self, news: News) {
        if let Some(room) = self.rooms().get(&news.tenant_id) {
            room.ring(news);
        }
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.rooms().values().map(|room| room.len()).sum()
    }

    /// Ends all connections, so that they come again to another process.
    pub fn close(&self) {
        for room in self.rooms().values() {
            room.each(|seat| seat.mailbox.cut(mailbox::Cut::ComeAgain));
        }
    }

    /// Serves the connections of this process. Never ends by itself.
    pub async fn run(&self, app: &App) {
        let pumps = async {
            let mut running = JoinSet::new();
            loop {
                self.0.opened.notified().await;
                while running.try_join_next().is_some() {}
                for room in self.rooms().values().filter(|room| room.begin()) {
                    let (hub, app, room) = (self.clone(), app.clone(), room.clone());
                    running.spawn(async move { pump::run(&hub, &app, &room).await });
                }
            }
        };
        tokio::join!(pumps, keeper::run(self, app), neighbours::tell(self, app), neighbours::listen(self, app));
    }

    fn all(&self) -> Vec<Arc<Room>> {
        self.rooms().values().cloned().collect()
    }

    /// Closes a room that nobody is in.
    fn leave_empty(&self, room: &Room) -> bool {
        let mut rooms = self.rooms();
        let empty = room.len() == 0;
        if empty {
            rooms.remove(&room.tenant_id);
        }
        empty
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Room>>> {
        self.0.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Hears what the client says; what it is answered goes into its mailbox.
    pub async fn hear(&self, app: &App, text: &str) {
        self.alive();
        let Some(connection) = self.room.connection(&self.id) else { return };
        match hear(app, &connection, text).await {
            Heard::Subscribed { topic, subscription, frame } => {
                self.room.subscribe(&self.id, topic, subscription, frame);
            }
            Heard::Unsubscribed { topic, frame } | Heard::Resync { topic, frame } => {
                self.room.unsubscribe(&self.id, topic, frame);
            }
            Heard::Pong => {}
            Heard::Refused(frame) => self.mailbox.say(frame),
        }
    }

    /// Notes that the client has said something.
    pub fn alive(&self) {
        self.room.alive(&self.id);
    }

    /// Something was written: whoever was passed over for want of room is looked at again.
    pub fn drained(&self) {
        self.room.drained(&self.id);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.leave(&self.id);
        self.hub.0.opened.notify_one();
    }
}
