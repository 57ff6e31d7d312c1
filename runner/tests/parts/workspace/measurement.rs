//! How long a workspace takes. Run it by `cargo test -p runner --test workspace --release -- --ignored --nocapture
//! measure`.

use std::time::Instant;

use super::fixture::{Fixture, repository_source, run};

#[tokio::test]
#[ignore = "a measurement, which needs 600 MB and half a minute"]
async fn measure_the_second_session_on_a_mirror_of_200_megabytes() {
    let fixture = Fixture::new();
    let files =
        "for d in $(seq 100); do mkdir d$d; for f in $(seq 20); do head -c 20000 /dev/urandom > d$d/f$f; done; done";
    let repository = fixture.repository("r", files);
    for at in 0..4 {
        run(
            &repository,
            &format!(
                "for d in $(seq 100); do for f in $(seq 20); do head -c 20000 /dev/urandom > d$d/f$f; done; done; git commit -qam {at}"
            ),
        );
    }
    let source = repository_source(&repository);
    for session in ["s1", "s2", "s3", "s4"] {
        let begin = Instant::now();
        let workspace = fixture.prepare(session, &source).await;
        let prepared = begin.elapsed();
        run(&workspace.work_tree(), "echo x > d1/f1; echo y > new");
        let begin = Instant::now();
        let work = workspace.collect().await.unwrap();
        eprintln!(
            "{session}: prepared in {prepared:?}, {} changes collected in {:?}",
            work.changed.len(),
            begin.elapsed()
        );
    }
    eprintln!("mirror: {}", run(&fixture.mirror(), "du -sh 1.git; ls ../../sessions/s2/work/d1 | wc -l"));
}

#[tokio::test]
#[ignore = "a measurement, which needs 400 MB"]
async fn measure_a_tree_of_50000_files() {
    let fixture = Fixture::new();
    let files = "for d in $(seq 250); do mkdir -p d$d/e; for f in $(seq 200); do echo $d $f > d$d/e/f$f; done; done";
    let repository = fixture.repository("r", files);
    let source = repository_source(&repository);
    for session in ["s1", "s2", "s3"] {
        let begin = Instant::now();
        let workspace = fixture.prepare(session, &source).await;
        let prepared = begin.elapsed();
        run(&workspace.work_tree(), "echo x > d1/e/f1; echo y > new; rm d2/e/f2");
        let begin = Instant::now();
        let work = workspace.collect().await.unwrap();
        eprintln!(
            "{session}: prepared in {prepared:?}, {} changes collected in {:?}",
            work.changed.len(),
            begin.elapsed()
        );
        let begin = Instant::now();
        fixture.workspaces.remove(session).await.unwrap();
        eprintln!("{session}: removed in {:?}", begin.elapsed());
    }
}
