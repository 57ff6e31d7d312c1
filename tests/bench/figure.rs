//! What was measured: samples, figures, and the table that people and programs read.

use std::ops::Range;

use serde::Serialize;

/// Many measurements of one thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    pub(crate) fn p99(&self) -> Option<f64> {
        self.quantile(0.99)
    }

    pub(crate) fn lowest(&self) -> Option<f64> {
        self.quantile(0.0)
    }

    /// The nearest rank.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a rank among some thousands"
    )]
    fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// What a figure is to reach.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// The median stays below this.
    Below(f64),
    /// The median and the 99th of a hundred stay below these.
    BothBelow(f64, f64),
    /// At least this share of the floor.
    OfFloor(f64),
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) target: Option<Target>,
    /// The median: of all measurements, or for a rate of all runs.
    pub(crate) median: Option<f64>,
    /// The 99th of a hundred; for a rate the slowest run.
    pub(crate) p99: Option<f64>,
    pub(crate) samples: usize,
    pub(crate) floor: Option<f64>,
    /// For a rate measured / floor, else floor / measured: 1 means as fast as the floor.
    pub(crate) ratio: Option<f64>,
    pub(crate) met: Option<bool>,
    /// What the floor is, or why there is no measurement.
    pub(crate) note: String,
}

impl Figure {
    /// How long something takes, or how large it is: less is better.
    pub(crate) fn of(name: &'static str, unit: &'static str, samples: &Samples) -> Self {
        Self {
            name,
            unit,
            target: None,
            median: samples.median(),
            p99: samples.p99(),
            samples: samples.len(),
            floor: None,
            ratio: None,
            met: None,
            note: String::new(),
        }
    }

    /// How often something is done in a second, run by run, each beside its floor: more is better.
    pub(crate) fn rate(name: &'static str, runs: &[(f64, Option<f64>)]) -> Self {
        let measured: Samples = runs.iter().map(|(rate, _)| *rate).collect();
        let floors: Samples = runs.iter().filter_map(|(_, floor)| *floor).collect();
        // Run by run: what else the machine did meanwhile met both.
        let ratios: Samples = runs.iter().filter_map(|(rate, floor)| floor.map(|floor| rate / floor)).collect();
        let p99 = measured.lowest();
        Self { p99, floor: floors.median(), ratio: ratios.median(), ..Self::of(name, "/s", &measured) }
    }

    /// A figure that could not be had.
    pub(crate) fn missing(name: &'static str, unit: &'static str, why: impl Into<String>) -> Self {
        Self { note: why.into(), ..Self::of(name, unit, &Samples::default()) }
    }

    /// With the floor of something that takes time.
    pub(crate) fn above(mut self, floor: Option<f64>) -> Self {
        self.floor = floor;
        self.ratio = floor.zip(self.median).map(|(floor, median)| floor / median);
        self
    }

    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    pub(crate) fn reaching(mut self, target: Target) -> Self {
        self.target = Some(target);
        self.met = match target {
            Target::Below(most) => self.median.map(|median| median < most),
            Target::BothBelow(most, most_p99) => {
                self.median.zip(self.p99).map(|(median, p99)| median < most && p99 < most_p99)
            }
            Target::OfFloor(least) => self.ratio.map(|ratio| ratio >= least),
        };
        self
    }

    fn cells(&self) -> [String; 7] {
        let target = match self.target {
            None => String::new(),
            Some(Target::Below(most)) => format!("< {} {}", short(most), self.unit),
            Some(Target::BothBelow(most, p99)) => format!("< {}, {} {}", short(most), short(p99), self.unit),
            Some(Target::OfFloor(least)) => format!(">= {least} of floor"),
        };
        let with_unit =
            |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{} {}", short(v), self.unit));
        let met = match self.met {
            None => "",
            Some(true) => "met",
            Some(false) => "NOT MET",
        };
        [
            self.name.to_owned(),
            target,
            with_unit(self.median),
            with_unit(self.p99),
            self.floor.map_or_else(String::new, |floor| format!("{} {}", short(floor), self.unit)),
            self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            met.to_owned(),
        ]
    }
}

/// Three digits that matter.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Rows as lines whose columns stand below each other; those of `right` end below each other.
pub(crate) fn aligned<const N: usize>(rows: &[[String; N]], right: Range<usize>) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            if right.contains(&at) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The table for people.
pub(crate) fn table(figures: &[Figure]) -> String {
    let head = ["", "target", "median", "p99 / slowest run", "floor", "ratio", ""].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(figures.iter().map(Figure::cells)).collect();
    let mut text = aligned(&rows, 2..6);
    let notes = figures.iter().filter(|figure| !figure.note.is_empty());
    text.push(String::new());
    text.extend(notes.map(|figure| format!("{}: {}", figure.name, figure.note)));
    text.join("\n")
}
