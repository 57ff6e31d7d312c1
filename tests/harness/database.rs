//! A database for each test, copied from a migrated one in some tens of milliseconds, and dropped with the test.

use std::sync::LazyLock;

use shared::{kernel::id::TenantId, platform::postgres::migrations};
use tokio::sync::{OnceCell, mpsc, oneshot};

/// Where the application's role logs in; the cluster is private to the tests.
const PASSWORD: &str = "ioc";

static TEMPLATE: OnceCell<String> = OnceCell::const_new();

/// Creates databases, and removes them: two connections, because a removal may have to wait.
static CREATIONS: LazyLock<OwnerConnection> = LazyLock::new(OwnerConnection::start);
static REMOVALS: LazyLock<OwnerConnection> = LazyLock::new(OwnerConnection::start);

type Batch = (Vec<String>, oneshot::Sender<Result<(), tokio_postgres::Error>>);

/// A connection of the owner that outlives the tests' runtimes, on a thread of its own. It executes batches in turn.
struct OwnerConnection(mpsc::UnboundedSender<Batch>);

impl OwnerConnection {
    fn start() -> Self {
        let (sender, mut batches) = mpsc::unbounded_channel::<Batch>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let client = migrations::connect_owner(&crate::postgres_url()).await.expect("Postgres answers");
                while let Some((statements, done)) = batches.recv().await {
                    let mut outcome = Ok(());
                    for statement in statements {
                        let executed = client.batch_execute(&statement).await;
                        outcome = outcome.and(executed);
                    }
                    let _ = done.send(outcome);
                }
            });
        });
        Self(sender)
    }

    /// Executes statements one by one, also after one of them failed. Sends them at once, without being awaited.
    fn execute(&self, statements: Vec<String>) -> impl Future<Output = Result<(), tokio_postgres::Error>> + use<> {
        let (done, outcome) = oneshot::channel();
        self.0.send((statements, done)).expect("the connection's thread runs");
        async { outcome.await.expect("the connection's thread runs") }
    }
}

/// A migrated database that nobody else uses.
pub struct Database {
    /// As the role of the application.
    pub url: String,
    /// As its owner.
    pub owner_url: String,
    /// The database to drop after the test; none on a server that ends with the test.
    name: Option<String>,
}

impl Database {
    pub async fn new() -> Self {
        let admin = crate::postgres_url();
        let template = TEMPLATE.get_or_init(|| template(&admin)).await;
        let name = format!("ioc_test_{}", TenantId::new().0.simple());
        // A copy needs the template to itself for a moment: several at once take turns, also those of other processes.
        let copy = format!("create database {name} template {template} strategy file_copy");
        let statements = ["select pg_advisory_lock(1)", &copy, "select pg_advisory_unlock(1)"];
        CREATIONS.execute(statements.map(str::to_owned).to_vec()).await.expect("a database");
        Self { url: login(&admin, &name), owner_url: with_name(&admin, &name), name: Some(name) }
    }

    /// A database of a server that the test has to itself.
    pub async fn on_server(owner_url: &str) -> Self {
        migrations::migrate(owner_url, Some(PASSWORD)).await.expect("migrations run");
        let name = owner_url.rsplit_once('/').map_or(owner_url, |(_, name)| name);
        Self { url: login(owner_url, name), owner_url: owner_url.to_owned(), name: None }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        // Nobody waits for it: Postgres waits with a drop for whoever is just logging in, and that may be a connection
        // of this very test, which goes on or ends only when its runtime does. What the end of the process cuts short
        // goes with the private server.
        drop(REMOVALS.execute(vec![format!("drop database if exists {name} with (force)")]));
    }
}

/// The migrated database that others are copied from; made once per state of the migrations.
async fn template(admin: &str) -> String {
    let name = format!("ioc_template_{}", migrations::migrations_fingerprint());
    let client = migrations::connect_owner(admin).await.expect("Postgres answers");
    client.execute("select pg_advisory_lock(2)", &[]).await.expect("a lock");
    let ready = format!("{name}_ready");
    let known = client.query("select 1 from pg_database where datname = $1", &[&ready]).await.expect("a list");
    if known.is_empty() {
        client.batch_execute(&format!("drop database if exists {name} with (force)")).await.expect("a clean start");
        client.batch_execute(&format!("create database {name}")).await.expect("a template");
        migrations::migrate(&with_name(admin, &name), Some(PASSWORD)).await.expect("migrations run");
        client.batch_execute(&format!("alter database {name} rename to {ready}")).await.expect("a template");
    }
    client.execute("select pg_advisory_unlock(2)", &[]).await.expect("a lock");
    ready
}

/// The URL of another database on the same server.
pub fn with_name(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let server = base.rsplit_once('/').map_or(base, |(server, _)| if server.ends_with('/') { base } else { server });
    query.map_or_else(|| format!("{server}/{name}"), |query| format!("{server}/{name}?{query}"))
}

fn login(url: &str, name: &str) -> String {
    let url = with_name(url, name);
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://ioc_app:{PASSWORD}@{place}")
}
