//! What ClickHouse's answers mean. The exception's code decides: many that blame a row come with a 500.
//!
//! Sources: `src/Common/ErrorCodes.cpp` and `src/Server/HTTP/exceptionCodeToHTTPStatus.cpp` of
//! github.com/ClickHouse/ClickHouse. Which code asks for what is our reading of its name: one table, `class`.

use tidegate_plugin_sdk::{Context, Response, Verdict, classify};

/// What an exception asks for.
#[derive(Debug, PartialEq, Eq)]
enum Class {
    /// The rows are there already.
    Done,
    /// The account, the table or the statement: nothing gets through until somebody mends it.
    Operator(&'static str),
    /// Asking again soon makes it worse.
    Busy,
    /// A fault of the server's, or of its network.
    Transient,
    /// A row is bad. An insert is all or nothing, so that no other row was taken either.
    Row,
}

const ACCOUNT: &str = "ClickHouse refuses the user: correct `user` and `password`, or the server's own settings for it";
const GRANT: &str = "the user may not insert: GRANT INSERT on the table to it";
const TABLE: &str = "there is no such table: correct `database` and `table`, or create it as `table.sql` shows";
const SETTING: &str = "the server or the user's profile refuses a setting of the insert: allow it there";
const STATEMENT: &str = "ClickHouse cannot insert into this table: compare it with `table.sql`";
const ADDRESS: &str = "this is no HTTP interface of ClickHouse: correct `url`";

/// How long to wait while ClickHouse merges, or until a quota's interval ends.
const BUSY_MS: u64 = 30_000;

fn class(code: u32) -> Option<Class> {
    Some(match code {
        // INSERT_WAS_DEDUPLICATED.
        389 => Class::Done,
        // UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, IP_ADDRESS_NOT_ALLOWED, AUTHENTICATION_FAILED.
        192..=195 | 516 => Class::Operator(ACCOUNT),
        // DATABASE_ACCESS_DENIED, ACCESS_DENIED, UNKNOWN_ROLE, SET_NON_GRANTED_ROLE.
        291 | 497 | 511 | 512 => Class::Operator(GRANT),
        // UNKNOWN_TABLE, UNKNOWN_DATABASE, TABLE_IS_DROPPED.
        60 | 81 | 218 => Class::Operator(TABLE),
        // UNKNOWN_SETTING, READONLY, SETTING_CONSTRAINT_VIOLATION, READONLY_SETTING.
        115 | 164 | 452 | 472 => Class::Operator(SETTING),
        // NO_SUCH_COLUMN_IN_TABLE, NOT_IMPLEMENTED, SYNTAX_ERROR, UNKNOWN_FORMAT, SUPPORT_IS_DISABLED.
        16 | 48 | 62 | 73 | 344 => Class::Operator(STATEMENT),
        // QUOTA_EXPIRED, MEMORY_LIMIT_EXCEEDED, NOT_ENOUGH_SPACE, TOO_MANY_PARTS.
        201 | 241 | 243 | 252 => Class::Busy,
        // TIMEOUT_EXCEEDED, TOO_SLOW, TOO_MANY_SIMULTANEOUS_QUERIES, NO_FREE_CONNECTION, DNS_ERROR, SOCKET_TIMEOUT,
        // NETWORK_ERROR, NO_ZOOKEEPER, ABORTED, TABLE_IS_READ_ONLY (a replica without its keeper),
        // UNEXPECTED_ZOOKEEPER_ERROR.
        159 | 160 | 198 | 202 | 203 | 209 | 210 | 225 | 236 | 242 | 244 => Class::Transient,
        // NO_ACTIVE_REPLICAS, ALL_CONNECTION_TRIES_FAILED, TOO_FEW_LIVE_REPLICAS,
        // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE, UNKNOWN_STATUS_OF_INSERT, RECEIVED_ERROR_TOO_MANY_REQUESTS,
        // ALL_REPLICAS_ARE_STALE, QUERY_WAS_CANCELLED, SYSTEM_ERROR, CANNOT_SCHEDULE_TASK, DEADLOCK_AVOIDED, S3_ERROR,
        // KEEPER_EXCEPTION.
        254 | 279 | 285 | 286 | 319 | 364 | 369 | 394 | 425 | 439 | 473 | 499 | 999 => Class::Transient,
        // CANNOT_PARSE_TEXT, …_ESCAPE_SEQUENCE, …_QUOTED_STRING, …_INPUT_ASSERTION_FAILED, CANNOT_READ_ALL_DATA,
        // CANNOT_PARSE_DATE, …_DATETIME, TYPE_MISMATCH, ARGUMENT_OUT_OF_BOUND, CANNOT_CONVERT_TYPE,
        // CANNOT_PARSE_NUMBER.
        6 | 25 | 26 | 27 | 33 | 38 | 41 | 53 | 69 | 70 | 72 => Class::Row,
        // INCORRECT_DATA, TOO_LARGE_ARRAY_SIZE, CANNOT_READ_ARRAY_FROM_TEXT, TOO_LARGE_STRING_SIZE,
        // INVALID_PARTITION_VALUE, VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE, CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN,
        // CANNOT_PARSE_UUID, DECIMAL_OVERFLOW, CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING, CANNOT_PARSE_BOOL,
        // VIOLATED_CONSTRAINT.
        117 | 128 | 130 | 131 | 248 | 321 | 349 | 376 | 407 | 441 | 467 | 469 => Class::Row,
        _ => return None,
    })
}

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let Some(code) = code(response) else { return without_code(response, count, ctx) };
    match class(code) {
        Some(Class::Done) => Verdict::Delivered,
        Some(Class::Operator(hint)) => operator(hint, response),
        Some(Class::Busy) => Verdict::Retry(classify::retry_after_ms(response, ctx.now_ms).or(Some(BUSY_MS))),
        Some(Class::Transient) => Verdict::Retry(classify::retry_after_ms(response, ctx.now_ms)),
        Some(Class::Row) if count > 1 => Verdict::Split,
        Some(Class::Row) => Verdict::Reject(classify::reason(response)),
        // An exception that came too late for the status is as much of one; of an unknown one the status says whose
        // fault it is.
        None if (200..300).contains(&response.status) => Verdict::Retry(None),
        None => classify::by_status(response, count, ctx),
    }
}

/// The exception's code: from its header, or from the text, `Code: 60. DB::Exception: …`.
fn code(response: &Response) -> Option<u32> {
    if let Some(code) = classify::header(response, "x-clickhouse-exception-code") {
        return code.trim().parse().ok();
    }
    let text = response.body.trim_ascii_start().strip_prefix(b"Code: ")?;
    let digits = text.iter().take(9).take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

fn without_code(response: &Response, count: u32, ctx: &Context) -> Verdict {
    match response.status {
        // An insert that succeeds has nothing to say; a proxy's page is no success. A row that is there twice is
        // merged.
        200..=299 if !response.body.trim_ascii().is_empty() => Verdict::Retry(None),
        404 => operator(ADDRESS, response),
        _ => classify::by_status(response, count, ctx),
    }
}

fn operator(hint: &str, response: &Response) -> Verdict {
    Verdict::Credentials([hint, " (", &classify::reason(response), ")"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Response { endpoint: "rows".into(), status, headers, body: body.into() }
    }

    #[test]
    fn a_code_is_read_from_the_header_or_from_either_form_of_the_text() {
        assert_eq!(code(&response(404, &[("X-ClickHouse-Exception-Code", "60")], "")), Some(60));
        assert_eq!(code(&response(500, &[], "Code: 252. DB::Exception: Too many parts (300).")), Some(252));
        assert_eq!(code(&response(500, &[], "Code: 252, e.displayText() = DB::Exception: Too many parts")), Some(252));
        for body in ["", "Code: ", "Code: x", "Bad Gateway", "Code: 99999999999999999999"] {
            assert!(code(&response(500, &[], body)).is_none_or(|code| class(code).is_none()), "{body}");
        }
    }

    #[test]
    fn a_code_has_one_meaning_whatever_the_status() {
        let ctx = Context::example();
        for status in [200, 400, 500] {
            let response = response(status, &[], "Code: 407. DB::Exception: Decimal overflow. (DECIMAL_OVERFLOW)");
            assert_eq!(verdict(&response, 2, &ctx), Verdict::Split, "{status}");
            assert!(matches!(verdict(&response, 1, &ctx), Verdict::Reject(_)), "{status}");
        }
    }
}
