//! Circles: some of the members, with keys and databases of their own.

use napi::Result;
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;

use crate::call::promise;
use crate::error::OrThrow as _;
use crate::options::CircleOptions;
use crate::record::{Circle, KeyPolicy, all};
use crate::workspace::Workspace;

#[napi]
impl Workspace {
    /// Makes a circle of this user alone.
    #[napi(catch_unwind)]
    pub fn create_circle<'env>(
        &self,
        env: &'env Env,
        name: String,
        options: CircleOptions,
    ) -> Result<PromiseRaw<'env, Circle>> {
        promise(env, self.0.create_circle(name, options.into()), Circle::from)
    }

    /// The circles.
    #[napi(catch_unwind)]
    pub fn circles<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Circle>>> {
        promise(env, self.0.circles(), all)
    }

    /// Takes a user into a circle.
    #[napi(catch_unwind)]
    pub fn add_to_circle<'env>(
        &self,
        env: &'env Env,
        circle: String,
        user: String,
        role: String,
    ) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.add_to_circle(circle, user, role), |()| ())
    }

    /// Takes a user out of a circle.
    #[napi(catch_unwind)]
    pub fn remove_from_circle<'env>(
        &self,
        env: &'env Env,
        circle: String,
        user: String,
    ) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.remove_from_circle(circle, user), |()| ())
    }

    /// When members make new keys.
    #[napi(catch_unwind)]
    pub fn policy(&self) -> Result<KeyPolicy> {
        Ok(self.0.policy().or_throw()?.into())
    }

    /// Sets when members make new keys.
    #[napi(catch_unwind)]
    pub fn set_policy<'env>(
        &self,
        env: &'env Env,
        rotate_days: u16,
        rotate_entries: u32,
    ) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.set_policy(rotate_days, rotate_entries), |()| ())
    }
}
