//! `/tenants`: who else may be served here, and with which credentials.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
    web::{Bytes, Data, Payload},
};

use super::{
    answer::Refusal,
    jwt, multipart,
    request::{self, PathParts},
    wire::{Done, TenantBody, TenantJson, TenantMade},
};
use crate::{
    api::{ApiState, extract},
    domain::{ErrorKind, device::SendPlatform, timestamp::Timestamp},
    services::tenants::{ApnsProof, Tenant},
    settings::{DialectSettings, Secret, TAKEN_SEGMENTS},
};

/// `POST /tenants`: makes a tenant.
pub async fn create(
    request: HttpRequest,
    payload: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    authenticate(&request, &state)?;
    let body: TenantBody = extract::json(&request::body(&request, payload).await?)?;
    if is_taken(&body.id, &state.dialects) {
        return Err(Refusal::field("id", "is the name of something else here"));
    }
    let made = state.services.tenants.create(&body.id, Timestamp::now()).await;
    made.map_err(|error| match error.kind() {
        ErrorKind::Conflict => {
            let message = error.public_message();
            let refusal = Refusal::new(StatusCode::CONFLICT, "conflict", message.clone());
            refusal.blaming("id", message, super::answer::Location::Body)
        }
        _ => error.into(),
    })?;
    Ok(HttpResponse::Ok().json(TenantMade { url: url(&request, &state, &body.id) }))
}

/// `GET /tenants/{id}`
pub async fn show(
    request: HttpRequest,
    _: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    authenticate(&request, &state)?;
    let id = PathParts::of(&request)?.id;
    let opened = state.services.tenants.open(&id, Timestamp::now()).await;
    let tenant = opened.map_err(request::unknown_tenant)?;
    Ok(HttpResponse::Ok().json(shown(url(&request, &state, &id), tenant)))
}

/// `DELETE /tenants/{id}`: removes a tenant with its clients.
pub async fn remove(
    request: HttpRequest,
    _: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    authenticate(&request, &state)?;
    let id = PathParts::of(&request)?.id;
    let removed = state.services.tenants.remove(&id, Timestamp::now()).await;
    removed.map_err(request::unknown_tenant)?;
    Ok(HttpResponse::Ok().json(Done::YES))
}

/// `POST /tenants/{id}/apns`: a form with a topic, a signing key with its ids, or a certificate.
pub async fn set_apns(
    request: HttpRequest,
    payload: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    authenticate(&request, &state)?;
    let id = PathParts::of(&request)?.id;
    let form = Form::read(&request, &request::body(&request, payload).await?)?;
    let topic = form.text("apns_topic")?;
    let proof = apns_proof(&form)?;
    if topic.is_none() && proof.is_none() {
        return Err(Refusal::field("apns_topic", "is missing, and so are credentials"));
    }
    let tenants = &state.services.tenants;
    let set = tenants.set_apns(&id, topic, proof.as_ref(), Timestamp::now()).await;
    set.map_err(|error| bad_credentials("bad_apns_credentials", error))?;
    Ok(HttpResponse::Ok().json(Done::YES))
}

/// `POST /tenants/{id}/fcm_v1`: a form with a service account's file.
pub async fn set_fcm(
    request: HttpRequest,
    payload: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    authenticate(&request, &state)?;
    let id = PathParts::of(&request)?.id;
    let form = Form::read(&request, &request::body(&request, payload).await?)?;
    let account = form.text("credentials")?;
    let account = account.ok_or_else(|| Refusal::field("credentials", "is missing"))?;
    let set = state.services.tenants.set_fcm(&id, &Secret::new(account), Timestamp::now()).await;
    set.map_err(|error| bad_credentials("bad_fcm_v1_credentials", error))?;
    Ok(HttpResponse::Ok().json(Done::YES))
}

/// `DELETE /tenants/{id}/apns`
pub async fn unset_apns(
    request: HttpRequest,
    _: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    unset(&request, &state, SendPlatform::Apns).await
}

/// `DELETE /tenants/{id}/fcm_v1`
pub async fn unset_fcm(
    request: HttpRequest,
    _: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    unset(&request, &state, SendPlatform::Fcm).await
}

async fn unset(
    request: &HttpRequest,
    state: &ApiState,
    provider: SendPlatform,
) -> Result<HttpResponse, Refusal> {
    authenticate(request, state)?;
    let id = PathParts::of(request)?.id;
    let unset = state.services.tenants.unset(&id, provider, Timestamp::now()).await;
    unset.map_err(request::unknown_tenant)?;
    Ok(HttpResponse::NoContent().finish())
}

/// The fields of a form, by name.
struct Form(Vec<multipart::Part>);

impl Form {
    fn read(request: &HttpRequest, body: &Bytes) -> Result<Self, Refusal> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let parts = multipart::parts(kind.unwrap_or_default(), body);
        let wrong = "the body must be a multipart/form-data form";
        let wrong = || Refusal::new(StatusCode::BAD_REQUEST, "body", wrong);
        parts.map(Self).ok_or_else(wrong)
    }

    /// A field that is text; an empty one counts as left out.
    fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        let Some((_, value)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(Refusal::field(name, "is given twice"));
        }
        let text = std::str::from_utf8(value).map_err(|_| Refusal::field(name, "is not text"))?;
        Ok(Some(text.trim()).filter(|text| !text.is_empty()))
    }
}

fn apns_proof(form: &Form) -> Result<Option<ApnsProof>, Refusal> {
    if form.0.iter().any(|(name, value)| name == "apns_certificate" && is_pkcs12(value)) {
        let what = "is PKCS#12; give certificate and private key as PEM";
        return Err(Refusal::field("apns_certificate", what));
    }
    let certificate = form.text("apns_certificate")?;
    let pem = form.text("apns_pkcs8_pem")?;
    let key_id = form.text("apns_key_id")?;
    let team_id = form.text("apns_team_id")?;
    if pem.is_none() && key_id.is_none() && team_id.is_none() {
        let with_pem = |pem: &str| ApnsProof::Certificate { pem: Secret::new(pem) };
        return Ok(certificate.map(with_pem));
    }
    if certificate.is_some() {
        return Err(Refusal::field("apns_certificate", "cannot stand beside a signing key"));
    }
    let missing = |name: &'static str| {
        move || Refusal::field(name, "is missing: key, key id and team id go together")
    };
    Ok(Some(ApnsProof::Key {
        pem: Secret::new(pem.ok_or_else(missing("apns_pkcs8_pem"))?),
        key_id: key_id.ok_or_else(missing("apns_key_id"))?.to_owned(),
        team_id: team_id.ok_or_else(missing("apns_team_id"))?.to_owned(),
    }))
}

/// Whether this looks like DER, of which PKCS#12 files are.
fn is_pkcs12(value: &[u8]) -> bool {
    value.first() == Some(&0x30) && !value.is_ascii()
}

/// Credentials that cannot be used are told of by the name that clients know.
fn bad_credentials(name: &'static str, error: crate::domain::Error) -> Refusal {
    match error.kind() {
        ErrorKind::Invalid { field: Some(field) } if field == "apns" || field == "credentials" => {
            let (field, message) = (field.clone(), error.public_message());
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, name, message.clone());
            refusal.blaming(field, message, super::answer::Location::Body)
        }
        _ => request::unknown_tenant(error),
    }
}

/// Whether the caller may manage tenants.
fn authenticate(request: &HttpRequest, state: &ApiState) -> Result<(), Refusal> {
    let Some(secret) = &state.dialects.push_server.tenant_secret else {
        let message = "there are no tenants here: no tenant secret is configured";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "tenants", message));
    };
    let token = request::token(request);
    let token = token.ok_or_else(|| Refusal::unauthenticated("a token is required"))?;
    let now = Timestamp::now();
    jwt::check_tenant(token, secret.expose(), now).map_err(Refusal::unauthenticated)
}

fn shown(url: String, tenant: Tenant) -> TenantJson {
    let has = |provider| tenant.providers.contains(&provider);
    let apns = has(SendPlatform::Apns);
    let mut enabled_providers = Vec::new();
    if apns {
        enabled_providers.extend(["apns", "apns-sandbox"]);
    }
    if has(SendPlatform::Fcm) {
        enabled_providers.push("fcm_v1");
    }
    let kind = if tenant.apns_certificate { "certificate" } else { "token" };
    TenantJson {
        url,
        enabled_providers,
        apns_topic: tenant.apns_topic.filter(|_| apns),
        apns_type: apns.then_some(kind),
        suspended: tenant.suspended.is_some(),
        suspended_reason: tenant.suspended,
    }
}

fn url(request: &HttpRequest, state: &ApiState, id: &str) -> String {
    format!("{}{}/{id}", request::base(request, state), state.dialects.push_server.prefix)
}

/// Whether paths that begin so are somebody else's.
fn is_taken(id: &str, dialects: &DialectSettings) -> bool {
    let prefixes = [&dialects.moxie.prefix, &dialects.engagelab.prefix];
    let firsts = prefixes.into_iter().filter_map(|prefix| prefix.split('/').nth(1));
    let mut taken = TAKEN_SEGMENTS.into_iter().chain(firsts);
    taken.any(|taken| taken.eq_ignore_ascii_case(id))
}
