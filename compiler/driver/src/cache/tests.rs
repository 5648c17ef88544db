//! What is kept comes back, and nothing else does.

use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

fn key(text: &str) -> Key {
    Key::of("build", "22.1.0", "host", text)
}

fn fresh() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), Cache::LIMIT).unwrap();
    (folder, cache)
}

fn path(cache: &Cache, key: &Key) -> PathBuf {
    cache.folder().join(key.file_name())
}

#[test]
fn what_is_kept_comes_back() {
    let (_folder, cache) = fresh();
    assert_eq!(cache.read(&key("a")), None);
    cache.write(&key("a"), b"code of a");
    cache.write(&key("b"), b"");
    assert_eq!(cache.read(&key("a")).as_deref(), Some(&b"code of a"[..]));
    assert_eq!(cache.read(&key("b")).as_deref(), Some(&b""[..]));
    assert_eq!((cache.info().entries, cache.problem()), (2, None));
}

#[test]
fn keys_differ_in_every_part() {
    let keys = [
        key("a"),
        key("b"),
        Key::of("other build", "22.1.0", "host", "a"),
        Key::of("build", "22.1.1", "host", "a"),
        Key::of("build", "22.1.0", "hosta", ""),
        Key::of("build22.1.0", "", "host", "a"),
    ];
    for (at, one) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(one), "key {at}");
    }
    let target = |name: &str| name.parse::<Target>().unwrap();
    let of = |name| Key::of_kernel(&target(name), "text");
    assert_ne!(of("nvptx:sm_80"), of("nvptx:sm_90a"));
    assert_ne!(of("host:x86-64-v3"), of("host:x86-64-v4"));
}

#[test]
fn a_change_of_any_byte_makes_it_no_entry_and_it_is_written_again() {
    let (_folder, cache) = fresh();
    cache.write(&key("a"), b"the code");
    let good = fs::read(path(&cache, &key("a"))).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(path(&cache, &key("a")), &bad).unwrap();
        assert_eq!(cache.read(&key("a")), None, "byte {at}");
    }
    for end in 0..good.len() {
        fs::write(path(&cache, &key("a")), &good[..end]).unwrap();
        assert_eq!(cache.read(&key("a")), None, "cut to {end}");
    }
    fs::write(path(&cache, &key("a")), [&good[..], b"x"].concat()).unwrap();
    assert_eq!(cache.read(&key("a")), None, "longer");
    cache.write(&key("a"), b"the code");
    assert_eq!(cache.read(&key("a")).as_deref(), Some(&b"the code"[..]));
}

#[test]
fn an_entry_under_another_name_is_none() {
    let (_folder, cache) = fresh();
    cache.write(&key("a"), b"code of a");
    fs::rename(path(&cache, &key("a")), path(&cache, &key("b"))).unwrap();
    assert_eq!(cache.read(&key("b")), None);
}

#[test]
fn links_folders_and_files_of_others_are_no_entries() {
    let (_folder, cache) = fresh();
    cache.write(&key("a"), b"code");
    symlink(path(&cache, &key("a")), path(&cache, &key("b"))).unwrap();
    assert_eq!(cache.read(&key("b")), None);
    fs::create_dir(path(&cache, &key("c"))).unwrap();
    assert_eq!(cache.read(&key("c")), None);
    fs::set_permissions(path(&cache, &key("a")), Permissions::from_mode(0o666)).unwrap();
    assert_eq!(cache.read(&key("a")), None);
    // A huge file costs no memory.
    let hole = fs::File::create(path(&cache, &key("d"))).unwrap();
    hole.set_len(1 << 40).unwrap();
    assert_eq!(cache.read(&key("d")), None);
}

#[test]
fn folders_are_made_for_their_owner_and_others_are_refused() {
    let (folder, _) = fresh();
    let own = folder.path().join("a/b");
    let cache = Cache::open(&own, 1).unwrap();
    assert_eq!(cache.folder().metadata().unwrap().mode() & 0o777, 0o700);
    let refused = |path: &Path| Cache::open(path, 1).map(|_| ()).unwrap_err().to_string();
    for mode in [0o770, 0o707, 0o777] {
        fs::set_permissions(&own, Permissions::from_mode(mode)).unwrap();
        assert!(refused(&own).contains("others can write to it"), "{mode:o}");
    }
    fs::set_permissions(&own, Permissions::from_mode(0o755)).unwrap();
    assert!(Cache::open(&own, 1).is_ok());
    // The folder above, without and with the bit that keeps names in place.
    fs::set_permissions(folder.path().join("a"), Permissions::from_mode(0o777)).unwrap();
    assert!(refused(&own).contains("everybody can rename"));
    fs::set_permissions(folder.path().join("a"), Permissions::from_mode(0o1777)).unwrap();
    assert!(Cache::open(&own, 1).is_ok());
    // A link is followed to where it leads.
    symlink(&own, folder.path().join("link")).unwrap();
    assert_eq!(Cache::open(&folder.path().join("link"), 1).unwrap().folder(), own.canonicalize().unwrap());
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(Cache::open(&folder.path().join("file"), 1), Err(Error::File { .. })));
}

#[test]
fn folders_of_others_are_refused() {
    let (folder, _) = fresh();
    let me = folder.path().metadata().unwrap().uid();
    let refused = folder::prepare(folder.path(), Trust::of(me + 1)).unwrap_err();
    assert!(matches!(&refused, Error::Untrusted { .. }), "{refused}");
    assert!(refused.to_string().contains("belongs to the user"), "{refused}");
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let (folder, cache) = fresh();
    let names: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    for (at, name) in names.iter().enumerate() {
        cache.write(&key(name), &[0; 920]);
        let file = fs::File::options().write(true).open(path(&cache, &key(name))).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(1000 - at as u64)).unwrap();
    }
    assert_eq!(cache.info(), CacheInfo { entries: 10, bytes: 10_000 });
    // Reading is use.
    assert!(cache.read(&key("0")).is_some());
    fs::write(folder.path().join("not ours"), "x").unwrap();
    let abandoned = folder.path().join(".x.part");
    fs::File::create(&abandoned).unwrap().set_modified(SystemTime::now() - folder::ABANDONED * 2).unwrap();
    fs::write(folder.path().join(".y.part"), "").unwrap();
    let small = Cache::open(folder.path(), 5000).unwrap();
    small.trim();
    let left: Vec<&String> = names.iter().filter(|name| cache.read(&key(name)).is_some()).collect();
    assert_eq!(left, ["0", "7", "8", "9"]);
    assert!(!abandoned.exists() && folder.path().join(".y.part").exists());
    let removed = small.clear().unwrap();
    assert_eq!((removed.entries, cache.info().entries), (4, 0));
    assert!(folder.path().join("not ours").exists() && !folder.path().join(".y.part").exists());
}

#[test]
fn writers_and_readers_do_not_disturb_each_other() {
    let (_folder, cache) = fresh();
    let content = |name: &str| name.repeat(5000).into_bytes();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let cache = cache.clone();
            scope.spawn(move || {
                for round in 0..50 {
                    let name = ["a", "b", "c"][(thread + round) % 3];
                    if let Some(found) = cache.read(&key(name)) {
                        assert_eq!(found, content(name));
                    }
                    cache.write(&key(name), &content(name));
                }
            });
        }
    });
    assert_eq!((cache.info().entries, cache.problem()), (3, None));
    assert_eq!(fs::read_dir(cache.folder()).unwrap().count(), 3);
}

#[test]
fn a_folder_that_went_away_is_told_once_and_costs_nothing_else() {
    let (folder, cache) = fresh();
    fs::remove_dir_all(folder.path()).unwrap();
    cache.write(&key("a"), b"code");
    assert!(cache.problem().unwrap().contains("nothing can be kept"));
    assert_eq!((cache.read(&key("a")), cache.info()), (None, CacheInfo::default()));
}

#[test]
fn the_environment_names_the_folder() {
    let folder = |variables: &[(&str, &str)]| {
        default_folder(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| PathBuf::from(value)))
    };
    let (own, xdg, home) = (("TENFOLD_CACHE_DIR", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h"));
    assert_eq!(folder(&[own, xdg, home]), Some("/c".into()));
    assert_eq!(folder(&[("TENFOLD_CACHE_DIR", ""), xdg, home]), None);
    assert_eq!(folder(&[xdg, home]), Some("/x/tenfold".into()));
    assert_eq!(folder(&[("XDG_CACHE_HOME", "relative"), home]), Some("/h/.cache/tenfold".into()));
    assert_eq!(folder(&[("HOME", "")]), None);
}
