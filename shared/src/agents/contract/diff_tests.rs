//! The forms that git gives a change.

use proptest::prelude::*;

use super::*;

const PATCH: &str = "\
diff --git a/old name.txt b/new name.txt
similarity index 90%
rename from old name.txt
rename to new name.txt
index 1..2 100644
--- a/old name.txt\t
+++ b/new name.txt\t
@@ -1,2 +1,3 @@
 same
--- a/not a header
+++ b/nor this
+diff --git a/x b/x
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
index 1..0
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-bye
diff --git \"a/gr\\303\\266\\303\\237e \\\"q\\\".bin\" \"b/gr\\303\\266\\303\\237e \\\"q\\\".bin\"
new file mode 100644
index 0..1
GIT binary patch
literal 4
Lc${NM

literal 0
HcmV?d00001

diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git a/empty b/empty
new file mode 100644
index 0..e69de29
diff --git a/plain.txt b/plain.txt
index 1..2 100644
--- a/plain.txt
+++ b/plain.txt
@@ -1 +1 @@
-a
\\ No newline at end of file
+b
";

#[test]
fn every_form_of_a_change_is_read() {
    let read: Vec<_> =
        read_changes(PATCH).into_iter().map(|file| (file.path, file.status, file.additions, file.deletions)).collect();
    let expected = [
        ("new name.txt", FileStatus::Renamed, 2, 1),
        ("gone.txt", FileStatus::Deleted, 0, 1),
        ("größe \"q\".bin", FileStatus::Added, 0, 0),
        ("run.sh", FileStatus::Modified, 0, 0),
        ("empty", FileStatus::Added, 0, 0),
        ("plain.txt", FileStatus::Modified, 1, 1),
    ];
    let expected = expected.map(|(path, status, plus, minus)| (path.to_owned(), status, plus, minus));
    assert_eq!(read, expected);
}

#[test]
fn the_sections_are_the_patch() {
    assert_eq!(split_by_file(PATCH).concat(), PATCH);
    assert!(split_by_file("").is_empty());
    assert!(read_changes("not a patch").is_empty());
}

#[test]
fn the_cost_of_a_patch_is_linear() {
    let units = [
        "diff --git a/x b/x\n",
        "diff --git \"a/\\\"x\" \"b/x\"\n",
        "diff --git \"\\\\",
        "\n+",
        "@@ -1 +1 @@\n+a\n",
        "rename to \"\\303\n",
    ];
    for unit in units {
        crate::kernel::cost::assert_linear("read_changes", unit, |patch| {
            drop(read_changes(&format!("diff --git {patch}")));
        });
    }
}

proptest! {
    #[test]
    fn no_patch_makes_it_panic(patch in "(diff --git |a/|\"|\\\\|[0-9]|é|\n|@@ |\\+|-|rename to | ){0,60}") {
        prop_assert!(read_changes(&patch).len() <= split_by_file(&patch).len());
    }
}
