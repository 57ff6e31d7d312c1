//! Everything at once: many events, while connections, the process that serves them, and Redis are killed at random.
//! A subscriber that reconnects with its last cursor gets every event once and in order.

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use harness::{Caller, Options, TestApp, superuser::Superuser, test_app::app, valkey::Valkey, websocket::Served};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::Value;
use shared::{
    events::stream::{
        Topic,
        cursor::{Cursor, CursorCipher},
        hub::serve::serve_connections,
    },
    identity::auth::Role,
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::live::{appending, options, session};

/// The variable with the addresses for the process.
const PLACES: &str = "IOC_TEST_LIVE";

const EVENTS: usize = 100_000;
const SESSIONS: usize = 12;
const WRITERS: usize = 3;

#[tokio::test]
#[ignore = "a process that another claim starts"]
async fn a_process_of_its_own() {
    #[expect(clippy::disallowed_methods, reason = "passes the addresses to the other process")]
    let Ok(places) = std::env::var(PLACES) else { return };
    let [database, redis, addr]: [&str; 3] = places.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let app = app(database, redis, options());
    let listener = TcpListener::bind(addr.parse::<SocketAddr>().unwrap()).await.unwrap();
    let api = functions::api(app.clone());
    tokio::join!(serve_connections(app.backend.hub().unwrap(), &app), async {
        axum::serve(listener, api).await.unwrap();
    });
}

fn start(world: &TestApp, redis: &str, addr: SocketAddr) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "faults::event_storm::a_process_of_its_own", "--ignored", "--nocapture"]);
    command.env(PLACES, format!("{} {redis} {addr}", world.database.url));
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

/// Somebody who watches a topic, and comes back whenever it is cut.
struct Watcher {
    topic: Topic,
    addr: SocketAddr,
    key: String,
    caller: Caller,
    cursors: CursorCipher,
    last: Option<Cursor>,
    /// The last number of each session.
    seqs: HashMap<String, i64>,
    got: usize,
    /// Whether it still loses its own connection now and then.
    stormy: Arc<AtomicBool>,
    resyncs: usize,
}

impl Watcher {
    fn new(world: &TestApp, topic: Topic, addr: SocketAddr, last: Cursor, stormy: Arc<AtomicBool>) -> Self {
        Self {
            topic,
            addr,
            key: world.tenant.key(Role::Viewer).to_owned(),
            caller: world.caller(Role::Viewer),
            cursors: world.app.cursors.clone(),
            last: Some(last),
            seqs: HashMap::new(),
            got: 0,
            stormy,
            resyncs: 0,
        }
    }

    /// Takes an event in: it must be the next of its session, and later than the last of the topic.
    fn take(&mut self, session: &str, seq: i64, cursor: &str) {
        let cursor = self.cursors.read_cursor(self.topic, cursor).expect("a cursor of the topic");
        assert!(self.last.is_none_or(|last| last < cursor), "{}: {cursor:?} after {:?}", self.topic, self.last);
        self.last = Some(cursor);
        let last = self.seqs.entry(session.to_owned()).or_insert(1);
        assert_eq!(seq, *last + 1, "{}: session {session}", self.topic);
        *last = seq;
        self.got += 1;
    }

    async fn read_log(&mut self) {
        loop {
            let after = self.last.map(|last| format!("&after={}", self.cursors.write_cursor(last))).unwrap_or_default();
            let path = format!("/api/v1/live/events?topic={}&limit=200{after}", self.topic);
            let page = self.caller.get(&path).await.expect(200);
            for item in page["items"].as_array().unwrap() {
                self.take(
                    item["session_id"].as_str().unwrap(),
                    item["seq"].as_i64().unwrap(),
                    item["cursor"].as_str().unwrap(),
                );
            }
            if page["next_cursor"].is_null() {
                return;
            }
        }
    }

    /// One connection, for as long as it holds.
    async fn watch(&mut self, until: usize, random: &mut SmallRng) {
        let after = self.last.map(|last| format!("?after={}", self.cursors.write_cursor(last))).unwrap_or_default();
        let mut request = format!("ws://{}{}{after}", self.addr, self.topic).into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", self.key).parse().unwrap());
        let Ok(Ok((mut stream, _))) = timeout(Duration::from_secs(5), connect_async(request)).await else { return };
        let lives = Instant::now() + Duration::from_millis(random.random_range(50..3000));
        while self.got < until && !(self.stormy.load(Ordering::Relaxed) && Instant::now() > lives) {
            let Ok(Some(Ok(message))) = timeout(Duration::from_secs(3), stream.next()).await else { return };
            let Message::Text(text) = message else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            match frame["type"].as_str().unwrap() {
                "session.log" => {
                    self.take(
                        frame["session_id"].as_str().unwrap(),
                        frame["seq"].as_i64().unwrap(),
                        frame["cursor"].as_str().unwrap(),
                    );
                }
                "resync" => {
                    self.resyncs += 1;
                    self.read_log().await;
                    return;
                }
                // The storm is over: how much there is to be got can be counted now.
                "heartbeat" if until == usize::MAX && !self.stormy.load(Ordering::Relaxed) => return,
                _ => {}
            }
        }
    }
}

/// Writes until all are written: each transaction to two sessions, of which one may be begun long before it ends.
async fn write(owner: Superuser, sessions: Vec<String>, written: Arc<AtomicUsize>, mut random: SmallRng) {
    loop {
        let count = random.random_range(20..300_usize);
        let begun = written.fetch_add(2 * count, Ordering::SeqCst);
        if begun >= EVENTS {
            return;
        }
        let count = count.min((EVENTS - begun) / 2);
        // Always in the same order, so that no two wait for each other.
        let (one, other) = (random.random_range(0..SESSIONS - 1), random.random_range(0..SESSIONS));
        let other = other.max(one + 1);
        let payload = "'{\"level\": \"info\", \"message\": \"One more.\"}'::jsonb";
        let pause = random.random_range(0..40);
        owner
            .run(&format!(
                "begin; select pg_current_xact_id(); select pg_sleep({pause} / 1000.0); {}; {}; commit",
                appending(&sessions[one], count, payload),
                appending(&sessions[other], count, payload)
            ))
            .await;
    }
}

/// Kills the process and Redis by turns, and starts them again.
async fn trouble(
    world: &TestApp,
    redis: &mut Valkey,
    addr: SocketAddr,
    mut process: Child,
    written: &AtomicUsize,
) -> Child {
    let mut random = SmallRng::seed_from_u64(7);
    let mut kills = 0;
    while written.load(Ordering::SeqCst) < EVENTS || kills < 6 {
        sleep(Duration::from_millis(random.random_range(300..1500))).await;
        kills += 1;
        if kills % 3 == 0 {
            redis.kill();
            sleep(Duration::from_millis(random.random_range(0..500))).await;
            redis.revive().await;
        } else {
            process.kill().await.unwrap();
            sleep(Duration::from_millis(random.random_range(0..200))).await;
            process = start(world, &redis.url(), addr);
        }
    }
    process
}

/// Watches until every event was received that is written by the end of the storm.
#[expect(clippy::disallowed_methods, reason = "each watcher continues while the others are disconnected")]
fn spawn_watcher(
    mut watcher: Watcher,
    written: Arc<AtomicUsize>,
    owner_url: String,
    seed: u64,
) -> tokio::task::JoinHandle<(Topic, usize, usize)> {
    tokio::spawn(async move {
        let mut random = SmallRng::seed_from_u64(seed);
        let owner = Superuser::of(&owner_url).await;
        let mut until = usize::MAX;
        while watcher.got < until {
            watcher.watch(until, &mut random).await;
            if !watcher.stormy.load(Ordering::Relaxed) && written.load(Ordering::SeqCst) >= EVENTS {
                until = all_of(&owner, watcher.topic).await;
            }
            sleep(Duration::from_millis(random.random_range(0..100))).await;
        }
        (watcher.topic, watcher.got, watcher.resyncs)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_get_every_event_once_and_in_order_through_a_storm() {
    let mut redis = Valkey::start(&[]).await;
    let world = TestApp::idle(Options { redis_url: Some(redis.url()), ..options() }).await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(session(&world).await);
    }
    let addr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let process = start(&world, &redis.url(), addr);
    let (written, stormy) = (Arc::<AtomicUsize>::default(), Arc::new(AtomicBool::new(true)));
    let after_the_first = cursor_now(&world).await;
    let topics = [Topic::Sessions, Topic::Sessions, Topic::Sessions]
        .into_iter()
        .chain(sessions[..3].iter().map(|id| Topic::Session(id.parse().unwrap())));
    let watching = topics.enumerate().map(|(n, topic)| {
        let last = if topic == Topic::Sessions { after_the_first } else { Cursor::Seq(1) };
        let watcher = Watcher::new(&world, topic, addr, last, stormy.clone());
        spawn_watcher(watcher, written.clone(), world.database.owner_url.clone(), n as u64)
    });
    let watching: Vec<_> = watching.collect();
    let writing = (0..WRITERS).map(|n| {
        let (sessions, written, url) = (sessions.clone(), written.clone(), world.database.owner_url.clone());
        async move { write(Superuser::of(&url).await, sessions, written, SmallRng::seed_from_u64(100 + n as u64)).await }
    });
    let writing = futures_util::future::join_all(writing);
    let (_, _process) = tokio::join!(writing, trouble(&world, &mut redis, addr, process, &written));
    stormy.store(false, Ordering::Relaxed);
    let owner = world.superuser().await;
    let all = usize::try_from(owner.number("select count(*) from session_events where seq > 1").await).unwrap();
    assert!(all > EVENTS - 1000, "{all} were written");
    for watcher in watching {
        let (topic, got, resyncs) = timeout(Duration::from_mins(2), watcher).await.expect("all arrive").unwrap();
        println!("{topic}: {got} events, {resyncs} resyncs");
        assert_eq!(got, all_of(&owner, topic).await, "{topic}");
    }
}

/// Where the topic of all sessions stands.
async fn cursor_now(world: &TestApp) -> Cursor {
    let served = Served::of(world).await;
    let mut socket = served.open(world, "/ws/sessions").await;
    let confirmed = socket.until("subscription.confirmed").await;
    world.app.cursors.read_cursor(Topic::Sessions, confirmed["cursor"].as_str().unwrap()).unwrap()
}

async fn all_of(owner: &Superuser, topic: Topic) -> usize {
    let narrowed = match topic {
        Topic::Session(id) => format!("and session_id = '{id}'"),
        _ => String::new(),
    };
    let count = owner.number(&format!("select count(*) from session_events where seq > 1 {narrowed}")).await;
    usize::try_from(count).unwrap()
}
