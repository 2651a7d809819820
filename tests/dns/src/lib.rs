//! A name server of a few lines: a zone as text, over UDP.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has to say so and end")]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr as _;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType, rdata};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// A name's answers: addresses, `CNAME target`, `SERVFAIL`, `REFUSED`, `SILENCE`, or `SERVFAIL-AAAA` for the one type.
pub type Zone = BTreeMap<String, String>;

/// Serves a zone until the tasks are dropped. A name that is not in it does not exist.
///
/// # Panics
/// When no port can be had.
pub async fn serve(zone: Zone, tasks: &mut JoinSet<()>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tasks.spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
            if let Some(answer) = answer(&zone, question) {
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        }
    });
    address
}

fn answer(zone: &Zone, question: Message) -> Option<Message> {
    let query = question.queries.first()?.clone();
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.recursion_desired = true;
    answer.metadata.recursion_available = true;
    let name = query.name().to_ascii().to_lowercase();
    let kind = query.query_type();
    let entry = zone.get(name.trim_end_matches('.'));
    let words: Vec<&str> = entry.map(|entry| entry.split(' ').collect()).unwrap_or_default();
    answer.metadata.response_code = match words.as_slice() {
        ["SILENCE"] => return None,
        ["SERVFAIL"] => ResponseCode::ServFail,
        ["SERVFAIL-AAAA", ..] if kind == RecordType::AAAA => ResponseCode::ServFail,
        ["REFUSED"] => ResponseCode::Refused,
        _ if entry.is_none() => ResponseCode::NXDomain,
        _ => ResponseCode::NoError,
    };
    if answer.metadata.response_code == ResponseCode::NoError {
        for data in records(&words).into_iter().filter(|data| data.record_type() == kind) {
            answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
        }
    }
    answer.add_query(query);
    Some(answer)
}

fn records(words: &[&str]) -> Vec<RData> {
    if let ["CNAME", target] = words {
        return vec![RData::CNAME(rdata::CNAME(Name::from_str(&format!("{target}.")).unwrap()))];
    }
    let addresses = words.iter().filter_map(|word| word.parse::<IpAddr>().ok());
    let record = |address| match address {
        IpAddr::V4(address) => RData::A(rdata::A(address)),
        IpAddr::V6(address) => RData::AAAA(rdata::AAAA(address)),
    };
    addresses.map(record).collect()
}
