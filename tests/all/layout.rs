//! The test program itself: a file that no module names is never compiled, and its tests never run.

use std::fs;
use std::path::{Path, PathBuf};

/// The Rust files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let rust = files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    rust.chain(folders.iter().flat_map(|folder| self::files(folder))).collect()
}

/// The file that has to declare this one as a module; `None` for the root.
fn parent(root: &Path, file: &Path) -> Option<PathBuf> {
    let folder = file.parent().unwrap();
    let is_folders_own = file.file_name().unwrap() == "mod.rs";
    let folder = if is_folders_own { folder.parent().unwrap() } else { folder };
    if folder == root {
        return (file.file_name().unwrap() != "main.rs").then(|| root.join("main.rs"));
    }
    let inside = folder.join("mod.rs");
    Some(if inside.exists() { inside } else { folder.with_extension("rs") })
}

/// The name of the module that a file holds.
fn module(file: &Path) -> &str {
    let is_folders_own = file.file_name().unwrap() == "mod.rs";
    let named = if is_folders_own { file.parent().unwrap() } else { file };
    named.file_stem().unwrap().to_str().unwrap()
}

/// The files that no module names.
fn forgotten(root: &Path) -> Vec<PathBuf> {
    let is_declared = |file: &PathBuf| {
        let Some(parent) = parent(root, file) else { return true };
        let declaration = format!("mod {};", module(file));
        let text = fs::read_to_string(parent).unwrap_or_default();
        text.lines().any(|line| line == declaration || line == format!("pub {declaration}"))
    };
    files(root).into_iter().filter(|file| !is_declared(file)).collect()
}

#[test]
fn no_file_is_forgotten() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for program in [tests.join("all"), tests.join("sim/tests/all")] {
        assert!(files(&program).len() > 5, "{} has hardly any files", program.display());
        let forgotten = forgotten(&program);
        assert!(forgotten.is_empty(), "no module names these files: {forgotten:#?}");
    }
}

#[test]
fn a_file_that_no_module_names_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = root.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    };
    write("main.rs", "mod common;\nmod named;\n// mod alone;\n");
    write("named.rs", "mod inner;\n");
    write("named/inner.rs", "");
    write("common/mod.rs", "pub mod shared;\n");
    write("common/shared.rs", "");
    let mut expected = vec![write("alone.rs", ""), write("named/left.rs", ""), write("common/out.rs", "")];
    let mut found = forgotten(root.path());
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn no_black_box_test_is_a_program_of_its_own() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let beside = fs::read_dir(tests).unwrap().map(|entry| entry.unwrap().path());
    let beside: Vec<PathBuf> = beside.filter(|path| path.extension().is_some_and(|kind| kind == "rs")).collect();
    assert!(beside.is_empty(), "in tests/all they would not link everything once more: {beside:#?}");
}
