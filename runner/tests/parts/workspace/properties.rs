//! A rule: the patch turns a checkout of the base into the work tree, whatever was changed.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    path::Path,
};

use proptest::{collection::vec, prelude::*};

use super::fixture::{Fixture, assert_same_files, repository_source, run};

/// One change of a work tree.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<u8>, Vec<u8>),
    Link(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
    Execute(Vec<u8>),
    Repository(Vec<u8>),
    Commit,
}

/// Few names, so that steps meet; some of them are names that programs take for something else.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c", "-n", "x y", "\n", "\u{e9}", ":!x", "\"q", "*"]).prop_map(|one| one.as_bytes().to_vec()),
        1 => vec(prop::num::u8::ANY.prop_filter("a name", |byte| !matches!(byte, 0 | b'/' | b'.')), 1..6),
    ];
    vec(name, 1..3).prop_map(|names| names.join(&b'/'))
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "([a-z]{0,5}(\r?\n)?){0,6}".prop_map(String::into_bytes),
        "diff --git a/x b/x\n[a-z]{0,3}\n?".prop_map(String::into_bytes),
        vec(prop::num::u8::ANY, 0..40),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (path(), content()).prop_map(|(path, content)| Step::Write(path, content)),
        1 => (path(), "[a-z./é ]{1,9}").prop_map(|(path, target)| Step::Link(path, target.into_bytes())),
        2 => path().prop_map(Step::Remove),
        1 => path().prop_map(Step::Execute),
        1 => path().prop_map(Step::Repository),
        1 => Just(Step::Commit),
    ]
}

/// Makes a change, if it is possible.
fn make(top: &Path, step: &Step) {
    let at = |path: &[u8]| top.join(OsStr::from_bytes(path));
    let clear = |path: &Path| {
        let _ = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path));
        path.parent().is_some_and(|parent| fs::create_dir_all(parent).is_ok())
    };
    match step {
        Step::Write(path, content) => drop(clear(&at(path)).then(|| fs::write(at(path), content))),
        Step::Link(path, target) => drop(clear(&at(path)).then(|| symlink(OsStr::from_bytes(target), at(path)))),
        Step::Remove(path) => drop(clear(&at(path))),
        Step::Execute(path) if at(path).is_file() => {
            let _ = fs::set_permissions(at(path), fs::Permissions::from_mode(0o755));
        }
        Step::Repository(path) if at(path).is_dir() => {
            let _ = run(&at(path), "git init -q . && git add -A . && git commit -q --allow-empty -m nested");
        }
        Step::Commit => drop(run(top, "(git add -A; git commit -q --allow-empty -m step) 2>/dev/null || true")),
        Step::Execute(_) | Step::Repository(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_patch_turns_the_base_into_the_work_tree(before in vec(step(), 0..8), after in vec(step(), 1..12), attributes: bool) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let fixture = Fixture::new();
            let repository = fixture.repository("r", "echo first > first");
            for step in before.iter().filter(|step| !matches!(step, Step::Repository(_))) {
                make(&repository, step);
            }
            if attributes {
                run(&repository, "printf 'a text\\n* -text\\n' > .gitattributes");
            }
            run(&repository, "git add -A; git commit -q --allow-empty -m base");
            let workspace = fixture.prepare("s1", &repository_source(&repository)).await;
            for step in &after {
                make(&workspace.work_tree(), step);
            }
            let work = workspace.collect().await.expect("the work");
            assert_eq!(work.omitted, []);
            assert!(std::str::from_utf8(&work.patch).is_ok());
            assert_same_files(&fixture.apply(&repository, &work), &workspace.work_tree());
        });
    }
}
