//! The proxy: each of its faults does what it says.

use std::time::{Duration, Instant};

use tidegate_test_redis::{Connection, Error, PATIENCE, Proxy, Reply, Server, until};

/// A server behind a proxy, with a connection through it.
fn start() -> (Server, Proxy, Connection) {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let mut connection = Connection::open(proxy.port()).expect("the proxy listens");
    assert_eq!(connection.call(&["PING"]).expect("the server answers").text(), "PONG");
    (server, proxy, connection)
}

fn io_error(result: Result<Reply, Error>) -> std::io::ErrorKind {
    match result {
        Err(Error::Io(error)) => error.kind(),
        other => panic!("{other:?}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "the proxy delays in real time")]
fn took(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

#[test]
fn what_is_sent_passes_also_when_it_is_long() {
    let (server, proxy, mut connection) = start();
    let long = "x".repeat(3_000_000);
    connection.call(&["SET", "key", &long]).unwrap();
    assert_eq!(connection.call(&["GET", "key"]).unwrap().text(), long);
    assert_eq!(server.must(&["STRLEN", "key"]), Reply::Integer(3_000_000));
    assert_eq!(proxy.connections(), 1);
    drop(connection);
    until("the proxy sees the end", || (proxy.connections() == 0).then_some(()));
}

#[test]
fn a_delay_is_that_of_both_directions() {
    let (_server, proxy, mut connection) = start();
    proxy.delay(Duration::from_millis(60), Duration::from_millis(40));
    let time = took(|| {
        connection.call(&["PING"]).unwrap();
    });
    assert!(time >= Duration::from_millis(100), "{time:?}");
    proxy.pass();
    connection.call(&["PING"]).unwrap();
}

#[test]
fn a_reset_connection_is_reset_and_a_new_one_works() {
    let (_server, proxy, mut connection) = start();
    proxy.reset();
    assert_eq!(proxy.connections(), 0);
    assert_eq!(io_error(connection.receive()), std::io::ErrorKind::ConnectionReset);
    let mut connection = Connection::open(proxy.port()).unwrap();
    connection.call(&["PING"]).unwrap();
}

#[test]
fn refused_connections_are_new_ones_only() {
    let (_server, proxy, mut connection) = start();
    proxy.refuse_new();
    assert_eq!(Connection::open(proxy.port()).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    connection.call(&["PING"]).unwrap();
    proxy.accept_new();
    Connection::open(proxy.port()).unwrap().call(&["PING"]).unwrap();
}

#[test]
fn a_half_open_connection_is_silent_for_ever() {
    let (server, proxy, mut connection) = start();
    proxy.half_open();
    connection.set_patience(Duration::from_millis(100)).unwrap();
    assert_eq!(io_error(connection.call(&["SET", "key", "lost"])), std::io::ErrorKind::WouldBlock);
    let mut new = Connection::open(proxy.port()).unwrap();
    new.set_patience(Duration::from_millis(100)).unwrap();
    assert_eq!(io_error(new.call(&["PING"])), std::io::ErrorKind::WouldBlock);
    server.kill();
    assert_eq!(io_error(connection.receive()), std::io::ErrorKind::WouldBlock, "it does not even learn of the end");
    server.restart();
    proxy.pass();
    assert_eq!(io_error(connection.call(&["PING"])), std::io::ErrorKind::WouldBlock);
    assert_eq!(Connection::open(proxy.port()).unwrap().call(&["EXISTS", "key"]).unwrap(), Reply::Integer(0));
}

#[test]
fn what_is_held_arrives_later() {
    let (server, proxy, mut connection) = start();
    proxy.hold();
    connection.set_patience(Duration::from_millis(100)).unwrap();
    assert_eq!(io_error(connection.call(&["INCR", "n"])), std::io::ErrorKind::WouldBlock);
    assert_eq!(server.must(&["GET", "n"]), Reply::Nil);
    proxy.pass();
    connection.set_patience(PATIENCE).unwrap();
    assert_eq!(connection.receive().unwrap(), Reply::Integer(1));
}

#[test]
fn an_answer_is_lost_after_the_server_has_done_it() {
    let (server, proxy, mut connection) = start();
    proxy.drop_answers_after(2);
    for i in 1..=2 {
        assert_eq!(connection.call(&["INCR", "n"]).unwrap(), Reply::Integer(i));
    }
    assert_eq!(io_error(connection.call(&["INCR", "n"])), std::io::ErrorKind::ConnectionReset);
    assert_eq!(server.must(&["GET", "n"]).text(), "3");
    assert_eq!(proxy.losses(), 1);
    Connection::open(proxy.port()).unwrap().call(&["PING"]).unwrap();
}

#[test]
fn the_answer_to_one_command_is_lost_among_others() {
    let (server, proxy, mut connection) = start();
    let mut other = Connection::open(proxy.port()).unwrap();
    proxy.drop_answer_to("EXEC");
    other.call(&["PING"]).unwrap();
    connection.call(&["MULTI"]).unwrap();
    connection.call(&["INCR", "n"]).unwrap();
    assert_eq!(io_error(connection.call(&["exec"])), std::io::ErrorKind::ConnectionReset);
    assert_eq!(server.must(&["GET", "n"]).text(), "1");
    other.call(&["PING"]).unwrap();
}

#[test]
fn a_request_is_lost_before_the_server_has_it() {
    let (server, proxy, mut connection) = start();
    proxy.drop_request("INCR");
    assert_eq!(io_error(connection.call(&["INCR", "n"])), std::io::ErrorKind::ConnectionReset);
    assert_eq!(server.must(&["GET", "n"]), Reply::Nil);
    assert_eq!(proxy.losses(), 1);
}

#[test]
fn an_answer_is_cut_in_its_middle() {
    let (server, proxy, mut connection) = start();
    server.must(&["SET", "key", "0123456789"]);
    proxy.cut_answer_to("GET", 9);
    assert_eq!(io_error(connection.call(&["GET", "key"])), std::io::ErrorKind::UnexpectedEof);
    let mut connection = Connection::open(proxy.port()).unwrap();
    assert_eq!(connection.call(&["GET", "key"]).unwrap().text(), "0123456789");
}

#[test]
fn a_proxy_of_a_dead_server_resets() {
    let (server, proxy, mut connection) = start();
    server.kill();
    assert!(connection.call(&["PING"]).is_err());
    // The reset may come before the connection is set up.
    let asked = Connection::open(proxy.port()).map_err(Error::from).and_then(|mut new| new.call(&["PING"]));
    assert!(matches!(asked, Err(Error::Io(_))), "{asked:?}");
    server.restart();
    Connection::open(proxy.port()).unwrap().call(&["PING"]).unwrap();
}
