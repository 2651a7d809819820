use super::*;

const VERSION_1: &str = include_str!("version-1.lock");

#[test]
fn what_version_1_wrote_is_read_for_ever() {
    let lock = Lock::parse(VERSION_1, Path::new("tidegate.lock")).unwrap();
    let mail = &lock.destinations["mail"];
    assert_eq!((mail.approved_by.as_str(), mail.note.as_deref()), ("anna", Some("SEC-17")));
    assert_eq!(mail.permissions.endpoints["events"].url, "https://acme.example/{id}/events");
    assert_eq!(mail.permissions.limits.age_max.to_string(), "7d");
}

#[test]
fn what_is_written_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.lock");
    assert_eq!(Lock::read(&path).unwrap(), None);
    let lock = Lock::parse(VERSION_1, &path).unwrap();
    lock.write(&path).unwrap();
    assert_eq!(Lock::read(&path).unwrap(), Some(lock.clone()));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# What each destination's plugin was approved to do."), "{text}");
    assert!(text.contains("\n[destination.mail.permissions.reads.\"user.email\"]\n"), "{text}");
    lock.write(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_damaged_lock_is_no_lock_but_an_error() {
    let error = |text: &str| Lock::parse(text, Path::new("tidegate.lock")).unwrap_err().to_string();
    assert_eq!(error("version = 2\nwhatever = 1"), "the lock `tidegate.lock` has version 2; this gateway knows 1");
    assert!(error("version = ").starts_with("the lock `tidegate.lock` is damaged, line 1: "));
    assert!(error("").contains("version"), "{}", error(""));
    let unknown = error(&VERSION_1.replace("note = ", "nota = "));
    assert!(unknown.contains("unknown field `nota`"), "{unknown}");
    let digest = error(&VERSION_1.replace("digest = \"cb", "digest = \""));
    assert!(digest.contains("64 lower-case hexadecimal digits"), "{digest}");
}

#[test]
fn less_is_covered_and_more_is_not() {
    let lock = Lock::parse(VERSION_1, Path::new("tidegate.lock")).unwrap();
    let approved = lock.destinations["mail"].permissions.clone();
    assert_eq!(lock.uncovered("mail", &approved), Some(Vec::new()));
    assert_eq!(lock.uncovered("hook", &approved), None);
    let mut less = approved.clone();
    less.reads.clear();
    assert_eq!(lock.uncovered("mail", &less), Some(Vec::new()));
    let mut more = approved;
    more.secrets.insert("other".to_owned());
    let lines = lock.uncovered("mail", &more).unwrap();
    assert_eq!((lines.len(), lines[0].part), (1, "secrets"));
}
