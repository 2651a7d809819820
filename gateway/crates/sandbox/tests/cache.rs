//! The directory of compiled plugins: used when it is safe and whole, and never needed.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use support::{Parts, body, good};
use tidegate_sandbox::{Error, Options, Sandbox};

fn open(dir: &Path) -> Result<Sandbox, Error> {
    Sandbox::new(Options { cache_dir: Some(dir.to_owned()), instances_max: 2, ..Options::default() })
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A directory of its own, and a cache in it that holds the good plugin.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/b");
    open(&dir).unwrap().load(&good()).unwrap();
    (parent, dir)
}

#[test]
fn a_compiled_plugin_is_kept_for_the_next_start() {
    let (_parent, dir) = filled();
    let [file] = &files(&dir)[..] else { panic!("one file, not {:?}", files(&dir)) };
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::metadata(file).unwrap().modified().unwrap();
    assert_eq!(body(&open(&dir).unwrap().load(&good()).unwrap()), "event-11");
    assert_eq!(fs::metadata(file).unwrap().modified().unwrap(), before, "it was used, not written again");
}

#[test]
fn a_damaged_file_is_compiled_again() {
    let (_parent, dir) = filled();
    let file = &files(&dir)[0];
    let whole = fs::read(file).unwrap();
    for at in [0, 20, 40, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(file, &damaged).unwrap();
        assert_eq!(body(&open(&dir).unwrap().load(&good()).unwrap()), "event-11");
        assert_ne!(fs::read(file).unwrap(), damaged, "the damage is mended");
    }
    fs::write(file, b"").unwrap();
    assert_eq!(body(&open(&dir).unwrap().load(&good()).unwrap()), "event-11");
}

#[test]
fn a_file_under_anothers_name_is_not_used() {
    let (_parent, dir) = filled();
    let good_file = files(&dir)[0].clone();
    let other = Parts { transform: "unreachable", ..Parts::default() }.build();
    open(&dir).unwrap().load(&other).unwrap();
    let other_file = files(&dir).into_iter().find(|file| *file != good_file).unwrap();
    fs::copy(&other_file, &good_file).unwrap();
    assert_eq!(body(&open(&dir).unwrap().load(&good()).unwrap()), "event-11");
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    for mode in [0o770, 0o707, 0o777] {
        let dir = parent.path().join(format!("{mode:o}"));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
        let error = open(&dir).err().unwrap();
        assert!(matches!(error, Error::CacheUnsafe { .. }), "{error}");
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }
}

#[test]
fn a_link_to_a_directory_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let (target, link) = (parent.path().join("target"), parent.path().join("link"));
    fs::create_dir(&target).unwrap();
    symlink(&target, &link).unwrap();
    assert!(matches!(open(&link), Err(Error::CacheUnsafe { .. })));
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(open(&file.join("cache")), Err(Error::CacheIo { .. })));
}

#[test]
fn old_files_are_removed_in_the_end() {
    let (_parent, dir) = filled();
    for number in 0..300 {
        fs::write(dir.join(format!("{number}.cwasm")), b"old").unwrap();
    }
    let other = Parts { transform: "unreachable", ..Parts::default() }.build();
    open(&dir).unwrap().load(&other).unwrap();
    assert_eq!(files(&dir).len(), 128);
    let newest = files(&dir).into_iter().any(|file| fs::metadata(file).unwrap().len() > 100);
    assert!(newest, "the one that was just made stays");
}

#[test]
fn old_files_that_are_large_are_removed_too() {
    let (_parent, dir) = filled();
    for number in 0..5 {
        // Holes: they have a size, and take no room.
        fs::File::create(dir.join(format!("{number}.cwasm"))).unwrap().set_len(300 << 20).unwrap();
    }
    let other = Parts { transform: "unreachable", ..Parts::default() }.build();
    open(&dir).unwrap().load(&other).unwrap();
    let large = files(&dir).into_iter().filter(|file| fs::metadata(file).unwrap().len() == 300 << 20).count();
    assert_eq!(large, 3, "a gibibyte in all");
}
