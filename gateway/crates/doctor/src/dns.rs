//! Asks DNS for a host's CNAMEs and addresses, one step at a time, and tells the failures apart.
//!
//! The system's hosts file is not read: visitors do not have it. Search domains are not tried.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use serde::Serialize;

use crate::domain;
use crate::predict::Place;
use crate::site::Options;

/// As many names as resolvers follow themselves.
const CHAIN_MAX: usize = 8;
/// More addresses than this a host has for sharing load only.
const ADDRESSES_MAX: usize = 16;

/// What DNS says of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The host with its CNAMEs and addresses, as far as they are known.
    #[serde(flatten)]
    pub place: Place,
    /// Why there are no addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Why one of the two families of addresses is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<Problem>,
}

/// Why a look-up gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Problem {
    /// NXDOMAIN, of the host itself or of a CNAME's target.
    NoSuchName {
        /// The name that does not exist.
        name: String,
    },
    /// It has no address of either family.
    NoAddress {
        /// The name at the end of the chain.
        name: String,
    },
    /// SERVFAIL, REFUSED or another answer that is none.
    ServerFailure {
        /// The name that was asked for.
        name: String,
        /// The server's words.
        answer: String,
    },
    /// No answer in time.
    Timeout {
        /// The name that was asked for.
        name: String,
    },
    /// CNAMEs in a circle, or too many of them.
    Loop {
        /// The name at which it was noticed.
        name: String,
    },
    /// The question could not be asked at all.
    Unasked {
        /// Why.
        why: String,
    },
}

/// The name server that is asked.
pub(crate) struct Resolver {
    inner: Result<TokioResolver, String>,
    timeout: Duration,
}

impl Resolver {
    pub(crate) fn new(options: &Options) -> Resolver {
        Resolver { inner: build(options).map_err(|error| error.to_string()), timeout: options.timeout }
    }

    /// Everything that DNS says of a host.
    pub(crate) async fn look_up(&self, host: &str) -> Answer {
        let host = domain::plain(host);
        let mut place = Place { host: host.clone(), ..Place::default() };
        if let Some(address) = domain::address(&host) {
            place.addresses.push(address);
            return Answer { place, problem: None, partial: None };
        }
        if let Err(problem) = self.follow(&mut place).await {
            return Answer { place, problem: Some(problem), partial: None };
        }
        let name = place.chain.last().unwrap_or(&host).clone();
        match join(self.ask(&name, RecordType::A), self.ask(&name, RecordType::AAAA)).await {
            (Ok(v4), Ok(v6)) => {
                place.addresses = addresses(v4.into_iter().chain(v6));
                let problem = place.addresses.is_empty().then_some(Problem::NoAddress { name });
                Answer { place, problem, partial: None }
            }
            (Ok(found), Err(problem)) | (Err(problem), Ok(found)) => {
                place.addresses = addresses(found);
                match place.addresses.is_empty() {
                    true => Answer { place, problem: Some(problem), partial: None },
                    false => Answer { place, problem: None, partial: Some(problem) },
                }
            }
            (Err(problem), Err(_)) => Answer { place, problem: Some(problem), partial: None },
        }
    }

    /// Follows the CNAMEs from a host on.
    async fn follow(&self, place: &mut Place) -> Result<(), Problem> {
        let mut name = place.host.clone();
        loop {
            let records = self.ask(&name, RecordType::CNAME).await?;
            let Some(RData::CNAME(target)) = records.into_iter().find(|record| matches!(record, RData::CNAME(_)))
            else {
                return Ok(());
            };
            name = domain::plain(&target.0.to_ascii());
            if place.chain.len() == CHAIN_MAX || name == place.host || place.chain.contains(&name) {
                return Err(Problem::Loop { name });
            }
            place.chain.push(name.clone());
        }
    }

    /// The records of a type; none is no failure.
    async fn ask(&self, host: &str, kind: RecordType) -> Result<Vec<RData>, Problem> {
        let resolver = self.inner.as_ref().map_err(|why| Problem::Unasked { why: why.clone() })?;
        let mut name =
            Name::from_str_relaxed(host).map_err(|error| Problem::Unasked { why: format!("`{host}`: {error}") })?;
        name.set_fqdn(true);
        let name_of = || host.to_owned();
        let Ok(answer) = tokio::time::timeout(self.timeout, resolver.lookup(name, kind)).await else {
            return Err(Problem::Timeout { name: name_of() });
        };
        match answer {
            Ok(found) => Ok(found.answers().iter().map(|record| record.data.clone()).collect()),
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => Err(Problem::NoSuchName { name: name_of() }),
                ResponseCode::NoError => Ok(Vec::new()),
                code => Err(Problem::ServerFailure { name: name_of(), answer: code.to_str().to_owned() }),
            },
            Err(NetError::Dns(DnsError::ResponseCode(code))) => {
                Err(Problem::ServerFailure { name: name_of(), answer: code.to_str().to_owned() })
            }
            Err(NetError::Timeout) => Err(Problem::Timeout { name: name_of() }),
            Err(error) => Err(Problem::Unasked { why: error.to_string() }),
        }
    }
}

fn build(options: &Options) -> Result<TokioResolver, NetError> {
    let mut builder = match options.resolver {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server(server)]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let opts = builder.options_mut();
    // A lost packet is sent again once, within the time of a look-up.
    opts.timeout = options.timeout / 2;
    opts.attempts = 1;
    opts.use_hosts_file = ResolveHosts::Never;
    opts.preserve_intermediates = true;
    builder.build()
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.into())
}

fn addresses(records: impl IntoIterator<Item = RData>) -> Vec<IpAddr> {
    let all = records.into_iter().filter_map(|record| match record {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    let mut addresses: Vec<IpAddr> = all.take(ADDRESSES_MAX).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}
