//! Reads the URL of a store. Never shows a password.

use std::fmt;

use percent_encoding::percent_decode_str;

const PORT: u16 = 6379;
const PORT_OF_SENTINEL: u16 = 26379;
const FORMS: &str = "it has one of the forms `redis://host:6379/0`, `redis+sentinel://host:26379,host:26379/service`, \
                     `redis+cluster://host:6379,host:6379`, each also with `rediss` for TLS";

/// Where a store is, and how to log in.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    kind: Kind,
    nodes: Vec<Node>,
    transport: Transport,
    database: u32,
    login: Login,
    sentinel_login: Login,
}

/// What answers at the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Single,
    /// Sentinels, which know the primary of this service.
    Sentinel {
        service: String,
    },
    Cluster,
}

/// One server's host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// A name or an IP address; an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store's address {what}; {hint}")]
pub struct AddressError {
    what: String,
    hint: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Plain,
    Tls,
}

/// A user and a password; empty without authentication.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl Address {
    /// Reads `redis://[user[:password]@]host[:port][/database]`, or the same for Sentinel or a cluster:
    /// `redis+sentinel://…@host,host/service[/database]`, `redis+cluster://…@host,host`. `rediss` is with TLS; `valkey`
    /// and `valkeys` mean the same as `redis` and `rediss`. User and password are percent-encoded.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return refuse("has no scheme", FORMS);
        };
        let (transport, wanted) = read_scheme(scheme)?;
        if rest.contains('#') {
            return refuse("contains a `#`", "write it as `%23` inside a user or password");
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') && !rest.contains('@') {
            return refuse("contains a `?` before the `@`", "write it as `%3F` inside a user or password");
        }
        // A password may hold a raw `@`, and no host does; a raw `/` would end the hosts.
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some((credentials, rest)) => (Some(credentials), rest),
            None => (None, rest),
        };
        let login = credentials.map_or(Ok(Login::default()), Login::parse)?;
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (kind, database) = wanted.read_path(path)?;
        let nodes = read_nodes(hosts, &kind)?;
        let sentinel_login = read_query(query, &kind)?;
        Ok(Address { kind, nodes, transport, database, login, sentinel_login })
    }

    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The server; or the sentinels, or some nodes of the cluster.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Whether connections are encrypted.
    pub fn tls(&self) -> bool {
        self.transport == Transport::Tls
    }

    pub fn database(&self) -> u32 {
        self.database
    }

    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    pub(super) fn sentinel_login(&self) -> &Login {
        &self.sentinel_login
    }
}

enum Wanted {
    Single,
    Sentinel,
    Cluster,
}

fn read_scheme(scheme: &str) -> Result<(Transport, Wanted), AddressError> {
    let scheme = scheme.to_ascii_lowercase();
    let (base, kind) = scheme.split_once('+').unwrap_or((&scheme, ""));
    let transport = match base {
        "redis" | "valkey" => Transport::Plain,
        "rediss" | "valkeys" => Transport::Tls,
        _ => return refuse(format!("has the unknown scheme `{scheme}`"), FORMS),
    };
    let wanted = match kind {
        "" => Wanted::Single,
        "sentinel" => Wanted::Sentinel,
        "cluster" => Wanted::Cluster,
        _ => return refuse(format!("has the unknown scheme `{scheme}`"), FORMS),
    };
    Ok((transport, wanted))
}

impl Wanted {
    fn read_path(self, path: &str) -> Result<(Kind, u32), AddressError> {
        match self {
            Wanted::Single => Ok((Kind::Single, read_database(path)?)),
            Wanted::Sentinel => {
                let (service, database) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return refuse(
                        "does not name Sentinel's service",
                        "put it behind the hosts, as in `redis+sentinel://host:26379/mymaster`",
                    );
                }
                let service = decode(service, "the service")?;
                Ok((Kind::Sentinel { service }, read_database(database)?))
            }
            Wanted::Cluster => match read_database(path)? {
                0 => Ok((Kind::Cluster, 0)),
                other => {
                    refuse(format!("asks for the database {other} of a cluster"), "a cluster has the database 0 only")
                }
            },
        }
    }
}

fn read_database(text: &str) -> Result<u32, AddressError> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().or_else(|_| {
        refuse(format!("has `{text}` in the place of the database"), "the database is a number, and 0 without one")
    })
}

fn read_nodes(hosts: &str, kind: &Kind) -> Result<Vec<Node>, AddressError> {
    let port = if matches!(kind, Kind::Sentinel { .. }) { PORT_OF_SENTINEL } else { PORT };
    let nodes = hosts.split(',').map(|host| Node::parse(host, port)).collect::<Result<Vec<_>, _>>()?;
    if *kind == Kind::Single && nodes.len() > 1 {
        return refuse("names several hosts", "use `redis+sentinel://` or `redis+cluster://` for several");
    }
    Ok(nodes)
}

fn read_query(query: &str, kind: &Kind) -> Result<Login, AddressError> {
    let mut login = Login::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (kind, key) {
            (Kind::Sentinel { .. }, "sentinel_username") => login.user = Some(decode(value, "the sentinels' user")?),
            (Kind::Sentinel { .. }, "sentinel_password") => {
                login.password = Some(decode(value, "the sentinels' password")?);
            }
            _ => {
                return refuse(
                    format!("has the unknown parameter `{key}`"),
                    "only `sentinel_username` and `sentinel_password` are known, and only of `redis+sentinel`",
                );
            }
        }
    }
    if login.user.is_some() && login.password.is_none() {
        return refuse("has a `sentinel_username` alone", "add `sentinel_password`");
    }
    Ok(login)
}

impl Login {
    fn parse(text: &str) -> Result<Login, AddressError> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let login = Login {
            user: (!user.is_empty()).then(|| decode(user, "the user")).transpose()?,
            password: (!password.is_empty()).then(|| decode(password, "the password")).transpose()?,
        };
        if login.user.is_some() && login.password.is_none() {
            return refuse(
                "has a user without a password",
                "write `user:password@`, or `:password@` for a password alone",
            );
        }
        Ok(login)
    }
}

impl Node {
    fn parse(text: &str, port: u16) -> Result<Node, AddressError> {
        let (host, port_text) = if let Some(rest) = text.strip_prefix('[') {
            let Some((host, after)) = rest.split_once(']') else {
                return refuse(format!("has the host `{text}`"), "close the bracket of the IPv6 address");
            };
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return refuse(format!("has the host `{text}`"), "brackets are for IPv6 addresses, as in `[::1]:6379`");
            }
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return refuse(format!("has the host `{text}`"), "only `:port` may follow the bracket"),
            }
        } else {
            match text.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return refuse(
                        format!("has the host `{text}`"),
                        "write an IPv6 address in brackets, as in `[::1]`",
                    );
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || "%/\\[]<>\"'`{}|^".contains(c);
        if host.is_empty() || host.contains(odd) {
            return refuse(format!("has the host `{text}`"), FORMS);
        }
        let port = match port_text.map(str::parse) {
            None => port,
            Some(Ok(port)) if port != 0 => port,
            Some(_) => {
                return refuse(format!("has a wrong port in `{text}`"), "a port is a number from 1 to 65535");
            }
        };
        Ok(Node { host: host.to_owned(), port })
    }
}

fn decode(text: &str, what: &str) -> Result<String, AddressError> {
    let whole = text.split('%').skip(1).all(|rest| {
        let bytes = rest.as_bytes();
        bytes.len() >= 2 && bytes.iter().take(2).all(u8::is_ascii_hexdigit)
    });
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if whole => Ok(decoded.into_owned()),
        // The text itself is not shown: it may be a password.
        _ => refuse(
            format!("has wrong percent-encoding in {what}"),
            "write a percent sign as `%25`, and other characters in UTF-8",
        ),
    }
}

fn refuse<T>(what: impl Into<String>, hint: impl Into<String>) -> Result<T, AddressError> {
    Err(AddressError { what: what.into(), hint: hint.into() })
}

impl AddressError {
    /// What is wrong.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// How to mend it.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls() { "rediss" } else { "redis" })?;
        match self.kind {
            Kind::Single => f.write_str("://")?,
            Kind::Sentinel { .. } => f.write_str("+sentinel://")?,
            Kind::Cluster => f.write_str("+cluster://")?,
        }
        if let Some(user) = &self.login.user {
            f.write_str(user)?;
        }
        if self.login.password.is_some() {
            f.write_str(":***@")?;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{node}")?;
        }
        match &self.kind {
            Kind::Single => write!(f, "/{}", self.database),
            Kind::Sentinel { service } => write!(f, "/{service}/{}", self.database),
            Kind::Cluster => Ok(()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user.as_deref().unwrap_or("default"))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests;
