//! What the host sees of a directory, to be compared before and after.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Of each entry below a directory: device, number, links, size, time stamps, content.
pub type Snapshot = BTreeMap<PathBuf, (u64, u64, u64, u64, i64, i64, Vec<u8>)>;

/// All that is at `path` and below, symbolic links not followed.
pub fn snapshot(path: &Path) -> Snapshot {
    let mut snapshot = Snapshot::new();
    visit(path, &mut snapshot);
    snapshot
}

fn visit(path: &Path, snapshot: &mut Snapshot) {
    let stat = fs::symlink_metadata(path).unwrap();
    let content = if stat.is_symlink() {
        fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
    } else if stat.is_file() {
        fs::read(path).unwrap()
    } else {
        Vec::new()
    };
    let row = (stat.dev(), stat.ino(), stat.nlink(), stat.size(), stat.mtime(), stat.mtime_nsec(), content);
    snapshot.insert(path.to_owned(), row);
    if stat.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            visit(&entry.unwrap().path(), snapshot);
        }
    }
}
