//! What the document says of this dialect: an operation for each path and verb of its table.

use serde_json::{Value, json};
use utoipa::openapi::{
    ArrayBuilder, Object, ObjectBuilder, SecurityRequirement,
    schema::{OneOfBuilder, SchemaType, Type},
    security::{HttpAuthScheme, SecurityScheme},
};

use crate::{
    api::describe::{
        Operation, Part, PathParameter, Refusals, Shape, choice, delete, get, header_key, http,
        integer, post, text, text_list,
    },
    settings::{PushServerSettings, StatusWord},
};

const PATH_PARAMETERS: &[PathParameter] = &[
    ("id", "The client's id, or the tenant's.", "did:key:z6MkexampleOfAClient"),
    ("tenant_id", "Whose client.", "shop"),
];

/// What is said of it: clients and their pushes, and tenants.
pub fn parts(settings: &PushServerSettings) -> Vec<Part> {
    let mut of_clients = clients(settings);
    of_clients.extend(pages(settings));
    let tenant = vec![one("push_server_tenant")];
    vec![
        part("Push Server", ABOUT_CLIENTS, settings, client_access(settings), of_clients),
        part("Push Server tenants", ABOUT_TENANTS, settings, tenant, tenants()),
    ]
}

const ABOUT_CLIENTS: &str =
    "WalletConnect's Push Server: clients register, and a relay pushes to them.";
const ABOUT_TENANTS: &str = "Who else may be served here, and with which credentials. Without `tenant_secret` in the \
    configuration there are no tenants.";

fn part(
    name: &'static str,
    about: &str,
    settings: &PushServerSettings,
    access: Vec<SecurityRequirement>,
    operations: Vec<Operation>,
) -> Part {
    Part {
        name,
        about: about.to_owned(),
        prefix: settings.prefix.clone(),
        access,
        headers: Vec::new(),
        refusals: refusals(settings.status_word),
        path_parameters: PATH_PARAMETERS,
        operations,
    }
}

/// How its callers prove themselves.
pub fn schemes() -> Vec<(&'static str, SecurityScheme)> {
    let client = "A token that is signed by the key that the client's id is (EdDSA).";
    let tenant = "A token that is signed with `tenant_secret` (HS256), and has an `exp`.";
    let signature =
        "The relay's Ed25519 signature, in hexadecimal digits, of `TIMESTAMP.LENGTH.BODY`.";
    vec![
        ("push_server_client", http(HttpAuthScheme::Bearer, client)),
        ("push_server_tenant", http(HttpAuthScheme::Bearer, tenant)),
        ("push_server_signature", header_key("X-Ed25519-Signature", signature)),
        (
            "push_server_timestamp",
            header_key("X-Ed25519-Timestamp", "The signature's moment, in seconds."),
        ),
    ]
}

fn one(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new(scheme, Vec::<String>::new())
}

/// Clients may say nothing of themselves, unless they must; a token that is shown is checked.
fn client_access(settings: &PushServerSettings) -> Vec<SecurityRequirement> {
    let nothing = (!settings.require_client_auth).then(SecurityRequirement::default);
    nothing.into_iter().chain([one("push_server_client")]).collect()
}

/// Where no relay is configured, whoever reaches the server may push.
fn relay_access(settings: &PushServerSettings) -> Vec<SecurityRequirement> {
    let signed = one("push_server_signature").add("push_server_timestamp", Vec::<String>::new());
    settings.relay_public_key.iter().map(|_| signed.clone()).collect()
}

fn object() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object)
}

fn truth(about: &str) -> Object {
    object().schema_type(Type::Boolean).description(Some(about)).build()
}

fn null() -> Object {
    object().schema_type(Type::Null).build()
}

fn text_or_null(about: &str) -> Object {
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    object().schema_type(kinds).description(Some(about)).build()
}

fn refusals(word: StatusWord) -> Refusals {
    let status = match word {
        StatusWord::Clients => "FAILURE",
        StatusWord::Document => "FAILED",
    };
    let field = object()
        .property("field", text(None))
        .required("field")
        .property("description", text(None))
        .required("description")
        .property("location", choice(None, &["body", "header", "path"]))
        .required("location");
    let problem = object()
        .property("name", text(Some("For machines.")))
        .required("name")
        .property("message", text(Some("For people.")))
        .required("message")
        .property("description", text(Some("The same as `message`, as the document names it.")))
        .required("description");
    let schema = object()
        .property("status", choice(None, &[status]))
        .required("status")
        .property("errors", ArrayBuilder::new().items(problem))
        .required("errors")
        .property("fields", ArrayBuilder::new().items(field))
        .required("fields");
    let shape = Shape::named("PushServerRefusal", schema, Value::Null);
    let told = match word {
        StatusWord::Clients => |status| told(status, "FAILURE"),
        StatusWord::Document => |status| told(status, "FAILED"),
    };
    Refusals { shape, told, always: &[403, 500, 503] }
}

fn told(status: u16, word: &str) -> (&'static str, Value) {
    let (why, name, message) = match status {
        400 => (
            "Bad input, named in `fields`; of a push also: the provider refuses it for good (`provider`), or \
            the token is gone and the client unregistered (`invalid_token`).",
            "field",
            "is missing",
        ),
        401 => (
            "Who calls is not proven.",
            "authentication",
            "the provided authentication is not sufficient: a token is required",
        ),
        403 => (
            "There are no tenants here, or this one is suspended; an installation without keys answers this \
            machine alone.",
            "tenant_suspended",
            "the tenant is suspended: InvalidProviderToken",
        ),
        404 => ("There is no such tenant.", "tenant", "there is no such tenant"),
        408 => (
            "The body did not arrive in time.",
            "body",
            "the request body did not arrive within 30 seconds",
        ),
        409 => (
            "The token is a device's of another API, or the tenant is there already.",
            "token",
            "belongs to a device that was not registered as a client",
        ),
        413 => ("The body is over the limit.", "body", "the request body is over the limit"),
        429 => (
            "Too often; `Retry-After` says when again.",
            "rate_limit",
            "too many requests from this address",
        ),
        502 => (
            "The provider did not take it, or there are no credentials: send it again.",
            "provider",
            "the provider did not take the push: 503",
        ),
        503 => (
            "The store is away or the provider does not answer: send it again.",
            "provider",
            "the provider did not answer in time",
        ),
        _ => ("Ours.", "unknown_error", "internal error"),
    };
    let field = json!({"field": "token", "description": message, "location": "body"});
    let problem = json!({"name": name, "message": message, "description": message});
    (why, json!({"status": word, "errors": [problem], "fields": [field]}))
}

fn success(settings: &PushServerSettings) -> Shape {
    let word = match settings.status_word {
        StatusWord::Clients => "SUCCESS",
        StatusWord::Document => "OK",
    };
    let schema = object()
        .property("status", choice(None, &[word]))
        .required("status")
        .property("errors", null())
        .required("errors")
        .property("fields", null())
        .required("fields");
    Shape::named(
        "PushServerSuccess",
        schema,
        json!({"status": word, "errors": null, "fields": null}),
    )
}

fn pages(settings: &PushServerSettings) -> Vec<Operation> {
    let test = get(
        "/rate_limit_test",
        "push_server_rate_limit_test",
        "What a registration would hear of its pace",
    )
    .free()
    .answers("Not too often.", success(settings))
    .refuses(&[429]);
    let line = Shape::plain(text(None), json!("OK, fanfare v0.1.0")).sent_as("text/plain");
    let health = get("/health", "push_server_health", "It lives").free().answers("One line.", line);
    let health = Some(health).filter(|_| !settings.prefix.is_empty());
    health.into_iter().chain([test]).collect()
}

fn clients(settings: &PushServerSettings) -> Vec<Operation> {
    let ids = [
        ("/clients", "push_server_register", "Registers a client, or changes what is registered"),
        (
            "/{tenant_id}/clients",
            "push_server_register_of_tenant",
            "The same, for a tenant's client",
        ),
    ];
    let register = ids.map(|(path, id, summary)| {
        post(path, id, summary)
            .about("A hundred times a minute from one address.")
            .takes(registration())
            .answers("It is registered.", success(settings))
            .refuses(&[404, 409, 429])
    });
    let ids = [
        ("/clients/{id}", "push_server_push", "Pushes to a client"),
        ("/{tenant_id}/clients/{id}", "push_server_push_of_tenant", "Pushes to a tenant's client"),
    ];
    let push = ids.map(|(path, id, summary)| {
        post(path, id, summary)
            .about("Answered when the provider has taken it.")
            .access(relay_access(settings))
            .takes(message())
            .answers_with(
                202,
                "The provider has taken it, or the client is not known or has no token any more.",
                None,
            )
            .answers_with(
                200,
                "It was taken before: the same `id`, or `message`, within a week.",
                None,
            )
            .refuses(&[404, 409, 502])
    });
    let ids = [
        ("/clients/{id}", "push_server_unregister", "Unregisters a client; also who is not there"),
        (
            "/{tenant_id}/clients/{id}",
            "push_server_unregister_of_tenant",
            "The same, for a tenant's client",
        ),
    ];
    let unregister = ids.map(|(path, id, summary)| {
        delete(path, id, summary).answers("It is gone.", success(settings)).refuses(&[404, 409])
    });
    register.into_iter().chain(push).chain(unregister).collect()
}

fn registration() -> Shape {
    let schema = object()
        .property("client_id", text(Some("With or without `did:key:`.")))
        .required("client_id")
        .property("type", text(Some("`apns`, `apns-sandbox` or `fcm`, in any case.")))
        .required("type")
        .property(
            "token",
            text(Some("The provider's; it goes to the client that registers it last.")),
        )
        .required("token")
        .property("always_raw", truth_or_null("Whether the client decrypts everything itself."));
    let example =
        json!({"client_id": "did:key:z6MkexampleOfAClient", "type": "fcm", "token": "fcm-token"});
    Shape::named("PushServerClient", schema, example)
}

fn truth_or_null(about: &str) -> Object {
    let kinds = SchemaType::from_iter([Type::Boolean, Type::Null]);
    object().schema_type(kinds).description(Some(about)).build()
}

/// `{id, payload}` or `{topic, tag, message}`; of a body with both, a client gets the one that it wants.
fn message() -> Shape {
    let payload = object()
        .property("topic", text_or_null("Needed where the blob is encrypted."))
        .property("flags", integer(Some("1 is encrypted.")))
        .required("flags")
        .property(
            "blob",
            text(Some("What is encrypted, or base64 of JSON with `title` and `body`.")),
        )
        .required("blob");
    let payload =
        OneOfBuilder::new().item(payload).item(text(Some("`TOPIC:FLAGS:BLOB`"))).item(null());
    let schema = object()
        .description(Some(
            "`{id, payload}`, or `{topic, tag, message}` for clients with `always_raw`.",
        ))
        .property("id", text_or_null("The message's; a repeat has the same."))
        .property("payload", payload)
        .property("topic", text_or_null("Of the second form."))
        .property("tag", object().schema_type(SchemaType::from_iter([Type::Integer, Type::Null])))
        .property("message", text_or_null("Of the second form, encrypted."));
    let example = json!({"id": "1", "payload": {"topic": "a1b2", "flags": 1, "blob": "c2VhbGVk"}});
    Shape::named("PushServerMessage", schema, example)
}

fn tenants() -> Vec<Operation> {
    let body = object().property("id", text(Some("Its clients are under it."))).required("id");
    let made =
        object().property("url", text(Some("What its clients reach it by."))).required("url");
    let url = json!({"url": "https://push.example.com/shop"});
    let mut operations = vec![
        post("/tenants", "push_server_create_tenant", "Makes a tenant")
            .takes(Shape::plain(body, json!({"id": "shop"})))
            .answers("It is made.", Shape::plain(made, url))
            .refuses(&[409]),
        get("/tenants/{id}", "push_server_get_tenant", "A tenant")
            .answers("The tenant.", tenant())
            .refuses(&[404, 409]),
        delete("/tenants/{id}", "push_server_remove_tenant", "Removes a tenant with its clients")
            .answers("It is gone.", done())
            .refuses(&[404, 409]),
    ];
    operations.extend(credentials());
    operations
}

fn tenant() -> Shape {
    let names =
        ["url", "enabled_providers", "apns_topic", "apns_type", "suspended", "suspended_reason"];
    let schema = object()
        .property("url", text(Some("What its clients reach it by.")))
        .property("enabled_providers", text_list(Some("The types that its clients may have.")))
        .property("apns_topic", text_or_null("The bundle id."))
        .property("apns_type", text_or_null("`certificate` or `token`."))
        .property("suspended", truth("Whether it may not send."))
        .property("suspended_reason", text_or_null("Why not."));
    let schema = names.into_iter().fold(schema, ObjectBuilder::required);
    let example = json!({
        "url": "https://push.example.com/shop", "enabled_providers": ["apns", "apns-sandbox", "fcm_v1"],
        "apns_topic": "com.example.shop", "apns_type": "token", "suspended": false, "suspended_reason": null,
    });
    Shape::named("PushServerTenant", schema, example)
}

fn done() -> Shape {
    let schema = object().property("success", truth("It was made.")).required("success");
    Shape::plain(schema, json!({"success": true}))
}

fn credentials() -> Vec<Operation> {
    let apns = object()
        .property("apns_topic", text(Some("The bundle id; alone, it changes the topic.")))
        .property(
            "apns_pkcs8_pem",
            text(Some("The signing key; key, key id and team id go together.")),
        )
        .property("apns_key_id", text(None))
        .property("apns_team_id", text(None))
        .property("apns_certificate", text(Some("PEM, the certificate and its private key.")));
    let apns = form(apns, json!({"apns_topic": "com.example.shop"}));
    let fcm = object()
        .property("credentials", text(Some("The service account's JSON.")))
        .required("credentials");
    let fcm = form(fcm, json!({"credentials": "{\"type\": \"service_account\"}"}));
    vec![
        post("/tenants/{id}/apns", "push_server_set_apns", "Gives credentials for Apple")
            .takes(apns)
            .answers("They are kept, sealed.", done())
            .refuses(&[404, 409]),
        delete("/tenants/{id}/apns", "push_server_unset_apns", "Takes them away")
            .answers_with(204, "They are gone.", None)
            .refuses(&[404, 409]),
        post("/tenants/{id}/fcm_v1", "push_server_set_fcm", "Gives credentials for Google")
            .takes(fcm)
            .answers("They are kept, sealed.", done())
            .refuses(&[404, 409]),
        delete("/tenants/{id}/fcm_v1", "push_server_unset_fcm", "Takes them away")
            .answers_with(204, "They are gone.", None)
            .refuses(&[404, 409]),
    ]
}

fn form(schema: ObjectBuilder, example: Value) -> Shape {
    Shape::plain(schema, example).sent_as("multipart/form-data")
}
