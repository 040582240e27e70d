//! Calls as promises, and waits as callbacks.

use napi::bindgen_prelude::{Env, FnArgs, Function, PromiseRaw, ToNapiValue};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{JsValue as _, Result};
use napi_derive::napi;
use tidelog_api::Call;

use crate::error::{OrThrow as _, to_js};
use crate::record::number;

/// A callback of Node's kind.
pub(crate) type Callback<'env, T> = Function<'env, FnArgs<(Option<napi::Error>, Option<T>)>, ()>;

/// Starts a call. Its promise keeps the process alive until it is settled, so a write is not lost at exit.
pub(crate) fn promise<'env, T, U>(
    env: &'env Env,
    call: Call<T>,
    convert: impl FnOnce(T) -> U + Send + 'static,
) -> Result<PromiseRaw<'env, U>>
where
    T: Send + 'static,
    U: ToNapiValue + 'static,
{
    let (deferred, promise) = env.create_deferred()?;
    call.start_with(move |result| match result {
        Ok(value) => deferred.resolve(move |_| Ok(convert(value))),
        Err(error) => deferred.reject(to_js(&error)),
    });
    Ok(PromiseRaw::new(env.raw(), promise.raw()))
}

/// Starts a call that may wait for ever. Its callback does not keep the process alive.
pub(crate) fn callback<T, U>(
    call: Call<T>,
    done: &Callback<'_, U>,
    convert: impl FnOnce(T) -> Option<U> + Send + 'static,
) -> Result<()>
where
    T: Send + 'static,
    U: ToNapiValue + 'static,
{
    let done = done
        .build_threadsafe_function::<tidelog_api::Result<Option<U>>>()
        .weak::<true>()
        .callee_handled::<false>()
        .build_callback(|context| {
            Ok(match context.value.or_throw() {
                Ok(event) => FnArgs::from((None, event)),
                Err(error) => FnArgs::from((Some(error), None)),
            })
        })?;
    // The environment may be gone by then, and the callback with it: then nobody waits for the result.
    call.start_with(move |result| {
        done.call(result.map(convert), ThreadsafeFunctionCallMode::NonBlocking);
    });
    Ok(())
}

/// How far a call has come.
#[napi]
pub struct Meter(pub(crate) tidelog_api::Meter);

#[napi]
impl Meter {
    /// A meter for one call.
    #[napi(constructor, catch_unwind)]
    #[allow(clippy::new_without_default, reason = "JavaScript has constructors only")]
    pub fn new() -> Self {
        Self(tidelog_api::Meter::new())
    }

    /// How much is done.
    #[napi(catch_unwind)]
    pub fn done(&self) -> f64 {
        number(self.0.done())
    }

    /// How much there is to do.
    #[napi(catch_unwind)]
    pub fn total(&self) -> f64 {
        number(self.0.total())
    }

    /// Ends the call as soon as it can end without a loss.
    #[napi(catch_unwind)]
    pub fn stop(&self) {
        self.0.stop();
    }
}
