//! The machine in general words: what the figures depend on, and nothing that tells whose it is.

use serde::Serialize;
use shared::platform::postgres::migrations;

/// Where the figures were measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    processors: usize,
    memory_gib: u64,
    system: String,
    /// Work that waited for a processor before we began, beside ours: above 0 means noise.
    load_before: String,
    postgres: String,
    /// What makes its commits cheaper than a real one's.
    postgres_settings: String,
    redis: String,
    rust: &'static str,
}

impl Machine {
    pub(crate) async fn describe() -> anyhow::Result<Self> {
        let client = migrations::connect_owner(&harness::postgres_url()).await?;
        let row = client
            .query_one(
                "select version() as version, string_agg(name || '=' || setting, ', ' order by name) as settings
                 from pg_settings where name in ('fsync', 'synchronous_commit', 'shared_buffers', 'full_page_writes')",
                &[],
            )
            .await?;
        let version: String = row.get("version");
        let cpu = read("/proc/cpuinfo");
        let processor = field(&cpu, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kib: u64 = memory.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or_default();
        let load = read("/proc/loadavg").split_whitespace().next().unwrap_or("unknown").to_owned();
        Ok(Self {
            processor,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: kib >> 20,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            load_before: load,
            postgres: version.split(" on ").next().unwrap_or(&version).to_owned(),
            postgres_settings: row.get("settings"),
            redis: redis_version().await?,
            rust: if cfg!(debug_assertions) { "debug build: the figures mean nothing" } else { "release build" },
        })
    }

    pub(crate) fn text(&self) -> String {
        format!(
            "{} x {}, {} GiB, {}, load before {}\n{} ({}), {}, {}",
            self.processors,
            self.processor,
            self.memory_gib,
            self.system,
            self.load_before,
            self.postgres,
            self.postgres_settings,
            self.redis,
            self.rust
        )
    }
}

async fn redis_version() -> anyhow::Result<String> {
    let info = crate::resp::Connection::open(&harness::redis_url()).await?.call(&["INFO", "server"]).await?;
    let known = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let valkey = known("valkey_version:").map(|version| format!("Valkey {version}"));
    Ok(valkey.or_else(|| known("redis_version:").map(|version| format!("Redis {version}"))).unwrap_or_default())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}
