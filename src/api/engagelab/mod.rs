//! EngageLab's API of devices, tags, aliases and pushes, as its clients speak it.
//!
//! A registration id is a device's external id; tags and alias are the device's own; a push is a
//! notification that is created and launched, its message id the notification's number. `error` knows
//! EngageLab's codes, `request` its credentials and parameters, `message` what a push says; the other
//! files are the endpoints.

mod answer;
mod devices;
mod error;
mod message;
mod operations;
mod push;
mod request;
mod statistics;
mod tags;

use actix_web::{
    HttpRequest, HttpResponse, Resource, ResponseError, guard,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web::{self, Data, ServiceConfig},
};

pub use self::operations::{part, schemes};

use self::error::Failure;
use crate::{
    api::{
        finish::Finishing,
        observe::Dialect,
        table::{Entry, Listed, Table},
    },
    settings::EngageLabSettings,
};

/// What handlers answer.
type Answer = Result<HttpResponse, Failure>;

/// Puts its paths on `config`.
pub fn mount(config: &mut ServiceConfig, settings: &EngageLabSettings) {
    let scope = web::scope(&format!("{}/v4", settings.prefix))
        .app_data(Dialect::EngageLab)
        .app_data(Data::new(answer::Success { quoted: settings.success_json }))
        .app_data(web::PathConfig::default().error_handler(|_, _| Failure::no_such_path().into()))
        .configure(|config| table().mount(config));
    config.service(scope.default_service(web::to(no_such_path)));
}

/// Every path under `/v4`; `operations` describes each.
#[rustfmt::skip]
fn table() -> Table {
    Table::default()
        .service(at("/tags_count").get(tags::counts))
        .service(at("/tags").get(tags::list))
        .service(at("/tags/quota-info").get(tags::quotas))
        .service(at("/tags/{tag}").post(tags::change).delete(tags::remove))
        .service(at("/tags/{tag}/registration_ids/{id}").get(tags::is_tagged))
        .service(at("/aliases/{alias}").get(tags::of_alias).delete(tags::remove_alias))

        .service(at("/devices/status").post(devices::status))
        .service(at("/devices/token/registration_id").post(devices::register))
        .service(at("/devices/{id}").get(devices::show).post(devices::change).delete(devices::remove))

        .service(at("/push").post(push::send))
        .service(at("/push/validate").post(push::validate))
        .service(at("/push/withdraw/{id}").delete(push::withdraw))
        .service(at("/messages/details").get(statistics::details))
        .service(at("/status/detail").get(statistics::details))
}

/// What it serves under which paths.
#[cfg(test)]
pub fn listed(settings: &EngageLabSettings) -> Vec<Listed> {
    let under = |one: Listed| Listed { path: format!("{}/v4{}", settings.prefix, one.path), ..one };
    table().listed().into_iter().map(under).collect()
}

/// A path, with and without a slash at its end.
fn at(path: &'static str) -> Endpoint {
    let resource = web::resource([path.to_owned(), format!("{path}/")]);
    Endpoint { path, resource, allowed: Vec::new() }
}

/// A path and its handlers, one for each verb; what is not named is refused.
struct Endpoint {
    path: &'static str,
    resource: Resource,
    allowed: Vec<&'static str>,
}

macro_rules! verbs {
    ($($verb:ident: $route:expr, $allowed:expr;)*) => {
        impl Endpoint {
            $(fn $verb<F, Args>(mut self, handler: F) -> Self
            where
                F: actix_web::Handler<Args>,
                Args: actix_web::FromRequest + 'static,
                F::Output: actix_web::Responder + 'static,
                F::Future: 'static,
            {
                self.resource = self.resource.route($route.to(Finishing(handler)));
                self.allowed.extend($allowed);
                self
            })*
        }
    };
}
verbs! {
    get: web::route().guard(guard::Any(guard::Get()).or(guard::Head())), ["GET", "HEAD"];
    post: web::post(), ["POST"];
    delete: web::delete(), ["DELETE"];
}

impl Entry for Endpoint {
    fn listed(&self) -> Listed {
        Listed { path: self.path.to_owned(), verbs: self.allowed.clone() }
    }
}

impl actix_web::dev::HttpServiceFactory for Endpoint {
    fn register(self, config: &mut actix_web::dev::AppService) {
        let allowed = self.allowed.join(", ");
        let refuse = move |request: HttpRequest| {
            let answer = no_such_method(&request, &allowed);
            async move { answer }
        };
        self.resource.default_service(web::to(refuse)).register(config);
    }
}

async fn no_such_path() -> Answer {
    Err(Failure::no_such_path())
}

fn no_such_method(request: &HttpRequest, allowed: &str) -> HttpResponse {
    let message = format!("{} is not allowed here; allowed: {allowed}", request.method());
    let refusal = Failure::new(StatusCode::METHOD_NOT_ALLOWED, error::ILLEGAL, message);
    let mut answer = refusal.error_response();
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    answer
}
