//! What a body looks like: its schema, with the components that it refers to, and an example.

use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{
        ArrayBuilder, Object, ObjectBuilder, Ref, RefOr, Schema,
        schema::{AdditionalProperties, Type},
    },
};

/// A body.
#[derive(Clone)]
pub struct Shape {
    /// Its type.
    pub media: &'static str,
    /// Its schema.
    pub schema: RefOr<Schema>,
    /// What one looks like.
    pub example: Option<Value>,
    /// What the schema refers to, by name.
    pub components: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    /// JSON of a type, by reference.
    pub fn of<T: ToSchema>(example: Value) -> Self {
        let mut components = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut components);
        let schema = Ref::from_schema_name(T::name()).into();
        Self { media: "application/json", schema, example: Some(example), components }
    }

    /// JSON of a list of a type.
    pub fn list_of<T: ToSchema>(example: Value) -> Self {
        let one = Self::of::<T>(example);
        let schema = ArrayBuilder::new().items(one.schema.clone()).build().into();
        Self { schema, ..one }
    }

    /// With a schema of its own.
    pub fn plain(schema: impl Into<RefOr<Schema>>, example: Value) -> Self {
        let (schema, components) = (schema.into(), Vec::new());
        Self { media: "application/json", schema, example: Some(example), components }
    }

    /// Under a name of its own.
    pub fn named(name: &str, schema: impl Into<RefOr<Schema>>, example: Value) -> Self {
        let components = vec![(name.to_owned(), schema.into())];
        let schema = Ref::from_schema_name(name).into();
        Self { media: "application/json", schema, example: Some(example), components }
    }

    /// As another type.
    pub fn sent_as(self, media: &'static str) -> Self {
        Self { media, ..self }
    }

    /// Knowing the components of a type besides.
    pub fn knowing<T: ToSchema>(mut self) -> Self {
        self.components.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.components);
        self
    }
}

/// A string, with what it is.
pub fn text(about: Option<&str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(about).build()
}

/// A whole number from 0, with what it is.
pub fn integer(about: Option<&str>) -> Object {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    number.description(about).build()
}

/// One of these strings.
pub fn choice(about: Option<&str>, words: &[&str]) -> Object {
    let words = words.iter().copied();
    let text = ObjectBuilder::new().schema_type(Type::String).description(about);
    text.enum_values(Some(words)).build()
}

/// A list of strings.
pub fn text_list(about: Option<&str>) -> Schema {
    ArrayBuilder::new().items(text(None)).description(about).build().into()
}

/// An object whose keys are data, with values of one schema.
pub fn json_object(about: Option<&str>, values: impl Into<RefOr<Schema>>) -> Object {
    let values = AdditionalProperties::RefOr(values.into());
    let object = ObjectBuilder::new().schema_type(Type::Object).description(about);
    object.additional_properties(Some(values)).build()
}
