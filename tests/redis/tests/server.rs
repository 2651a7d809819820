//! One server: started, killed, stopped, started again.

use std::time::Duration;

use tidegate_test_redis::{Builder, ClientCertificates, Program, Reply, Server, until};

#[test]
fn a_server_answers_and_is_configured_as_the_documents_ask() {
    let server = Server::start();
    assert_eq!(server.must(&["PING"]).text(), "PONG");
    assert_eq!(server.must(&["CONFIG", "GET", "appendonly"]).texts(), ["appendonly", "yes"]);
    assert_eq!(server.must(&["CONFIG", "GET", "maxmemory-policy"]).texts()[1], "noeviction");
    assert_eq!(server.must(&["INCR", "n"]), Reply::Integer(1));
    assert_eq!(server.must(&["GET", "nothing"]), Reply::Nil);
    assert_eq!(server.cli(&["NONSENSE"]).unwrap_err().code(), Some("ERR"));
    assert!(server.url().ends_with(&server.port().to_string()));
}

#[test]
fn a_killed_server_starts_again_with_its_data() {
    let server = Server::with(&["appendfsync always"]);
    let (port, pid) = (server.port(), server.pid());
    server.must(&["SET", "key", "value"]);
    server.kill();
    assert!(!server.is_running());
    assert!(server.cli(&["PING"]).is_err());
    server.restart();
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    assert_eq!(server.must(&["GET", "key"]).text(), "value");
}

#[test]
fn a_server_that_is_asked_to_end_does() {
    let server = Server::start();
    server.terminate();
    assert!(!server.is_running());
    assert!(server.log().contains("Received SIGTERM"), "{}", server.log());
}

#[test]
fn a_dropped_server_leaves_no_process_and_no_directory() {
    let server = Server::start();
    let (pid, dir) = (server.pid(), server.dir().to_owned());
    drop(server);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(!dir.exists());
}

#[test]
fn what_a_dropped_server_has_forked_leaves_nothing_either() {
    // The fork waits this long after each key, so that it is at work when the server ends.
    let server = Server::with(&["rdb-key-save-delay 100000"]);
    for i in 0..100 {
        server.must(&["SET", &i.to_string(), ""]);
    }
    server.must(&["BGREWRITEAOF"]);
    until("it rewrites", || (server.info("aof_rewrite_in_progress")? == "1").then_some(()));
    let dir = server.dir().to_owned();
    drop(server);
    assert!(!dir.exists());
}

#[test]
fn a_stopped_server_keeps_its_connections_and_answers_later() {
    let server = Server::start();
    let mut connection = server.connect().unwrap();
    server.pause();
    connection.set_patience(Duration::from_millis(100)).unwrap();
    connection.send(&["PING"]).unwrap();
    assert!(connection.receive().is_err());
    server.resume();
    connection.set_patience(tidegate_test_redis::PATIENCE).unwrap();
    assert_eq!(connection.receive().unwrap().text(), "PONG");
}

#[test]
fn a_replica_has_what_its_primary_has_and_follows() {
    let (primary, replica) = (Server::start(), Server::start());
    primary.must(&["SET", "before", "1"]);
    replica.replica_of(&primary);
    assert_eq!(replica.must(&["GET", "before"]).text(), "1");
    primary.must(&["SET", "after", "2"]);
    until("the replica follows", || (replica.must(&["GET", "after"]) != Reply::Nil).then_some(()));
}

#[test]
fn passwords_and_users_are_asked_for() {
    let server = Server::builder().password("open").user("reader", "sesame", "~a:* +get +ping").start();
    assert!(server.url().contains(":open@"));
    server.must(&["SET", "a:1", "1"]);
    let mut connection = tidegate_test_redis::Connection::open(server.port()).unwrap();
    assert_eq!(connection.call(&["GET", "a:1"]).unwrap_err().code(), Some("NOAUTH"));
    connection.call(&["AUTH", "reader", "sesame"]).unwrap();
    assert_eq!(connection.call(&["GET", "a:1"]).unwrap().text(), "1");
    assert_eq!(connection.call(&["SET", "a:1", "2"]).unwrap_err().code(), Some("NOPERM"));
}

#[test]
fn a_server_with_tls_shows_a_certificate_of_its_own_authority() {
    let server = Server::builder().tls(ClientCertificates::Required).start();
    assert_eq!(server.url(), format!("rediss://127.0.0.1:{}", server.tls_port()));
    let tls = server.tls();
    let mut client = std::process::Command::new("openssl");
    client.args(["s_client", "-verify_return_error", "-verify_ip", "127.0.0.1", "-quiet", "-connect"]);
    client.arg(format!("127.0.0.1:{}", server.tls_port())).arg("-CAfile").arg(&tls.ca);
    client.arg("-cert").arg(&tls.client_certificate).arg("-key").arg(&tls.client_key);
    let mut client = client
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut client.stdin.take().unwrap(), b"PING\r\nQUIT\r\n").unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("+PONG"), "{output:?}");
}

#[test]
fn valkey_is_started_alike() {
    let server = Builder::default().program(Program::Valkey).start();
    assert_eq!(server.info("server_name").as_deref(), Some("valkey"));
    server.must(&["SET", "key", "value"]);
    assert_eq!(server.must(&["WAITAOF", "1", "0", "10000"]).array()[0], Reply::Integer(1));
    server.kill();
    server.restart();
    assert_eq!(server.must(&["GET", "key"]).text(), "value");
}
