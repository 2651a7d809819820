//! Where an address is, by a MaxMind database: the one file that this crate reads.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{MaxMindDbError, PathElement, Reader};

use crate::Region;

/// Kinds of databases that know countries, by what their names contain.
const KINDS: [&str; 3] = ["city", "country", "enterprise"];

/// A database, in memory.
pub struct Geo {
    reader: Reader<Vec<u8>>,
}

/// Why a database could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("read the database `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        #[source]
        err: std::io::Error,
    },
    /// The file is no MaxMind database, or a damaged one.
    #[error("`{}` is no MaxMind database", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        #[source]
        err: MaxMindDbError,
    },
    /// The database knows other things than countries.
    #[error("the database `{}` is of the kind `{kind}` and knows no countries", file.display())]
    Kind {
        /// The file.
        file: PathBuf,
        /// The kind that it says it is of.
        kind: String,
    },
}

impl Error {
    /// How to mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Read { .. } => "relative paths are relative to the configuration file",
            Error::Format { .. } | Error::Kind { .. } => {
                "take `GeoLite2-City.mmdb` or `GeoLite2-Country.mmdb`, unpacked"
            }
        }
    }
}

impl Geo {
    /// Loads a database into memory.
    ///
    /// # Errors
    /// When the file cannot be read, is no database, or one without countries.
    pub fn open(file: &Path) -> Result<Geo, Error> {
        let bytes = std::fs::read(file).map_err(|err| Error::Read { file: file.to_owned(), err })?;
        let reader = Reader::from_source(bytes).map_err(|err| Error::Format { file: file.to_owned(), err })?;
        let kind = &reader.metadata().database_type;
        if KINDS.iter().any(|known| kind.to_ascii_lowercase().contains(known)) {
            Ok(Geo { reader })
        } else {
            Err(Error::Kind { file: file.to_owned(), kind: kind.clone() })
        }
    }

    /// The country of an address, with its largest subdivision where that is known. An address that the database does not
    /// know, or knows only by damaged data, is nowhere.
    pub fn region(&self, address: IpAddr) -> Option<Region> {
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        let text = |path: &[PathElement<'_>]| found.decode_path::<&str>(path).ok().flatten();
        let country = text(&[PathElement::Key("country"), PathElement::Key("iso_code")])?;
        let subdivision =
            text(&[PathElement::Key("subdivisions"), PathElement::Index(0), PathElement::Key("iso_code")]);
        Region::of(country, subdivision).or_else(|| Region::of(country, None))
    }
}

impl fmt::Debug for Geo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Geo").field(&self.reader.metadata().database_type).finish()
    }
}
