//! `/console/session`: signing in with a key, which is exchanged for a cookie, and out.

use std::time::{Duration, Instant};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::header::{COOKIE, HeaderValue, SET_COOKIE},
    web::Data,
};
use futures_util::future::{FutureExt, LocalBoxFuture};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    api::{
        ApiState, auth,
        deeds::{self, Deed},
        extract::Params,
        native::{answer, error::ApiError, request::Body},
        origin,
    },
    domain::{
        Error, Result,
        app::{Identity, Scope, Via},
        audit::{Action, Actor},
        ids::AppName,
        timestamp::Timestamp,
    },
    services::{keys::KnownKey, sessions::Session},
};

/// Largest body of a sign-in: a key, and no more.
pub const MAX_BODY_BYTES: usize = 4096;

type Answer = std::result::Result<HttpResponse, ApiError>;

/// `POST /console/session`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    key: String,
}

/// Who is signed in.
#[derive(Serialize)]
struct SessionJson<'a> {
    app: Option<&'a str>,
    apps: Vec<String>,
    operator: bool,
    open: bool,
    key_name: &'a str,
    scopes: Vec<&'static str>,
    csrf: String,
    expires_at: Option<String>,
    version: &'static str,
    storage: &'static str,
    sealing: bool,
}

/// `GET /console/session`: who the caller is; prolongs the cookie. Where that is nobody, it is refused, or
/// with `or_none=true` answered: a page asks before anybody has signed in, and that is no error.
pub async fn show(request: HttpRequest, state: Data<ApiState>) -> Answer {
    let or_none = or_none(&request);
    // A key or an open installation needs no cookie.
    if let Some(identity) = auth::shown_or_open(&request, &state)? {
        or_none?;
        return Ok(shown(&state, &identity, None));
    }
    match auth::of_cookie(&request, &state).await? {
        Some((session, identity)) => {
            or_none?;
            Ok(shown(&state, &identity, Some(&session)))
        }
        None if matches!(or_none, Ok(true)) => Ok(answer::success(Value::Null)),
        None => Err(nobody(&request).into()),
    }
}

/// Whether the caller only wants to know.
fn or_none(request: &HttpRequest) -> Result<bool> {
    let mut params = Params::read(request.query_string())?;
    let asked = params.take("or_none")?;
    params.finish()?;
    match asked.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Error::invalid("or_none", "must be true or false")),
    }
}

fn nobody(request: &HttpRequest) -> Error {
    if request.headers().contains_key(COOKIE) {
        return Error::unauthenticated("the session has ended; sign in again");
    }
    auth::missing_key()
}

/// What somebody signs in with. Anybody may send one, so whether this one may is looked at before anything
/// of it is read.
pub struct Asked(SignIn);

impl FromRequest for Asked {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, std::result::Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let may_ask = may_ask(request);
        let body = Body::from_request(request, payload);
        async move {
            may_ask?;
            Ok(Self(body.await?.0))
        }
        .boxed_local()
    }
}

fn may_ask(request: &HttpRequest) -> Result<()> {
    let state = request.app_data::<Data<ApiState>>();
    let state = state.expect("mount puts the state on every application");
    state.keyring.admit(request.headers())?;
    auth::check_origin(request, &state.server)?;
    match state.keyring.open() {
        Some(_) => Ok(()),
        None => keep_pace(request, state),
    }
}

/// `POST /console/session`: begins a session with a key.
pub async fn begin(request: HttpRequest, state: Data<ApiState>, asked: Asked) -> Answer {
    if let Some(open) = state.keyring.open() {
        return Ok(shown(&state, open, None));
    }
    let key = match admitted(&state, &asked.0.key) {
        Ok(key) => key,
        Err((actor, error)) => {
            let details = json!({ "reason": error.public_message() });
            note(&request, None, actor, Action::SessionRefused, details).await;
            return Err(error.into());
        }
    };
    let session = begun(&request, &state, &key).await?;
    let identity = Identity { via: Via::Session, ..Identity::clone(&key.identity) };
    let (home, actor) = (identity.home.clone(), Actor::from(&identity));
    note(&request, home, actor, Action::SessionBegun, json!({})).await;
    Ok(shown(&state, &identity, Some(&session)))
}

/// The key of a secret, if it opens the console; else who was refused and why.
fn admitted(state: &ApiState, secret: &str) -> std::result::Result<KnownKey, (Actor, Error)> {
    let refused = |name: &str, error| (Actor { name: name.to_owned(), via: Via::Session }, error);
    let unknown = || refused("unknown", Error::unauthenticated("the key is not known"));
    let key = state.keyring.key_of(secret).ok_or_else(unknown)?;
    if may_look(&key.identity) {
        return Ok(key);
    }
    let error = Error::forbidden("a key with the scope `register` alone opens no console");
    Err(refused(&key.identity.key_name, error))
}

async fn note(
    request: &HttpRequest,
    app: Option<AppName>,
    actor: Actor,
    action: Action,
    details: Value,
) {
    deeds::record(request, Deed { app, actor, action, target: None, details }).await;
}

/// `DELETE /console/session`: ends it. Without one, there is nothing to end.
pub async fn end(request: HttpRequest, state: Data<ApiState>) -> Answer {
    state.keyring.admit(request.headers())?;
    if let Some((session, identity)) = auth::of_cookie(&request, &state).await? {
        state.services.sessions.end(&session).await?;
        let (home, actor) = (identity.home.clone(), Actor::from(&identity));
        note(&request, home, actor, Action::SessionEnded, json!({})).await;
    }
    let mut answer = answer::done();
    set_cookie(&mut answer, &auth::clearing_cookie());
    Ok(answer)
}

async fn begun(request: &HttpRequest, state: &ApiState, key: &KnownKey) -> Result<Session> {
    let secure = origin::is_secure(request, &state.server);
    let sessions = &state.services.sessions;
    sessions.begin(&key.key, &key.digest, secure, Timestamp::now()).await
}

fn keep_pace(request: &HttpRequest, state: &ApiState) -> Result<()> {
    let Some(address) = origin::address(request, &state.server) else { return Ok(()) };
    let paced = state.sign_ins.count(address, Instant::now());
    paced.map_err(|secs| Error::limited(Duration::from_secs(secs)))
}

fn may_look(identity: &Identity) -> bool {
    [Scope::Admin, Scope::Send, Scope::Read].iter().any(|scope| identity.scopes.contains(scope))
}

fn shown(state: &ApiState, identity: &Identity, session: Option<&Session>) -> HttpResponse {
    let names = || state.services.apps.names().iter().map(ToString::to_string).collect();
    let home = || identity.home.iter().map(ToString::to_string).collect();
    let mut answer = answer::success(SessionJson {
        app: identity.home.as_ref().map(|app| app.as_str()),
        apps: if identity.is_operator { names() } else { home() },
        operator: identity.is_operator,
        open: identity.via == Via::Open,
        key_name: &identity.key_name,
        scopes: identity.scopes.iter().map(|scope| scope.name()).collect(),
        csrf: session.map(Session::csrf).unwrap_or_default(),
        expires_at: session.map(|session| session.expires_at.to_rfc3339()),
        version: env!("CARGO_PKG_VERSION"),
        storage: state.storage.name(),
        sealing: state.services.apps.can_seal(),
    });
    if let Some(session) = session {
        set_cookie(&mut answer, &auth::setting_cookie(session));
    }
    answer
}

fn set_cookie(answer: &mut HttpResponse, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        answer.headers_mut().insert(SET_COOKIE, cookie);
    }
}
