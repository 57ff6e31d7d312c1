//! Which file uses which, within one crate: each path that the code names is followed, through imports and re-exports,
//! to the file that defines the item. A `mod.rs` that only declares or re-exports its children does not use them.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};

use super::sources::{Item, ItemKind, NamedPath, SOURCES, Source};

/// One use of an item that another file defines.
#[derive(Clone, Debug)]
pub(super) struct Use {
    pub from: &'static str,
    pub line: usize,
    /// The file that defines it.
    pub to: &'static str,
    pub name: String,
}

/// The modules of a crate and the uses between its files.
pub(super) struct Crate {
    /// The folder, such as `shared/src`.
    folder: &'static str,
    modules: BTreeMap<Vec<String>, Module>,
    pub uses: Vec<Use>,
    /// Paths to other crates and whatever else could not be resolved, for rules that forbid those.
    pub foreign: Vec<Foreign>,
}

/// A path whose first segment is no module and no item of this crate.
pub(super) struct Foreign {
    pub from: &'static str,
    pub line: usize,
    pub path: Vec<String>,
}

#[derive(Default)]
struct Module {
    file: &'static str,
    items: BTreeMap<&'static str, &'static str>,
    imports: BTreeMap<&'static str, &'static [String]>,
    globs: Vec<&'static [String]>,
}

enum Target {
    Module(Vec<String>),
    Item { file: &'static str, name: String },
}

/// `a/b.rs` and `a/b/mod.rs` are the module `a::b`.
fn module_of(path: &str, folder: &str) -> Vec<String> {
    let inner = path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/').trim_end_matches(".rs");
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    inner.split('/').filter(|part| *part != "lib").map(str::to_owned).collect()
}

fn with(module: &[String], more: &[String]) -> Vec<String> {
    [module, more].concat()
}

impl Crate {
    /// The crate in a folder, without its binaries.
    pub(super) fn read(folder: &'static str) -> Self {
        let binaries = format!("{folder}/bin/");
        let is_ours = |source: &&Source| {
            source.path.starts_with(folder) && !source.path.starts_with(&binaries) && !source.is_of_tests()
        };
        let sources: Vec<_> = SOURCES.iter().filter(is_ours).collect();
        let mut new = Self { folder, modules: BTreeMap::new(), uses: Vec::new(), foreign: Vec::new() };
        for source in &sources {
            new.index(source);
        }
        for source in &sources {
            new.collect_uses(source);
        }
        new
    }

    fn index(&mut self, source: &'static Source) {
        let module = module_of(&source.path, self.folder);
        self.modules.entry(module.clone()).or_default().file = &source.path;
        for Item { module: inner, name, kind } in &source.items {
            let home = if *kind == ItemKind::ExportedMacro { Vec::new() } else { with(&module, inner) };
            let home = self.modules.entry(home).or_default();
            home.items.insert(name, &source.path);
            if *kind == ItemKind::InlineModule {
                self.modules.entry([&module[..], inner, std::slice::from_ref(name)].concat()).or_default().file =
                    &source.path;
            }
        }
        for import in &source.imports {
            let home = self.modules.entry(with(&module, &import.module)).or_default();
            match &import.name {
                Some(name) => drop(home.imports.insert(name, &import.path)),
                None if import.is_glob => home.globs.push(&import.path),
                None => {}
            }
        }
    }

    fn collect_uses(&mut self, source: &'static Source) {
        let module = module_of(&source.path, self.folder);
        let own = |import: &&super::sources::Import| !import.is_reexport;
        let imports = source.imports.iter().filter(own).map(|one| (&one.module, &one.path, one.line));
        let named = source.paths.iter().map(|NamedPath { module, path, line }| (module, path, *line));
        let mut seen = BTreeSet::new();
        for (inner, path, line) in imports.chain(named) {
            match self.resolve(&with(&module, inner), path, 0) {
                Some(Target::Item { file, name }) if file != source.path && seen.insert((file, name.clone())) => {
                    self.uses.push(Use { from: &source.path, line, to: file, name });
                }
                Some(_) => {}
                None => self.foreign.push(Foreign { from: &source.path, line, path: path.clone() }),
            }
        }
    }

    /// Where a path leads that a module names. Beyond an item (a variant, an associated function) nothing is followed.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<Target> {
        if depth > 16 {
            return None;
        }
        let mut rest = path;
        let mut at = match path.first()?.as_str() {
            "crate" => Target::Module(Vec::new()),
            "self" => Target::Module(from.to_vec()),
            "super" => Target::Module(from[..from.len().saturating_sub(1)].to_vec()),
            name => self.member(from, name, path.len() == 1, depth)?,
        };
        loop {
            rest = &rest[1..];
            match (&at, rest.first()) {
                (Target::Module(module), Some(name)) if name == "super" => {
                    at = Target::Module(module[..module.len().saturating_sub(1)].to_vec());
                }
                (Target::Module(module), Some(name)) => at = self.member(module, name, rest.len() == 1, depth)?,
                _ => return Some(at),
            }
        }
    }

    /// Resolves a name in a module. At the end of a path an item takes precedence over a module of the same name.
    fn member(&self, module: &[String], name: &str, is_last: bool, depth: usize) -> Option<Target> {
        let child = with(module, &[name.to_owned()]);
        let is_module = self.modules.contains_key(&child);
        let known = self.modules.get(module)?;
        if let Some(file) = known.items.get(name)
            && (is_last || !is_module)
        {
            return Some(Target::Item { file, name: name.to_owned() });
        }
        if is_module {
            return Some(Target::Module(child));
        }
        if let Some(path) = known.imports.get(name) {
            // `use name;` would lead back here.
            let outer = path.len() == 1 && path[0] == name;
            return if outer { None } else { self.resolve(module, path, depth + 1) };
        }
        known.globs.iter().find_map(|path| match self.resolve(module, path, depth + 1)? {
            Target::Module(inner) if inner != module => self.member(&inner, name, is_last, depth + 1),
            _ => None,
        })
    }

    /// The circles: sets of files, or of rooms, that use each other.
    pub(super) fn circles(&self, key: fn(&'static str) -> &'static str) -> Vec<BTreeSet<&'static str>> {
        let mut graph = DiGraphMap::<&'static str, ()>::new();
        for one in &self.uses {
            if key(one.from) != key(one.to) {
                graph.add_edge(key(one.from), key(one.to), ());
            }
        }
        let circles = tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1);
        circles.map(|circle| circle.into_iter().collect()).collect()
    }
}

/// The top-level module that a file belongs to: `sessions` for `shared/src/sessions/store/row.rs`.
pub(super) fn room(path: &'static str) -> &'static str {
    let inner = path.split_once("/src/").map_or(path, |(_, inner)| inner);
    inner.split('/').next().unwrap_or(inner).trim_end_matches(".rs")
}

impl Crate {
    pub(super) fn files(&self) -> impl Iterator<Item = &'static str> {
        self.modules.values().map(|module| module.file).filter(|file| !file.is_empty())
    }
}
