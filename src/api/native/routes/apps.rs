//! `/apps`: apps, their credentials and their keys.

use actix_web::web::Data;
use serde_json::json;

use super::Answer;
use crate::{
    api::{
        ApiState,
        native::{
            answer,
            request::{Admin, Anyone, Body, OptionalBody, Parts},
            wire::apps::{
                ApnsBody, AppBody, AppJson, FcmBody, KeyBody, NewAppJson, NewKeyJson, ProviderJson,
                RotateBody,
            },
        },
    },
    domain::{Error, audit::Action, device::SendPlatform, ids::AppName, timestamp::Timestamp},
    services::apps::NewKey,
};

type Caller = Anyone<Admin>;

/// `GET /apps`: the caller's own, or for an operator all.
pub async fn list(caller: Caller, state: Data<ApiState>) -> Answer {
    let names = match caller.sees() {
        Some(own) => vec![own],
        None => state.services.apps.names(),
    };
    // One that was removed in between is left out.
    let apps: Vec<_> = names.iter().filter_map(|name| state.services.apps.get(name).ok()).collect();
    Ok(answer::success(apps.iter().map(AppJson::new).collect::<Vec<_>>()))
}

/// `GET /apps/{name}`
pub async fn show(caller: Caller, state: Data<ApiState>, name: Parts<String>) -> Answer {
    let app = caller.own(&name.0)?;
    Ok(answer::success(AppJson::new(&state.services.apps.get(&app)?)))
}

/// `POST /apps`: an app with a first key, whose secret is shown this once.
pub async fn create(caller: Caller, state: Data<ApiState>, body: Body<AppBody>) -> Answer {
    caller.must_be_operator()?;
    let new = state.services.apps.create(&body.0.name, Timestamp::now()).await?;
    note(&caller, &new.app.name, Action::AppCreated, None, json!({})).await;
    Ok(answer::success(NewAppJson::new(&new)))
}

/// `DELETE /apps/{name}`
pub async fn remove(caller: Caller, state: Data<ApiState>, name: Parts<String>) -> Answer {
    caller.must_be_operator()?;
    let app = caller.own(&name.0)?;
    // The entry of the audit log is written with the removal, which others may have to finish.
    state.services.apps.remove(&app, caller.doer(), Timestamp::now()).await?;
    Ok(answer::done())
}

/// `PUT /apps/{name}/providers/apns`
pub async fn set_apns(
    caller: Caller,
    state: Data<ApiState>,
    name: Parts<String>,
    body: Body<ApnsBody>,
) -> Answer {
    let (app, given) = (caller.own(&name.0)?, body.0.into_domain()?);
    state.services.apps.set_apns(&app, &given, Timestamp::now()).await?;
    let details = json!({ "topic": given.topic });
    note(&caller, &app, Action::ProviderChanged, Some("apns"), details).await;
    Ok(answer::success(AppJson::new(&state.services.apps.get(&app)?)))
}

/// `PUT /apps/{name}/providers/fcm`
pub async fn set_fcm(
    caller: Caller,
    state: Data<ApiState>,
    name: Parts<String>,
    body: Body<FcmBody>,
) -> Answer {
    let app = caller.own(&name.0)?;
    state.services.apps.set_fcm(&app, &body.0.into_secret(), Timestamp::now()).await?;
    note(&caller, &app, Action::ProviderChanged, Some("fcm"), json!({})).await;
    Ok(answer::success(AppJson::new(&state.services.apps.get(&app)?)))
}

/// `DELETE /apps/{name}/providers/apns`
pub async fn unset_apns(caller: Caller, state: Data<ApiState>, name: Parts<String>) -> Answer {
    unset(&caller, &state, &name.0, SendPlatform::Apns).await
}

/// `DELETE /apps/{name}/providers/fcm`
pub async fn unset_fcm(caller: Caller, state: Data<ApiState>, name: Parts<String>) -> Answer {
    unset(&caller, &state, &name.0, SendPlatform::Fcm).await
}

async fn unset(caller: &Caller, state: &ApiState, name: &str, provider: SendPlatform) -> Answer {
    let app = caller.own(name)?;
    state.services.apps.unset(&app, provider, Timestamp::now()).await?;
    note(caller, &app, Action::ProviderRemoved, Some(provider.name()), json!({})).await;
    Ok(answer::success(AppJson::new(&state.services.apps.get(&app)?)))
}

/// `POST /apps/{name}/providers/{provider}/:check`: asks the provider now.
pub async fn check(
    caller: Caller,
    state: Data<ApiState>,
    place: Parts<(String, String)>,
) -> Answer {
    let app = caller.own(&place.0.0)?;
    let known = [SendPlatform::Apns, SendPlatform::Fcm, SendPlatform::Email];
    let provider = known.into_iter().find(|provider| provider.name() == place.0.1);
    let unknown = || Error::not_found("there is no such provider: apns, fcm or email");
    let (apps, now) = (&state.services.apps, Timestamp::now());
    let way = apps.check(&app, provider.ok_or_else(unknown)?, now).await?;
    Ok(answer::success(ProviderJson::new(&way)))
}

/// `POST /apps/{name}/keys`: the secret is shown this once.
pub async fn create_key(
    caller: Caller,
    state: Data<ApiState>,
    name: Parts<String>,
    body: Body<KeyBody>,
) -> Answer {
    let (app, scopes) = (caller.own(&name.0)?, body.0.scopes());
    let apps = &state.services.apps;
    let made = apps.create_key(&app, &body.0.name, &scopes, Timestamp::now()).await?;
    shown(&caller, &app, Action::KeyCreated, &made).await
}

/// `POST /apps/{name}/keys/{id}/:rotate`: the secret is shown this once.
pub async fn rotate_key(
    caller: Caller,
    state: Data<ApiState>,
    place: Parts<(String, String)>,
    body: OptionalBody<RotateBody>,
) -> Answer {
    let (app, id) = (caller.own(&place.0.0)?, &place.0.1);
    let (apps, now) = (&state.services.apps, Timestamp::now());
    let rotated = apps.rotate_key(&app, id, body.0.overlap_hours, now).await?;
    shown(&caller, &app, Action::KeyRotated, &rotated).await
}

/// `DELETE /apps/{name}/keys/{id}`
pub async fn remove_key(
    caller: Caller,
    state: Data<ApiState>,
    place: Parts<(String, String)>,
) -> Answer {
    let (app, id) = (caller.own(&place.0.0)?, &place.0.1);
    let removed = state.services.apps.remove_key(&app, id, Timestamp::now()).await?;
    note(&caller, &app, Action::KeyDeleted, Some(id), json!({ "name": removed.name })).await;
    Ok(answer::done())
}

async fn shown(caller: &Caller, app: &AppName, action: Action, new: &NewKey) -> Answer {
    let scopes: Vec<_> = new.key.scopes.iter().map(|scope| scope.name()).collect();
    let details = json!({ "name": new.key.name, "scopes": scopes });
    note(caller, app, action, Some(&new.key.id), details).await;
    Ok(answer::success(NewKeyJson::new(new)))
}

/// Records what was done to an app: to itself, or to a part of it.
async fn note(
    caller: &Caller,
    app: &AppName,
    action: Action,
    part: Option<&str>,
    details: serde_json::Value,
) {
    let target = part.unwrap_or(app.as_str()).to_owned();
    caller.note(Some(app.clone()), action, Some(target), details).await;
}
