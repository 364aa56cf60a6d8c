//! Recorded folders of files, kept as one text each.

use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Makes the files of a recorded folder below `folder`.
///
/// The text has a heading for each file, `=== path`, with the file's content below it; the heading
/// `=== path -> target` is a symbolic link.
pub fn unpack(text: &str, folder: &Path) -> io::Result<()> {
    // What stands before the first heading is for readers.
    for part in text.split("=== ").skip(1) {
        let (heading, content) = part.split_once('\n').unwrap_or((part, ""));
        let (path, target) = match heading.split_once(" -> ") {
            Some((path, target)) => (path, Some(target)),
            None => (heading, None),
        };
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        match target {
            Some(target) => symlink(target, path)?,
            None => std::fs::write(path, content)?,
        }
    }
    Ok(())
}
