//! Keys, and the stores of JavaScript that keep them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{ClassInstance, Either3, Function, Uint8Array};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Result, Status};
use napi_derive::napi;
use tidelog_api as api;
use tidelog_api::{Error, ErrorKind, Key};

use crate::error::OrThrow as _;

/// A passphrase, a raw key, or a store.
pub(crate) type Secret<'env> = Either3<String, Uint8Array, ClassInstance<'env, KeyStore>>;

/// The key that a secret is.
pub(crate) fn key(secret: Secret<'_>) -> Result<Key> {
    match secret {
        Either3::A(passphrase) => Ok(Key::passphrase(passphrase)),
        Either3::B(bytes) => Key::raw(&bytes).or_throw(),
        Either3::C(store) => Ok(Key::from_store(Arc::clone(&store.0) as Arc<_>)),
    }
}

type Ask = ThreadsafeFunction<Option<Uint8Array>, (), Option<Uint8Array>, Status, false, true>;
type Answer = api::Result<Option<Vec<u8>>>;

/// A store that a callback asks: for the key, with null, or to keep one.
#[napi]
pub struct KeyStore(Arc<Asked>);

struct Asked {
    ask: Ask,
    answered: Sender<Answer>,
    answers: Mutex<Receiver<Answer>>,
}

#[napi]
impl KeyStore {
    /// The callback sees to it that every question is answered.
    #[napi(constructor, catch_unwind, ts_args_type = "ask: (key: Uint8Array | null) => void")]
    pub fn new(ask: Function<'_, Option<Uint8Array>, ()>) -> Result<Self> {
        let ask = ask.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
        let (answered, answers) = channel();
        Ok(Self(Arc::new(Asked { ask, answered, answers: Mutex::new(answers) })))
    }

    /// The answer to a question: the key, if that was asked for and there is one.
    #[napi(catch_unwind, ts_args_type = "key: Uint8Array | null")]
    pub fn answer(&self, key: Option<Uint8Array>) -> Result<()> {
        self.0.give(Ok(key.map(|key| key.to_vec())));
        Ok(())
    }

    /// The store failed.
    #[napi(catch_unwind)]
    pub fn fail(&self, reason: String) -> Result<()> {
        self.0.give(Err(Error::new(ErrorKind::Io, format!("the key store failed: {reason}"))));
        Ok(())
    }
}

impl Asked {
    fn give(&self, answer: Answer) {
        // The other end is in the same place.
        drop(self.answered.send(answer));
    }

    /// Asks on the event loop, and waits on this thread of the engine.
    fn ask(&self, key: Option<Vec<u8>>) -> Answer {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || Error::new(ErrorKind::Closed, "the key store is gone");
        match self.ask.call(key.map(Uint8Array::from), ThreadsafeFunctionCallMode::NonBlocking) {
            Status::Ok => answers.recv().map_err(|_| gone())?,
            _ => Err(gone()),
        }
    }
}

impl api::KeyStore for Asked {
    fn load(&self) -> Answer {
        self.ask(None)
    }

    fn store(&self, key: Vec<u8>) -> api::Result<()> {
        self.ask(Some(key)).map(drop)
    }
}
