//! The table of endpoints, each with and without a slash at its end, and their handlers.

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder,
    body::MessageBody,
    dev::{AppService, HttpServiceFactory, ServiceRequest, ServiceResponse},
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    web::{self, Data, ServiceConfig},
};
use serde_json::{Value, json};

use super::{
    error::{self, MoxieError},
    request::{Body, Ident, Moxie, Number, Registering, Signed},
    signature::Users,
    wire::{self, ApnsBody, FollowupBody, GcmBody, NotificationBody, PushBody},
};
use crate::{
    api::{
        ApiState,
        finish::Finishing,
        observe::Dialect,
        table::{Entry, Listed, Table},
    },
    domain::{Error, ids::AppName, timestamp::Timestamp},
    services::announcements::Listener,
    settings::MoxieSettings,
};

type Answer = Result<HttpResponse, MoxieError>;

/// Puts this dialect on `config`.
pub fn mount(config: &mut ServiceConfig, settings: &MoxieSettings, app: &AppName) {
    table(settings, app).mount(config);
}

/// Every path; `operations` describes each.
#[rustfmt::skip]
pub fn table(settings: &MoxieSettings, app: &AppName) -> Table {
    let moxie = Data::new(Moxie {
        app: app.clone(),
        prefix: settings.prefix.clone(),
        users: Users::new(&settings.users),
        is_fresh_only: settings.hmac_freshness,
    });
    let at = |path: &str| Path::at(&moxie, path);
    Table::default()
        .service(at("").get(list).post(create))
        .service(at("/push").post(push))
        .service(at("/register/gcm").post(register_gcm))
        .service(at("/register/apns").post(register_apns))
        .service(at("/{uuid}").get(show).post(update).delete(remove))
        .service(at("/{uuid}/followup").post(add_followup))
        .service(at("/{uuid}/followup/{id}").get(show_followup).post(update_followup).delete(remove_followup))
}

/// One path, with and without a slash at its end, and a refusal for every verb that it does not have.
struct Path {
    listed: Listed,
    resource: Resource,
}

macro_rules! verbs {
    ($($verb:ident: $name:literal),*) => {
        $(fn $verb<F, Args>(mut self, handler: F) -> Self
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
            F::Future: 'static,
        {
            self.resource = self.resource.route(web::$verb().to(Finishing(handler)));
            self.listed.verbs.push($name);
            self
        })*
    };
}

impl Path {
    fn at(moxie: &Data<Moxie>, path: &str) -> Self {
        let path = format!("{}{path}", moxie.prefix);
        let mut paths = vec![format!("{path}/")];
        if !path.is_empty() {
            paths.insert(0, path.clone());
        }
        let resource = web::resource(paths).app_data(moxie.clone()).app_data(Dialect::Moxie);
        Self { listed: Listed { path, verbs: Vec::new() }, resource }
    }

    verbs!(get: "GET", post: "POST", delete: "DELETE");
}

impl Entry for Path {
    fn listed(&self) -> Listed {
        self.listed.clone()
    }
}

impl HttpServiceFactory for Path {
    fn register(self, config: &mut AppService) {
        let allowed = self.listed.verbs.join(", ");
        let refuse = move |request: HttpRequest| {
            let answer = error::no_such_method(&request, &allowed);
            async move { answer }
        };
        let resource = self.resource.default_service(web::to(refuse));
        resource.wrap(from_fn(admit)).register(config);
    }
}

/// Keeps strangers out of an installation without keys, before anything else of a request is read.
async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let state = request.app_data::<Data<ApiState>>().expect("mount puts it on every application");
    state.keyring.admit(request.headers()).map_err(MoxieError::from)?;
    next.call(request).await
}

/// `GET /`: those that are ongoing, or with `history` all.
async fn list(moxie: Data<Moxie>, state: Data<ApiState>, request: HttpRequest) -> Answer {
    let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    let pairs = query.map_err(|_| Error::malformed("the query string does not read"))?;
    let history = pairs.iter().any(|(name, value)| {
        name == "history" && matches!(value.as_str(), "true" | "True" | "1" | "t")
    });
    let found = state.services.announcements.list(&moxie.app, history, Timestamp::now()).await?;
    Ok(HttpResponse::Ok().json(wire::notifications(&moxie.prefix, &found)))
}

/// `POST /`
async fn create(
    _: Signed,
    moxie: Data<Moxie>,
    state: Data<ApiState>,
    body: Body<NotificationBody>,
) -> Answer {
    let (announcements, edit) = (&state.services.announcements, body.0.into_edit());
    let made = announcements.create(&moxie.app, edit, Timestamp::now()).await?;
    let told = json!({ "status": "created", "ident": made.id });
    Ok(placed(StatusCode::CREATED, &wire::place(&moxie.prefix, made.id), told))
}

/// `GET /{uuid}`
async fn show(moxie: Data<Moxie>, state: Data<ApiState>, id: Ident) -> Answer {
    let found = state.services.announcements.get(&moxie.app, id.0, Timestamp::now()).await?;
    Ok(HttpResponse::Ok().json(wire::notification(&moxie.prefix, &found)))
}

/// `POST /{uuid}`: what is left out stays.
async fn update(
    _: Signed,
    moxie: Data<Moxie>,
    state: Data<ApiState>,
    id: Ident,
    body: Body<NotificationBody>,
) -> Answer {
    let (announcements, edit, now) =
        (&state.services.announcements, body.0.into_edit(), Timestamp::now());
    let updated = announcements.update(&moxie.app, id.0, edit, now).await?;
    let told = wire::notification(&moxie.prefix, &updated);
    Ok(placed(StatusCode::OK, &wire::place(&moxie.prefix, id.0), told))
}

/// `DELETE /{uuid}`
async fn remove(_: Signed, moxie: Data<Moxie>, state: Data<ApiState>, id: Ident) -> Answer {
    state.services.announcements.remove(&moxie.app, id.0).await?;
    Ok(deleted())
}

/// `POST /{uuid}/followup`
async fn add_followup(
    _: Signed,
    moxie: Data<Moxie>,
    state: Data<ApiState>,
    id: Ident,
    body: Body<FollowupBody>,
) -> Answer {
    let (announcements, edit) = (&state.services.announcements, body.0.into_edit());
    let made = announcements.add_followup(&moxie.app, id.0, edit, Timestamp::now()).await?;
    let told = json!({ "status": "created", "id": made.id });
    let place = wire::followup_place(&moxie.prefix, id.0, made.id);
    Ok(placed(StatusCode::CREATED, &place, told))
}

/// `GET /{uuid}/followup/{id}`
async fn show_followup(
    moxie: Data<Moxie>,
    state: Data<ApiState>,
    id: Ident,
    number: Number,
) -> Answer {
    let (announcements, now) = (&state.services.announcements, Timestamp::now());
    let found = announcements.followup(&moxie.app, id.0, number.0, now).await?;
    Ok(HttpResponse::Ok().json(wire::followup(&moxie.prefix, id.0, &found)))
}

/// `POST /{uuid}/followup/{id}`
async fn update_followup(
    _: Signed,
    moxie: Data<Moxie>,
    state: Data<ApiState>,
    id: Ident,
    number: Number,
    body: Body<FollowupBody>,
) -> Answer {
    let (announcements, edit, now) =
        (&state.services.announcements, body.0.into_edit(), Timestamp::now());
    let updated = announcements.update_followup(&moxie.app, id.0, number.0, edit, now).await?;
    let told = wire::followup(&moxie.prefix, id.0, &updated);
    Ok(placed(StatusCode::OK, &wire::followup_place(&moxie.prefix, id.0, number.0), told))
}

/// `DELETE /{uuid}/followup/{id}`
async fn remove_followup(
    _: Signed,
    moxie: Data<Moxie>,
    state: Data<ApiState>,
    id: Ident,
    number: Number,
) -> Answer {
    let (announcements, now) = (&state.services.announcements, Timestamp::now());
    announcements.remove_followup(&moxie.app, id.0, number.0, now).await?;
    Ok(deleted())
}

/// `POST /push`: accepted, and sent by the engine.
async fn push(
    caller: Signed,
    moxie: Data<Moxie>,
    state: Data<ApiState>,
    body: Body<PushBody>,
) -> Answer {
    let unknown = || Error::invalid("notification", "there is no such notification");
    let id = body.0.notification.parse().map_err(|_| unknown())?;
    let (announcements, now) = (&state.services.announcements, Timestamp::now());
    let pushed = announcements.push(&moxie.app, id, &body.0.message, now).await;
    // What the path does not name is a fault of the body.
    let launched = pushed.map_err(|error| match error.kind() {
        crate::domain::ErrorKind::NotFound => unknown(),
        _ => error,
    })?;
    caller.note_launch(&moxie.app, launched).await;
    Ok(HttpResponse::Accepted().json(json!({ "status": "success" })))
}

/// `POST /register/gcm`
async fn register_gcm(
    _: Registering,
    moxie: Data<Moxie>,
    state: Data<ApiState>,
    body: Body<GcmBody>,
) -> Answer {
    register(&moxie, &state, Listener::Fcm, ("registration_id", body.0.registration_id)).await
}

/// `POST /register/apns`
async fn register_apns(
    _: Registering,
    moxie: Data<Moxie>,
    state: Data<ApiState>,
    body: Body<ApnsBody>,
) -> Answer {
    register(&moxie, &state, Listener::Apns, ("device_token", body.0.device_token)).await
}

async fn register(
    moxie: &Moxie,
    state: &ApiState,
    listener: Listener,
    (field, token): (&'static str, String),
) -> Answer {
    let (announcements, now) = (&state.services.announcements, Timestamp::now());
    announcements.register(&moxie.app, listener, field, token, now).await?;
    Ok(HttpResponse::Accepted().json(json!({ "success": 1 })))
}

fn placed(status: StatusCode, place: &str, told: Value) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::LOCATION, place)).json(told)
}

fn deleted() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "deleted" }))
}
