//! The plain objects that JavaScript gives.

use napi::Result;
use napi_derive::napi;
use tidelog_api as api;

use crate::error::invalid_value;
use crate::value::Data;

/// A duration, which the package has checked to be a whole number that is not negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates")]
pub(crate) fn ms(duration: f64) -> u64 {
    duration as u64
}

/// How a collection is opened.
#[napi(object, object_to_js = false)]
pub struct CollectionOptions {
    /// Whether it holds documents instead of plain values.
    pub documents: bool,
    pub key_field: Option<String>,
}

impl From<CollectionOptions> for api::CollectionOptions {
    fn from(options: CollectionOptions) -> Self {
        let policy = if options.documents { api::Policy::Document } else { api::Policy::Lww };
        Self { policy, key_field: options.key_field }
    }
}

/// An item to write.
#[napi(object, object_to_js = false)]
pub struct NewItem {
    pub key: Option<String>,
    #[napi(ts_type = "unknown")]
    pub value: Data,
}

impl From<NewItem> for api::NewItem {
    fn from(item: NewItem) -> Self {
        Self { key: item.key, value: item.value.0 }
    }
}

/// A query.
#[napi(object, object_to_js = false)]
pub struct Query {
    #[napi(ts_type = "unknown")]
    pub filter: Data,
    pub sort: Vec<String>,
    pub limit: Option<u32>,
    pub offset: u32,
    pub cursor: Option<String>,
    pub ids: Option<Vec<String>>,
}

impl From<Query> for api::Query {
    fn from(query: Query) -> Self {
        let Query { filter, sort, limit, offset, cursor, ids } = query;
        Self { filter: filter.0, sort, limit, offset, cursor, ids }
    }
}

/// What a watch of a workspace observes.
#[napi(object, object_to_js = false)]
pub struct WatchOptions {
    pub pattern: Option<String>,
    pub initial: bool,
}

impl From<WatchOptions> for api::WatchOptions {
    fn from(options: WatchOptions) -> Self {
        Self { pattern: options.pattern, initial: options.initial }
    }
}

/// Where a lost workspace still is.
#[napi(object, object_to_js = false)]
pub struct RecoverFrom {
    pub folder: Option<String>,
    pub relay: Option<String>,
    pub workspace: Option<String>,
}

impl From<RecoverFrom> for api::RecoverFrom {
    fn from(from: RecoverFrom) -> Self {
        let RecoverFrom { folder, relay, workspace } = from;
        Self { folder, relay, workspace }
    }
}

/// How a device joins.
#[napi(object, object_to_js = false)]
pub struct JoinOptions {
    pub profile: String,
    pub timeout_ms: Option<f64>,
}

impl From<JoinOptions> for api::JoinOptions {
    fn from(options: JoinOptions) -> Self {
        Self { profile: options.profile, timeout_ms: options.timeout_ms.map(ms) }
    }
}

/// What an invite allows.
#[napi(object, object_to_js = false)]
pub struct InviteOptions {
    pub relay: Option<String>,
    pub role: Option<String>,
    pub expires_in_ms: Option<f64>,
    pub auto_approve: bool,
    pub uses: Option<u32>,
    pub same_user: bool,
    pub circles: Vec<String>,
}

impl From<InviteOptions> for api::InviteOptions {
    fn from(options: InviteOptions) -> Self {
        let InviteOptions { relay, role, expires_in_ms, auto_approve, uses, same_user, circles } = options;
        let expires_in_ms = expires_in_ms.map(ms);
        Self { relay, role, expires_in_ms, auto_approve, uses, same_user, circles }
    }
}

/// How a circle is made.
#[napi(object, object_to_js = false)]
pub struct CircleOptions {
    pub history: Option<String>,
    pub recoverable: Option<bool>,
}

impl From<CircleOptions> for api::CircleOptions {
    fn from(options: CircleOptions) -> Self {
        Self { history: options.history, recoverable: options.recoverable }
    }
}

/// An edit of a document. Which fields it has follows from its kind.
#[napi(object, object_to_js = false)]
pub struct Edit {
    #[napi(ts_type = "'set' | 'delete' | 'insert' | 'splice' | 'increment'")]
    pub kind: String,
    pub path: String,
    #[napi(ts_type = "unknown")]
    pub value: Option<Data>,
    pub position: Option<u32>,
    pub delete: Option<u32>,
    pub text: Option<String>,
    #[napi(ts_type = "unknown")]
    pub by: Option<Data>,
}

/// The edits of the engine.
pub(crate) fn edits(given: Vec<Edit>) -> Result<Vec<api::Edit>> {
    given.into_iter().map(edit).collect()
}

fn edit(given: Edit) -> Result<api::Edit> {
    let Edit { kind, path, value, position, delete, text, by } = given;
    let value = || value.map_or(api::Value::Null, |data| data.0);
    let position = position.unwrap_or_default().into();
    match kind.as_str() {
        "set" => Ok(api::Edit::Set { path, value: value() }),
        "delete" => Ok(api::Edit::Delete { path }),
        "insert" => Ok(api::Edit::Insert { path, position, value: value() }),
        "splice" => {
            let (delete, text) = (delete.unwrap_or_default().into(), text.unwrap_or_default());
            Ok(api::Edit::SpliceText { path, position, delete, text })
        }
        "increment" => match by {
            Some(Data(api::Value::Int(by))) => Ok(api::Edit::Increment { path, by }),
            _ => Err(invalid_value("a counter grows by an integer of 64 bits with sign")),
        },
        _ => Err(invalid_value("there is no such edit")),
    }
}
