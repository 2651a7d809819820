//! What Google's error codes ask for. Owns the table and nothing else.
//!
//! Source: `google/ads/googleads/v24/errors/*.proto` in googleapis/googleapis, which v26 documents alike.

/// What is to be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Google has it already, or has nothing to do with it: nothing is left to be done.
    Done,
    /// Too early: again after this time.
    Later(u64),
    /// Too many calls: again when Google says.
    Throttled,
    /// A fault of Google's: again.
    Transient,
    /// Two of one request are one to Google, which takes neither. Singly, the second is `Done`.
    Twice,
    /// The credentials, the account, or the version of the API: nothing gets through until somebody mends it.
    Operator(&'static str),
    /// This one will never be taken.
    Never,
}

const HOUR_MS: u64 = 3_600_000;

/// The class of a code, such as `UNPARSEABLE_GCLID` of the family `conversionUploadError`.
pub(crate) fn class(family: &str, code: &str) -> Class {
    match (family, code) {
        ("conversionUploadError", code) => conversion(code),
        ("conversionAdjustmentUploadError", code) => adjustment(code),
        ("quotaError", "ACCESS_PROHIBITED") => Class::Operator("Google Ads does not give this project access"),
        ("quotaError", _) => Class::Throttled,
        // A code that this version of the API cannot name; its message says what it is.
        ("internalError", "ERROR_CODE_NOT_PUBLISHED") => Class::Never,
        ("internalError", _) | ("databaseError", "CONCURRENT_MODIFICATION") => Class::Transient,
        ("authenticationError", "CUSTOMER_NOT_FOUND" | "CLIENT_CUSTOMER_ID_INVALID") => {
            Class::Operator("there is no such account: correct `customer_id`")
        }
        ("authenticationError", _) => Class::Operator("the credentials are refused; make a new refresh token"),
        ("authorizationError", _) => Class::Operator(
            "access to this account is refused: correct `customer_id` or `login_customer_id`, or the project's access level",
        ),
        ("headerError", _) => Class::Operator("the manager account is refused: correct `login_customer_id`"),
        ("requestError", code) => request(code),
        _ => Class::Never,
    }
}

fn conversion(code: &str) -> Class {
    match code {
        "CLICK_CONVERSION_ALREADY_EXISTS" | "CALL_CONVERSION_ALREADY_EXISTS" | "ORDER_ID_ALREADY_IN_USE" => Class::Done,
        // "The email address or phone number for this event can't be matched to a click. This may be because it didn't
        // come from a Google Ads campaign, and you can safely ignore this warning."
        "CLICK_NOT_FOUND" => Class::Done,
        // "The click … occurred less than 6 hours ago. Retry after 6 hours have passed."
        "TOO_RECENT_EVENT" | "TOO_RECENT_CALL" | "TOO_RECENT_CONVERSION_ACTION" => Class::Later(6 * HOUR_MS),
        "DUPLICATE_ORDER_ID" | "DUPLICATE_CLICK_CONVERSION_IN_REQUEST" => Class::Twice,
        _ => Class::Never,
    }
}

fn adjustment(code: &str) -> Class {
    match code {
        "CONVERSION_ALREADY_ENHANCED" | "CONVERSION_ALREADY_RETRACTED" | "RESTATEMENT_ALREADY_EXISTS" => Class::Done,
        // What is known of the conversion is newer than this.
        "MORE_RECENT_RESTATEMENT_FOUND" => Class::Done,
        "TOO_RECENT_CONVERSION_ACTION" => Class::Later(6 * HOUR_MS),
        // "Try adjusting a conversion that occurred at least 24 hours ago."
        "TOO_RECENT_CONVERSION" => Class::Later(24 * HOUR_MS),
        "DUPLICATE_ADJUSTMENT_IN_REQUEST" | "DUPLICATE_ENHANCEMENT_IN_REQUEST" => Class::Twice,
        _ => Class::Never,
    }
}

fn request(code: &str) -> Class {
    match code {
        "UNSUPPORTED_VERSION" => Class::Operator("this version of the API is no longer supported: raise `api_version`"),
        "INVALID_CUSTOMER_ID" => Class::Operator("there is no such account: correct `customer_id`"),
        "LOGIN_CUSTOMER_ID_PARAMETER_MISSING" => Class::Operator("set `login_customer_id`"),
        "CANNOT_BE_EXECUTED_BY_MANAGER_ACCOUNT" => Class::Operator("`customer_id` is a manager account's"),
        "CLOUD_PROJECT_NOT_FOUND" | "DEVELOPER_TOKEN_PARAMETER_MISSING" => {
            Class::Operator("the credentials are refused: check the Google Cloud project that they are of")
        }
        "RPC_DEADLINE_TOO_SHORT" => Class::Transient,
        _ => Class::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_google_has_already_is_done() {
        for code in ["CLICK_CONVERSION_ALREADY_EXISTS", "ORDER_ID_ALREADY_IN_USE", "CLICK_NOT_FOUND"] {
            assert_eq!(class("conversionUploadError", code), Class::Done, "{code}");
        }
        for code in ["CONVERSION_ALREADY_ENHANCED", "CONVERSION_ALREADY_RETRACTED", "MORE_RECENT_RESTATEMENT_FOUND"] {
            assert_eq!(class("conversionAdjustmentUploadError", code), Class::Done, "{code}");
        }
    }

    #[test]
    fn what_is_too_early_waits_as_long_as_google_documents() {
        assert_eq!(class("conversionUploadError", "TOO_RECENT_EVENT"), Class::Later(21_600_000));
        assert_eq!(class("conversionAdjustmentUploadError", "TOO_RECENT_CONVERSION"), Class::Later(86_400_000));
    }

    #[test]
    fn the_rest_is_told_apart_by_its_family() {
        assert_eq!(class("quotaError", "RESOURCE_EXHAUSTED"), Class::Throttled);
        assert_eq!(class("internalError", "TRANSIENT_ERROR"), Class::Transient);
        assert_eq!(class("internalError", "ERROR_CODE_NOT_PUBLISHED"), Class::Never);
        for family in ["authenticationError", "authorizationError", "headerError"] {
            assert!(matches!(class(family, "ANY"), Class::Operator(_)), "{family}");
        }
        for code in ["EXPIRED_EVENT", "UNPARSEABLE_GCLID", "GBRAID_WBRAID_BOTH_SET", "NEW_IN_V27"] {
            assert_eq!(class("conversionUploadError", code), Class::Never, "{code}");
        }
        assert_eq!(class("fieldError", "REQUIRED"), Class::Never);
    }
}
