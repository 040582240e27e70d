//! Who belongs to a workspace: invites, roles, removals.

use napi::Result;
use napi::bindgen_prelude::{Env, PromiseRaw, Uint8Array};
use napi_derive::napi;

use crate::call::promise;
use crate::options::InviteOptions;
use crate::record::{Device, ExcludedEntry, Invite, JoinRequest, Member, RemovalReport, all, number};
use crate::workspace::Workspace;

#[napi]
impl Workspace {
    /// Makes an invite.
    #[napi(catch_unwind)]
    pub fn invite<'env>(&self, env: &'env Env, options: InviteOptions) -> Result<PromiseRaw<'env, Invite>> {
        promise(env, self.0.invite(options.into()), Invite::from)
    }

    /// The invites that hold.
    #[napi(catch_unwind)]
    pub fn invites<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Invite>>> {
        promise(env, self.0.invites(), all)
    }

    /// Takes an invite back.
    #[napi(catch_unwind)]
    pub fn withdraw<'env>(&self, env: &'env Env, invite: String) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.withdraw(invite), |()| ())
    }

    /// The devices that ask to join.
    #[napi(catch_unwind)]
    pub fn requests<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<JoinRequest>>> {
        promise(env, self.0.requests(), all)
    }

    /// Admits a device that asks.
    #[napi(catch_unwind)]
    pub fn approve<'env>(&self, env: &'env Env, request: String) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.approve(request), |()| ())
    }

    /// Takes in a request that came by hand.
    #[napi(catch_unwind)]
    pub fn receive_request<'env>(
        &self,
        env: &'env Env,
        request: Uint8Array,
    ) -> Result<PromiseRaw<'env, JoinRequest>> {
        promise(env, self.0.receive_request(request.to_vec()), JoinRequest::from)
    }

    /// What an approved device needs to begin.
    #[napi(catch_unwind)]
    pub fn welcome<'env>(&self, env: &'env Env, request: String) -> Result<PromiseRaw<'env, Uint8Array>> {
        promise(env, self.0.welcome(request), Uint8Array::from)
    }

    /// Gives this user a name.
    #[napi(catch_unwind)]
    pub fn set_profile<'env>(&self, env: &'env Env, name: String) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.set_profile(name), |()| ())
    }

    /// Its users.
    #[napi(catch_unwind)]
    pub fn members<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Member>>> {
        promise(env, self.0.members(), all)
    }

    /// Its devices.
    #[napi(catch_unwind)]
    pub fn devices<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Device>>> {
        promise(env, self.0.devices(), all)
    }

    /// Gives a user another role.
    #[napi(catch_unwind)]
    pub fn set_role<'env>(&self, env: &'env Env, user: String, role: String) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.set_role(user, role), |()| ())
    }

    /// Removes a user with all devices.
    #[napi(catch_unwind)]
    pub fn remove_user<'env>(&self, env: &'env Env, user: String) -> Result<PromiseRaw<'env, RemovalReport>> {
        promise(env, self.0.remove_user(user), RemovalReport::from)
    }

    /// Removes a device.
    #[napi(catch_unwind)]
    pub fn remove_device<'env>(
        &self,
        env: &'env Env,
        device: String,
    ) -> Result<PromiseRaw<'env, RemovalReport>> {
        promise(env, self.0.remove_device(device), RemovalReport::from)
    }

    /// The entries that are held and not shown.
    #[napi(catch_unwind)]
    pub fn excluded<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<ExcludedEntry>>> {
        promise(env, self.0.excluded(), all)
    }

    /// Lets count what a removed device wrote before it knew.
    #[napi(catch_unwind)]
    pub fn accept_excluded<'env>(&self, env: &'env Env, device: String) -> Result<PromiseRaw<'env, f64>> {
        promise(env, self.0.accept_excluded(device), number)
    }
}
