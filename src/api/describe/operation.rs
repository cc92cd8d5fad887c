//! One operation, written as a row of a table: `put(path, id, summary).takes(…).answers(…).refuses(…)`.

use serde_json::Value;
use utoipa::openapi::{
    Content, ContentBuilder, Header, Object, Required, Response, ResponseBuilder,
    header::HeaderBuilder,
    path::{HttpMethod, Parameter, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    security::SecurityRequirement,
};

use super::{Shape, text};

/// What is said of a path and a verb.
pub struct Operation {
    pub(super) verb: HttpMethod,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) about: String,
    pub(super) scope: Option<&'static str>,
    pub(super) access: Option<Vec<SecurityRequirement>>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) refused: Vec<u16>,
    takes: Vec<Shape>,
    is_body_optional: bool,
    answers: Vec<Answer>,
}

struct Answer {
    status: u16,
    about: String,
    shape: Option<Shape>,
    headers: Vec<(&'static str, &'static str)>,
}

/// GET
pub fn get(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(HttpMethod::Get, path, id, summary)
}

/// POST
pub fn post(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(HttpMethod::Post, path, id, summary)
}

/// PUT
pub fn put(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(HttpMethod::Put, path, id, summary)
}

/// PATCH
pub fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(HttpMethod::Patch, path, id, summary)
}

/// DELETE
pub fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(HttpMethod::Delete, path, id, summary)
}

impl Operation {
    fn new(verb: HttpMethod, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            verb,
            path,
            id,
            summary,
            about: String::new(),
            scope: None,
            access: None,
            parameters: Vec::new(),
            refused: Vec::new(),
            takes: Vec::new(),
            is_body_optional: false,
            answers: Vec::new(),
        }
    }

    /// What the summary does not say.
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// The scope that a key must have.
    pub fn scope(mut self, scope: &'static str) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Nobody needs to prove anything.
    pub fn free(self) -> Self {
        self.access(Vec::new())
    }

    /// Other ways to prove who calls than its part's.
    pub fn access(mut self, ways: Vec<SecurityRequirement>) -> Self {
        self.access = Some(ways);
        self
    }

    /// A parameter of the query.
    pub fn query(self, name: &str, about: &str, schema: Object, example: impl Into<Value>) -> Self {
        self.parameter(optional(ParameterIn::Query, name, about, schema, example.into()))
    }

    /// A parameter of the query that must be there.
    pub fn query_needed(
        self,
        name: &str,
        about: &str,
        schema: Object,
        example: impl Into<Value>,
    ) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .required(Required::True)
            .description(Some(about))
            .schema(Some(schema))
            .example(Some(example.into()));
        self.parameter(parameter.build())
    }

    /// A header that may be sent.
    pub fn header(self, name: &str, about: &str, example: &str) -> Self {
        self.parameter(optional(ParameterIn::Header, name, about, text(None), example.into()))
    }

    fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The body that it takes.
    pub fn takes(mut self, shape: Shape) -> Self {
        self.takes.push(shape);
        self
    }

    /// A body that may be left out.
    pub fn may_take(mut self, shape: Shape) -> Self {
        self.is_body_optional = true;
        self.takes(shape)
    }

    /// What it answers when all is well: 200.
    pub fn answers(self, about: &str, shape: Shape) -> Self {
        self.answers_with(200, about, Some(shape))
    }

    /// What it answers with a status, without a body where there is no shape.
    pub fn answers_with(mut self, status: u16, about: &str, shape: Option<Shape>) -> Self {
        self.answers.push(Answer { status, about: about.to_owned(), shape, headers: Vec::new() });
        self
    }

    /// A header of the answer that was named last.
    pub fn with_header(mut self, name: &'static str, about: &'static str) -> Self {
        if let Some(last) = self.answers.last_mut() {
            last.headers.push((name, about));
        }
        self
    }

    /// What it may be refused with, besides what its part always may.
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refused.extend(statuses);
        self
    }

    /// Whether a request may be wrong in more than its credentials.
    pub(super) fn has_input(&self) -> bool {
        self.has_body() || !self.parameters.is_empty() || self.path.contains('{')
    }

    /// Whether the path has this name in braces.
    pub(super) fn names(&self, parameter: &str) -> bool {
        self.path.contains(&format!("{{{parameter}}}"))
    }

    pub(super) fn has_body(&self) -> bool {
        !self.takes.is_empty()
    }

    pub(super) fn shapes(&self) -> impl Iterator<Item = &Shape> {
        self.takes.iter().chain(self.answers.iter().filter_map(|answer| answer.shape.as_ref()))
    }

    pub(super) fn body(&self) -> Option<RequestBody> {
        if self.takes.is_empty() {
            return None;
        }
        let needed = if self.is_body_optional { Required::False } else { Required::True };
        let body = RequestBodyBuilder::new().required(Some(needed));
        let taken = self.takes.iter();
        Some(taken.fold(body, |body, shape| body.content(shape.media, content(shape))).build())
    }

    /// The answers by status; one status may have several types.
    pub(super) fn answered(&self) -> Vec<(u16, Response)> {
        let mut told: Vec<(u16, ResponseBuilder)> = Vec::new();
        for answer in &self.answers {
            let mut response = match told.iter().position(|(status, _)| *status == answer.status) {
                Some(place) => told.remove(place).1,
                None => ResponseBuilder::new().description(answer.about.clone()),
            };
            if let Some(shape) = &answer.shape {
                response = response.content(shape.media, content(shape));
            }
            for (name, about) in &answer.headers {
                response = response.header(*name, header(about));
            }
            told.push((answer.status, response));
        }
        told.into_iter().map(|(status, response)| (status, response.build())).collect()
    }
}

/// A parameter that may be left out. Its example is its schema's: pages fill in an example of the parameter
/// itself, and would send what nobody chose.
pub(super) fn optional(
    place: ParameterIn,
    name: &str,
    about: &str,
    mut schema: Object,
    example: Value,
) -> Parameter {
    schema.examples = vec![example];
    let parameter = ParameterBuilder::new().name(name).parameter_in(place);
    let parameter = parameter.required(Required::False).description(Some(about));
    parameter.schema(Some(schema)).build()
}

fn content(shape: &Shape) -> Content {
    let content = ContentBuilder::new().schema(Some(shape.schema.clone()));
    content.example(shape.example.clone()).build()
}

fn header(about: &str) -> Header {
    HeaderBuilder::new().schema(text(None)).description(Some(about)).build()
}
