//! What a relay answers over HTTP.
//!
//! ```text
//! GET /sync                   WebSocket, one session each; `Authorization: Bearer <token>` admits
//!                             new workspaces; the response names the key in `Tidelog-Relay-Key`
//! GET /.well-known/tidelog    {"key": <64 hex digits>, "protocol": 1}
//! GET /healthz                200 while the relay serves, 503 while it stops
//! GET /metrics                Prometheus text
//! ```

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tidelog_log::crypto::noise::MESSAGE_MAX;
use tidelog_log::ids::EntryId;
use tokio::sync::mpsc;

use crate::config::READ_BUFFER_BYTES;
use crate::connection::{self, Arrival};
use crate::door::Caller;
use crate::relay::Shared;
use crate::visitor::Visitor;

/// Version of the sync protocol.
const PROTOCOL: u32 = 1;
/// Names the relay's key in the answer to a WebSocket request.
const KEY_HEADER: &str = "tidelog-relay-key";
/// When an address with too many unauthenticated sessions should come back, in seconds.
const RETRY_AFTER_S: &str = "1";

#[derive(Clone)]
struct App {
    shared: Arc<Shared>,
    /// Held by each connection as long as it lives.
    presence: mpsc::Sender<()>,
}

/// The relay's key as text.
pub(crate) fn key_text(shared: &Shared) -> String {
    // An entry id prints 32 bytes as hexadecimal digits, as wanted here.
    EntryId(shared.secret.public()).to_string()
}

/// The routes.
pub(crate) fn router(
    shared: Arc<Shared>,
    presence: mpsc::Sender<()>,
) -> IntoMakeServiceWithConnectInfo<Router, Caller> {
    Router::new()
        .route("/sync", any(sync))
        .route("/.well-known/tidelog", get(well_known))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .with_state(App { shared, presence })
        .into_make_service_with_connect_info::<Caller>()
}

async fn sync(
    State(app): State<App>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let address = client_address(caller.address, &headers, app.shared.behind_proxy);
    let Some(pass) = app.shared.gate.enter(address) else {
        app.shared.metrics.connections_refused_total.add(1);
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, RETRY_AFTER_S)]).into_response();
    };
    let visitor = Visitor::new(Arc::clone(&app.shared), bearer(&headers));
    let arrival = Arrival { trust: caller.trust, pass, presence: app.presence };
    let key = key_text(&app.shared);
    let mut response = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(MESSAGE_MAX)
        .max_frame_size(MESSAGE_MAX)
        .on_upgrade(move |socket| connection::run(app.shared, visitor, arrival, socket));
    let key = HeaderValue::try_from(key).expect("hexadecimal digits are a header value");
    response.headers_mut().insert(KEY_HEADER, key);
    response
}

async fn well_known(State(app): State<App>) -> impl IntoResponse {
    let body = serde_json::json!({ "key": key_text(&app.shared), "protocol": PROTOCOL });
    ([(header::CONTENT_TYPE, "application/json")], body.to_string())
}

async fn health(State(app): State<App>) -> (StatusCode, &'static str) {
    if *app.shared.stopping.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.shared.metrics.render())
}

/// The token in the request, if it has one.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(|token| token.trim().to_owned())
}

/// Whose connection it is. Of `X-Forwarded-For` only the last address counts: the one that the
/// operator's own proxy saw; what is before it the client may have made up.
fn client_address(peer: SocketAddr, headers: &HeaderMap, behind_proxy: bool) -> IpAddr {
    let forwarded = || {
        let value = headers.get_all("x-forwarded-for").into_iter().next_back()?.to_str().ok()?;
        value.rsplit(',').next()?.trim().parse().ok()
    };
    if behind_proxy { forwarded().unwrap_or(peer.ip()) } else { peer.ip() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_forwarded_address_counts_behind_a_proxy_only_and_only_the_last() {
        let peer: SocketAddr = ([127, 0, 0, 1], 5000).into();
        let forwarded = headers(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2, 192.0.2.7")]);
        assert_eq!(client_address(peer, &forwarded, true), IpAddr::from([192, 0, 2, 7]));
        assert_eq!(client_address(peer, &forwarded, false), peer.ip());
        assert_eq!(client_address(peer, &headers(&[("x-forwarded-for", "who")]), true), peer.ip());
        assert_eq!(client_address(peer, &headers(&[]), true), peer.ip());
    }

    #[test]
    fn the_token_is_what_follows_bearer() {
        assert_eq!(bearer(&headers(&[("authorization", "Bearer abc")])), Some("abc".into()));
        assert_eq!(bearer(&headers(&[("authorization", "Basic abc")])), None);
        assert_eq!(bearer(&headers(&[])), None);
    }
}
