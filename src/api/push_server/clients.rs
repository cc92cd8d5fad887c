//! `/clients`, for the one app at the root and for each tenant under its id.

use std::time::Instant;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::AUTHORIZATION},
    web::{Data, Payload},
};

use super::{
    answer::{self, Location, Refusal},
    jwt,
    payload::{PushBody, Pushed},
    request::{self, PathParts},
    wire::{self, Client, RegisterBody, external_id},
};
use crate::{
    api::{ApiState, extract, origin},
    domain::{ErrorKind, device::SendPlatform, ids::AppName, timestamp::Timestamp},
    services::{
        DirectOutcome,
        direct::{Delivery, DirectMessage},
        tenants::Tenant,
    },
};

/// Whose clients a request is about.
struct Owner {
    app: AppName,
    tenant: Option<Tenant>,
}

/// `POST /clients`: makes a client, or updates the one of this id.
pub async fn register(
    request: HttpRequest,
    payload: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    let now = Timestamp::now();
    if let Some(address) = origin::address(&request, &state.server) {
        let counted = state.push_server.registrations.count(address, Instant::now());
        counted.map_err(Refusal::too_often)?;
    }
    let body: RegisterBody = extract::json(&request::body(&request, payload).await?)?;
    authenticate(&request, &state, body.client(), now)?;
    let owner = owner(&request, &state, now).await?;
    let registration = body.into_registration(&owner.providers(&state))?;
    refuse_other_holder(&state, &owner, &registration.push_token).await?;
    state.services.devices.put(&owner.app, registration, now).await?;
    Ok(answer::success(state.dialects.push_server.status_word))
}

/// `DELETE /clients/{id}`: forgets a client, if there is one.
pub async fn unregister(
    request: HttpRequest,
    _: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    let now = Timestamp::now();
    let id = PathParts::of(&request)?.id;
    authenticate(&request, &state, &id, now)?;
    let owner = owner(&request, &state, now).await?;
    if let Some(client) = find(&state, &owner, &id).await? {
        match state.services.devices.remove(&owner.app, &client.0.external_id).await {
            // Somebody else was quicker.
            Err(error) if *error.kind() == ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    Ok(answer::success(state.dialects.push_server.status_word))
}

/// `POST /clients/{id}`: the relay has a message for a client. Answered when the provider has taken it.
pub async fn push(
    request: HttpRequest,
    payload: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    let now = Timestamp::now();
    let bytes = request::body(&request, payload).await?;
    if let Some(key) = &state.push_server.relay_key {
        let strict = state.dialects.push_server.strict_timestamps;
        key.check(request.headers(), &bytes, strict, now)?;
    }
    let body: PushBody = extract::json(&bytes)?;
    let owner = owner(&request, &state, now).await?;
    let client = find(&state, &owner, &PathParts::of(&request)?.id).await?;
    // What is wrong with a message is told even where nobody would get it.
    let pushed = body.into_pushed(client.as_ref().is_some_and(Client::always_raw))?;
    let Some(client) = client.filter(Client::is_reachable) else {
        return Ok(HttpResponse::Accepted().finish());
    };
    if let Some(reason) = owner.suspension() {
        return Err(suspended(reason));
    }
    deliver(&state, &owner, client, pushed, now).await
}

async fn deliver(
    state: &ApiState,
    owner: &Owner,
    client: Client,
    Pushed { name, message }: Pushed,
    now: Timestamp,
) -> Result<HttpResponse, Refusal> {
    let apple_sandbox = client.is_of_apple_sandbox();
    let (app, device) = (owner.app.clone(), client.0);
    let message = DirectMessage { app, device, apple_sandbox, name, message };
    let outcome = match state.services.direct.send(message).await? {
        Delivery::Sent => return Ok(HttpResponse::Accepted().finish()),
        Delivery::SentBefore => return Ok(HttpResponse::Ok().finish()),
        Delivery::Failed(outcome) => outcome,
    };
    if let (DirectOutcome::CredentialsRefused(reason), Some(tenant)) = (&outcome, &owner.tenant) {
        state.services.tenants.suspend(tenant, reason.as_str(), now).await?;
        return Err(suspended(reason.as_str()));
    }
    Err(Refusal::undelivered(outcome))
}

impl Owner {
    fn providers(&self, state: &ApiState) -> Vec<SendPlatform> {
        match &self.tenant {
            Some(tenant) => tenant.providers.clone(),
            None => state.services.direct.providers(&self.app),
        }
    }

    fn suspension(&self) -> Option<&str> {
        self.tenant.as_ref().and_then(|tenant| tenant.suspended.as_deref())
    }
}

/// The tenant that the path names, or the app at the root.
async fn owner(request: &HttpRequest, state: &ApiState, now: Timestamp) -> Result<Owner, Refusal> {
    if request.match_info().get("tenant_id").is_none() {
        return Ok(Owner { app: state.default_app.clone(), tenant: None });
    }
    let id = PathParts::of(request)?.tenant_id;
    let tenant = state.services.tenants.open(&id, now).await.map_err(request::unknown_tenant)?;
    Ok(Owner { app: tenant.app.clone(), tenant: Some(tenant) })
}

async fn find(state: &ApiState, owner: &Owner, id: &str) -> Result<Option<Client>, Refusal> {
    match state.services.devices.get(&owner.app, &external_id(id)).await {
        Ok(device) => Ok(Some(Client(device))),
        Err(error) if *error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A token goes to whoever registers it last, and clients prove little of themselves: they may take it
/// from each other, not from a device of another API.
async fn refuse_other_holder(state: &ApiState, owner: &Owner, token: &str) -> Result<(), Refusal> {
    let holder = state.services.devices.holder(&owner.app, token).await?;
    if holder.is_none_or(|holder| wire::is_client(&holder)) {
        return Ok(());
    }
    let what = "belongs to a device that was not registered as a client";
    let refusal = Refusal::new(StatusCode::CONFLICT, "token", what);
    Err(refusal.blaming("token", what, Location::Body))
}

/// Whether the caller is the client, where it says so or must.
fn authenticate(
    request: &HttpRequest,
    state: &ApiState,
    client: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    if !request.headers().contains_key(AUTHORIZATION) {
        if state.dialects.push_server.require_client_auth {
            return Err(Refusal::unauthenticated("a token is required"));
        }
        return Ok(());
    }
    let token = request::token(request).ok_or_else(|| {
        Refusal::unauthenticated("the header must hold one token, with or without Bearer")
    })?;
    let is_ours = |audience: &str| request::is_this_server(request, state, audience);
    jwt::check_client(token, client, is_ours, now).map_err(Refusal::unauthenticated)
}

fn suspended(reason: &str) -> Refusal {
    let message = format!("the tenant is suspended: {reason}");
    let refusal = Refusal::new(StatusCode::FORBIDDEN, "tenant_suspended", message);
    refusal.blaming("tenant_id", "is suspended until it has new credentials", Location::Path)
}
