//! The relay's own Noise key: the only secret it has.
//!
//! The file `identity` in the data folder holds it as 64 hexadecimal digits and a line feed,
//! readable by the owner only. Clients pin the public half, so a lost file means new links.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use tidelog_log::crypto::noise::RelaySecret;
use tidelog_log::env::Random;
use tidelog_log::ids::EntryId;

const FILE: &str = "identity";
const TEMPORARY: &str = "identity.tmp";
/// 64 digits and a line end of either kind.
const BYTES_MAX: u64 = 66;

/// Reads the relay's secret from its data folder, making it at the first start.
///
/// # Errors
///
/// If the file cannot be read or made, or holds something else (`InvalidData`).
pub(crate) fn load_or_create(folder: &Path, random: &dyn Random) -> io::Result<RelaySecret> {
    let path = folder.join(FILE);
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(folder, random),
        Err(error) => Err(error),
        Ok(metadata) if metadata.len() > BYTES_MAX => Err(damaged()),
        Ok(metadata) => {
            warn_if_shared(&path, &metadata);
            parse(&fs::read_to_string(&path)?)
        }
    }
}

fn create(folder: &Path, random: &dyn Random) -> io::Result<RelaySecret> {
    let secret = RelaySecret::generate(random);
    // What an interrupted start left behind was never used.
    match fs::remove_file(folder.join(TEMPORARY)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create_private(&folder.join(TEMPORARY))?;
    // An entry id prints 32 bytes as hexadecimal digits, as wanted here.
    writeln!(file, "{}", EntryId(*secret.to_bytes()))?;
    file.sync_all()?;
    fs::rename(folder.join(TEMPORARY), folder.join(FILE))?;
    sync_folder(folder)?;
    Ok(secret)
}

fn parse(text: &str) -> io::Result<RelaySecret> {
    let bytes: EntryId = text.trim_end().parse().map_err(|_| damaged())?;
    Ok(RelaySecret::from_bytes(bytes.0))
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file `identity` does not hold 64 hexadecimal digits")
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Elsewhere the folder's access list decides.
#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn warn_if_shared(path: &Path, metadata: &fs::Metadata) {
    use std::os::unix::fs::PermissionsExt as _;
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others can read the relay's secret; set its mode to 0600");
    }
}

#[cfg(not(unix))]
fn warn_if_shared(_: &Path, _: &fs::Metadata) {}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be synced; the name is durable with the file.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidelog_log::env::SystemRandom;

    use super::*;

    #[test]
    fn the_identity_is_made_once_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = load_or_create(folder.path(), &SystemRandom).expect("makes it");
        let second = load_or_create(folder.path(), &SystemRandom).expect("reads it");
        assert_eq!(first.public(), second.public());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_the_identity() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        load_or_create(folder.path(), &SystemRandom).expect("makes it");
        let mode = fs::metadata(folder.path().join(FILE)).expect("exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_identity_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in ["", "00", &"0".repeat(67), &"g".repeat(64)] {
            fs::write(folder.path().join(FILE), text).expect("writes");
            let error = load_or_create(folder.path(), &SystemRandom).expect_err("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(fs::read_to_string(folder.path().join(FILE)).expect("reads"), text);
        }
    }

    #[test]
    fn an_interrupted_first_start_is_made_good() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(TEMPORARY), "half").expect("writes");
        load_or_create(folder.path(), &SystemRandom).expect("makes it");
    }
}
