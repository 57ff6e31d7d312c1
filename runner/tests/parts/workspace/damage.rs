//! Mirrors that were damaged on the disk.

use std::{collections::BTreeSet, fs};

use super::fixture::{Fixture, changed, repository_source, run};

#[tokio::test]
async fn a_damaged_mirror_is_replaced_and_stays_for_those_who_borrow_from_it() {
    let fixture = Fixture::new();
    let repository = fixture
        .repository("r", "head -c 300000 /dev/urandom > big; echo a > a; for i in $(seq 150); do echo $i > f$i; done");
    let first = fixture.prepare("s1", &repository_source(&repository)).await;
    let copy = fixture.mirror().join("1.git");
    run(&copy, "for pack in objects/pack/*.pack; do chmod u+w $pack; truncate -s 1000 $pack; done");
    let second = fixture.prepare("s2", &repository_source(&repository)).await;
    assert!(second.borrowed_objects()[0].ends_with("2.git/objects"));
    assert_eq!(fs::read(second.work_tree().join("big")).unwrap().len(), 300_000);
    assert!(copy.exists() && first.work_tree().exists());
    fixture.workspaces.remove_leftovers(&BTreeSet::from(["s1".to_owned(), "s2".to_owned()])).await.unwrap();
    assert!(copy.exists());
    fixture.workspaces.remove_leftovers(&BTreeSet::from(["s2".to_owned()])).await.unwrap();
    assert_eq!(run(&fixture.mirror(), "ls"), "2.git\nlock");
    assert!(changed(&second.collect().await.unwrap()).is_empty());
}

#[tokio::test]
async fn a_mirror_without_its_configuration_is_made_anew() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    fixture.prepare("s1", &repository_source(&repository)).await;
    run(&fixture.mirror(), "rm -r 1.git/HEAD 1.git/config 1.git/refs");
    let workspace = fixture.prepare("s2", &repository_source(&repository)).await;
    assert!(workspace.work_tree().join("a").exists());
}
