//! What is told as it happens: watches, live lists, links.

use futures_util::stream::{self, LocalBoxStream, StreamExt as _};
use serde_json::{Value as Json, json};
use tidelog::{LinkEvents, Live, Result, Value, Watch};

use crate::words::{items, ok};

/// Answers to `next`.
pub(crate) type Told = LocalBoxStream<'static, Result<Json>>;

pub(crate) fn watch(watch: Watch) -> Told {
    let next = |mut watch: Watch| async { Some((ok(watch.next().await?), watch)) };
    stream::unfold(watch, next).boxed_local()
}

/// The result as it is, then as it changes.
pub(crate) fn live(c: &Json, live: Live<Value>) -> Told {
    let next = |(mut live, c): (Live<Value>, Json)| async {
        let found = live.next().await.transpose()?.and_then(|found| items(&c, found));
        Some((found, (live, c)))
    };
    let first = items(c, live.current());
    stream::iter([first]).chain(stream::unfold((live, c.clone()), next)).boxed_local()
}

/// The state, or the kind of event.
pub(crate) fn link(events: LinkEvents) -> Told {
    let next = |mut events: LinkEvents| async {
        let event = json!(events.next().await?);
        let kind = event.as_object().and_then(|event| event.keys().next());
        Some((Ok(event.get("state").map_or_else(|| json!(kind), Json::clone)), events))
    };
    stream::unfold(events, next).boxed_local()
}
