-- The table that this plugin writes to: schema version 1. Column names are fixed; types may be others that take the
-- same JSON. Columns may be left out, ClickHouse then skips their values, and columns of your own get their defaults.
--
-- ReplacingMergeTree keeps one row for each sorting key, the one received last: an event that arrives twice counts
-- once, as soon as its parts are merged, or at once in `SELECT … FROM events FINAL`.
CREATE TABLE events
(
    schema_version UInt8,
    event_id String,
    event_name LowCardinality(String),
    event_kind LowCardinality(String),
    event_time DateTime64(3, 'UTC'),
    received_time DateTime64(3, 'UTC'),
    is_test Bool,
    anonymous_id String,
    user_id String,
    email_sha256 String,
    phone_sha256 String,
    session_id String,
    session_number Nullable(UInt32),
    engagement_ms Nullable(UInt64),
    page_url String,
    page_title String,
    page_referrer String,
    user_agent String,
    locale LowCardinality(String),
    region LowCardinality(String),
    consent_granted Array(LowCardinality(String)),
    consent_denied Array(LowCardinality(String)),
    gpc Bool,
    limited_data_use Bool,
    clicks Array(Tuple(kind LowCardinality(String), value String, seen_time DateTime64(3, 'UTC'))),
    value Nullable(Decimal(18, 4)),
    currency LowCardinality(String),
    order_id String,
    items Array(Tuple(id String, name String, brand String, category String, variant String, quantity Nullable(Float64), price Nullable(Decimal(18, 6)), properties String)),
    -- Since version 25.3 of ClickHouse this may be JSON as well.
    properties String
)
ENGINE = ReplacingMergeTree(received_time)
PARTITION BY toYYYYMM(event_time)
ORDER BY (event_name, toDate(event_time), event_id);
