//! A page that is there to be read, outside of every dialect: GET and HEAD, and a 405 as the native API
//! answers it for every other verb.

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder,
    dev::{AppService, HttpServiceFactory},
    guard, web,
};

use super::{
    ApiState, native,
    observe::Dialect,
    table::{Entry, Listed},
};

/// A path and who answers it.
pub struct Page {
    path: &'static str,
    resource: Resource,
}

impl Page {
    /// The page at a path.
    pub fn at<F, Args>(path: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let shown = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
        let resource = web::resource(path).app_data(Dialect::Operations);
        let resource = resource.route(shown.to(handler));
        Self { path, resource: resource.default_service(web::to(no_such_method)) }
    }
}

async fn no_such_method(request: HttpRequest) -> HttpResponse {
    native::no_such_method(&request, "GET, HEAD")
}

impl Entry for Page {
    fn listed(&self) -> Listed {
        Listed { path: self.path.to_owned(), verbs: vec!["GET", "HEAD"] }
    }
}

impl HttpServiceFactory for Page {
    fn register(self, config: &mut AppService) {
        self.resource.app_data(Dialect::Operations).register(config);
    }
}

/// What a page shows whom: strangers are kept out of an installation without keys.
pub fn guarded(
    request: &HttpRequest,
    state: &ApiState,
    show: impl FnOnce() -> HttpResponse,
) -> HttpResponse {
    match state.keyring.admit(request.headers()) {
        Ok(()) => show(),
        Err(error) => native::refused(error),
    }
}
