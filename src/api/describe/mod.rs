//! What the parts of the API say of themselves in the OpenAPI document: each part is a tag with its own
//! credentials, its own way to refuse, and its operations. Knows no dialect; `openapi` gathers them.

mod operation;
mod shape;

use utoipa::openapi::{
    Components, ContentBuilder, Paths, Required, Response, ResponseBuilder, Tag,
    path::{Operation as Described, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    tag::TagBuilder,
};

pub use operation::{Operation, delete, get, patch, post, put};
pub use shape::{Shape, choice, integer, json_object, text, text_list};

/// A parameter of paths, or a header: its name, what it is, an example.
pub type PathParameter = (&'static str, &'static str, &'static str);

/// How a part refuses.
pub struct Refusals {
    /// The schema of every refusal; a component.
    pub shape: Shape,
    /// Why it refuses with a status, and the answer's body as an example.
    pub told: fn(u16) -> (&'static str, serde_json::Value),
    /// What any of its operations may be refused with.
    pub always: &'static [u16],
}

/// A tag of the document.
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: String,
    /// What its paths begin with.
    pub prefix: String,
    /// The ways to prove who calls: any one of them will do, and none is needed where there are none.
    pub access: Vec<SecurityRequirement>,
    /// Headers that any request may have.
    pub headers: Vec<PathParameter>,
    /// How it refuses.
    pub refusals: Refusals,
    /// What stands in braces in its paths.
    pub path_parameters: &'static [PathParameter],
    /// What it answers.
    pub operations: Vec<Operation>,
}

impl Part {
    /// Adds it to the document.
    pub fn write(self, paths: &mut Paths, components: &mut Components, tags: &mut Vec<Tag>) {
        tags.push(TagBuilder::new().name(self.name).description(Some(&self.about)).build());
        collect(components, &self.refusals.shape);
        for operation in &self.operations {
            for shape in operation.shapes() {
                collect(components, shape);
            }
            let path = match format!("{}{}", self.prefix, operation.path) {
                path if path.is_empty() => "/".to_owned(),
                path => path,
            };
            paths.add_path_operation(path, vec![operation.verb.clone()], self.described(operation));
        }
    }

    fn described(&self, operation: &Operation) -> Described {
        let mut builder = OperationBuilder::new()
            .tag(self.name)
            .operation_id(Some(operation.id))
            .summary(Some(operation.summary))
            .securities(Some(self.securities(operation)));
        if !operation.about.is_empty() {
            builder = builder.description(Some(operation.about.as_str()));
        }
        let in_path = self.path_parameters.iter().filter(|(name, ..)| operation.names(name));
        let in_path = in_path.map(path_parameter);
        let headers = self.headers.iter().map(|(name, about, example)| {
            operation::optional(ParameterIn::Header, name, about, text(None), (*example).into())
        });
        for parameter in in_path.chain(operation.parameters.clone()).chain(headers) {
            builder = builder.parameter(parameter);
        }
        builder = builder.request_body(operation.body());
        for (status, answer) in operation.answered() {
            builder = builder.response(status.to_string(), answer);
        }
        for status in self.statuses(operation) {
            builder = builder.response(status.to_string(), self.refusal(status));
        }
        builder.build()
    }

    /// The ways in, narrowed to the scope that the operation needs.
    fn securities(&self, operation: &Operation) -> Vec<SecurityRequirement> {
        let ways = operation.access.as_ref().unwrap_or(&self.access);
        match operation.scope {
            None => ways.clone(),
            Some(scope) => ways.iter().map(|way| scoped(way, scope)).collect(),
        }
    }

    fn statuses(&self, operation: &Operation) -> Vec<u16> {
        let mut statuses = self.refusals.always.to_vec();
        statuses.extend(&operation.refused);
        if !self.securities(operation).is_empty() {
            statuses.push(401);
        }
        if operation.has_input() {
            statuses.push(400);
        }
        if operation.has_body() {
            statuses.extend([408, 413]);
        }
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    fn refusal(&self, status: u16) -> Response {
        let (why, example) = (self.refusals.told)(status);
        let shape = &self.refusals.shape;
        let content =
            ContentBuilder::new().schema(Some(shape.schema.clone())).example(Some(example));
        ResponseBuilder::new().description(why).content(shape.media, content.build()).build()
    }
}

/// The same requirement, with a scope named where schemes have any.
fn scoped(way: &SecurityRequirement, scope: &str) -> SecurityRequirement {
    let names = serde_json::to_value(way).unwrap_or_default();
    let names = names.as_object().into_iter().flatten().map(|(name, _)| name.clone());
    names.fold(SecurityRequirement::default(), |way, name| way.add(name, [scope]))
}

fn path_parameter((name, about, example): &PathParameter) -> Parameter {
    ParameterBuilder::new()
        .name(*name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(*about))
        .schema(Some(text(None)))
        .example(Some((*example).into()))
        .build()
}

fn collect(components: &mut Components, shape: &Shape) {
    for (name, schema) in &shape.components {
        let held = components.schemas.insert(name.clone(), schema.clone());
        // Two types of one name would describe each other wrongly.
        debug_assert!(held.is_none_or(|held| held == *schema), "two schemas are named {name}");
    }
}

/// Credentials in `Authorization`.
pub fn http(scheme: HttpAuthScheme, about: &str) -> SecurityScheme {
    let mut http = Http::new(scheme);
    http.description = Some(about.to_owned());
    SecurityScheme::Http(http)
}

/// A key in a header of its own.
pub fn header_key(name: &str, about: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, about)))
}
