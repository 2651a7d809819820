//! The chain: whoever changes the store or an export is found out; a ledger moves whole, and into no other.

use super::*;

#[tokio::test]
async fn whoever_changes_the_file_is_found_out() {
    let platforms = Platforms::start().await;
    let home = used(&platforms).await;
    let found = home.whole().await;
    let (entries, head) = (found["entries"].as_u64().unwrap(), found["head"]["hash"].as_str().unwrap().to_owned());
    assert!(entries >= 3, "{found:#}");
    let (code, _, said) = home.run(&["ledger", "verify", "--head", &head]).await;
    assert_eq!(code, 0, "{said}");

    let file = home.dir.path().join("tidegate.db");
    let sound = std::fs::read(&file).unwrap();
    let last = format!("DELETE FROM chain WHERE seq = {entries}");
    let cut = format!(
        "{last}; UPDATE chain_end SET head_seq = {0}, head_hash = (SELECT hash FROM chain WHERE seq = {0})",
        entries - 1
    );
    for (change, arguments, place) in [
        ("UPDATE chain SET bytes = CAST(bytes || ' ' AS BLOB) WHERE seq = 1", &[][..], "entry 1 was changed"),
        ("UPDATE chain SET at_ms = at_ms + 1 WHERE seq = 2", &[], "entry 2 was changed"),
        ("DELETE FROM chain WHERE seq = 2", &[], "entry 2 is not there: entry 3 stands in its place"),
        (&last, &[], "the end is cut"),
        (&cut, &["--head", &head], "no entry has the hash"),
    ] {
        home.tamper(change);
        let (code, told, said) = home.run(&[&["ledger", "verify"], arguments].concat()).await;
        assert_eq!(code, 1, "{change}: {told}{said}");
        assert!(told.contains("broken: ") && told.contains(place), "{change}: {told}");
        std::fs::write(&file, &sound).unwrap();
    }
    home.whole().await;
}

#[tokio::test]
async fn an_export_is_verified_wherever_it_is() {
    let platforms = Platforms::start().await;
    let home = used(&platforms).await;
    let found = home.whole().await;
    let (code, lines, said) = home.run(&["ledger", "export"]).await;
    assert_eq!(code, 0);
    assert_eq!(said.trim(), format!("exported {} entries", found["entries"]));
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("ledger.jsonl");
    let verify = async |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let arguments = [&["ledger", "verify", file.to_str().unwrap()], more].concat();
        let output = Process::command(&arguments).current_dir(elsewhere.path()).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let head = found["head"]["hash"].as_str().unwrap();
    let (code, told, said) = verify(&lines, &["--head", head]).await;
    assert_eq!(code, 0, "{told}{said}");
    assert!(told.contains("whole: every entry is as it was written") && told.contains(head), "{told}");
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["seq"], &first["entry"]["v"]), (&json!(1), &json!(1)), "it reads as JSON");

    let all: Vec<&str> = lines.lines().collect();
    let without =
        |at: usize| all.iter().enumerate().filter(move |(n, _)| *n != at).map(|(_, line)| format!("{line}\n"));
    let swapped = [&[all[1], all[0]], &all[2..]].concat().join("\n");
    for (text, more, place) in [
        (lines.replacen("marketing", "analytics", 1), &[][..], "entry 1 was changed"),
        (without(1).collect(), &[], "entry 2 is not there"),
        (swapped, &[], "entry 3 is not there: entry 1 stands in its place"),
        (without(all.len() - 1).collect(), &["--head", head], "no entry has the hash"),
    ] {
        let (code, told, said) = verify(&text, more).await;
        assert_eq!(code, 1, "{place}: {told}{said}");
        assert!(told.contains(place), "{place}: {told}");
    }
    let (code, _, said) = verify(&format!("{lines}odd\n"), &[]).await;
    assert_eq!(code, 65, "{said}");
    assert!(said.contains(&format!("line {} of", all.len() + 1)), "{said}");
    let (code, lines, _) = home.run(&["ledger", "export", "--until", "2020-01-01"]).await;
    assert_eq!((code, lines.as_str()), (0, ""));
}

#[tokio::test]
async fn a_store_with_a_ledger_of_its_own_takes_no_other() {
    let platforms = Platforms::start().await;
    let (home, other) = (used(&platforms).await, used(&platforms).await);
    let (_, export, _) = home.run(&["store", "export"]).await;
    let file = other.dir.path().join("moved.jsonl");
    std::fs::write(&file, export).unwrap();
    let before = other.whole().await;
    let (code, _, said) = other.run(&["store", "import", file.to_str().unwrap()]).await;
    assert_eq!(code, 65, "{said}");
    assert!(said.contains("entry 1 of the chained log does not continue the log that is here"), "{said}");
    assert!(said.contains("hint: ") && said.contains("--without-ledger"), "{said}");
    let (code, _, said) = other.run(&["store", "import", "--without-ledger", file.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(other.whole().await, before);
}
