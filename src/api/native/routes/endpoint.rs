//! One path of the table: its verbs, and a 405 in the envelope for every other verb.

use std::time::Duration;

use actix_web::{
    FromRequest, Handler, HttpRequest, Resource, Responder, Route,
    dev::{AppService, HttpServiceFactory},
    web::{self, PayloadConfig},
};

use crate::api::{
    extract::BodyDeadline,
    finish::Finishing,
    native::answer,
    observe::Dialect,
    table::{Entry, Listed},
};

/// A path and its handlers.
pub struct Endpoint {
    path: &'static str,
    dialect: Dialect,
    resource: Resource,
    allowed: Vec<&'static str>,
}

/// Begins an endpoint at a path.
pub fn at(path: &'static str) -> Endpoint {
    Endpoint::new(path, web::resource(path))
}

/// Begins an endpoint at a path, with and without a slash at its end.
pub fn at_slashed(path: &'static str) -> Endpoint {
    let paths = [path.to_owned(), format!("{path}/")];
    Endpoint::new(path, web::resource(paths))
}

impl Endpoint {
    fn new(path: &'static str, resource: Resource) -> Self {
        Self { path, dialect: Dialect::Native, resource, allowed: Vec::new() }
    }

    /// As another API's in what is counted.
    pub fn counted_as(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// Answers GET.
    pub fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.route("GET", web::get().to(handler))
    }

    /// Answers POST.
    pub fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
        F::Future: 'static,
    {
        self.route("POST", web::post().to(Finishing(handler)))
    }

    /// Answers PUT.
    pub fn put<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
        F::Future: 'static,
    {
        self.route("PUT", web::put().to(Finishing(handler)))
    }

    /// Answers PATCH.
    pub fn patch<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
        F::Future: 'static,
    {
        self.route("PATCH", web::patch().to(Finishing(handler)))
    }

    /// Answers DELETE.
    pub fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
        F::Future: 'static,
    {
        self.route("DELETE", web::delete().to(Finishing(handler)))
    }

    /// Takes bodies up to another limit than the rest of the API, and gives them longer to arrive.
    pub fn bodies_up_to(mut self, bytes: usize, deadline: Duration) -> Self {
        let resource = self.resource.app_data(PayloadConfig::new(bytes));
        self.resource = resource.app_data(BodyDeadline(deadline));
        self
    }

    fn route(mut self, verb: &'static str, route: Route) -> Self {
        self.resource = self.resource.route(route);
        self.allowed.push(verb);
        self
    }
}

impl Entry for Endpoint {
    fn listed(&self) -> Listed {
        Listed { path: self.path.to_owned(), verbs: self.allowed.clone() }
    }
}

impl HttpServiceFactory for Endpoint {
    fn register(self, config: &mut AppService) {
        let allowed = self.allowed.join(", ");
        let refuse = move |request: HttpRequest| {
            let answer = answer::no_such_method(&request, &allowed);
            async move { answer }
        };
        let resource = self.resource.app_data(self.dialect);
        resource.default_service(web::to(refuse)).register(config);
    }
}
