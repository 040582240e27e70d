//! Errors on their way to JavaScript.

use tidelog_api::{Error, ErrorKind};

/// Separates the code from the reason in the message of an error. Only synchronous functions could carry a code of
/// their own; this way all are alike.
const SEPARATOR: char = '\0';

/// The error that JavaScript gets.
pub(crate) fn to_js(error: &Error) -> napi::Error {
    napi::Error::from_reason(format!("{}{SEPARATOR}{}", error.kind.code(), error.reason))
}

/// The error of data that cannot be stored.
pub(crate) fn invalid_value(reason: impl Into<String>) -> napi::Error {
    to_js(&Error::new(ErrorKind::InvalidValue, reason))
}

/// Results that cross the boundary.
pub(crate) trait OrThrow<T> {
    /// The same result with the error of JavaScript.
    fn or_throw(self) -> napi::Result<T>;
}

impl<T> OrThrow<T> for tidelog_api::Result<T> {
    fn or_throw(self) -> napi::Result<T> {
        self.map_err(|error| to_js(&error))
    }
}
