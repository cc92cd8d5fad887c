//! The files of the console, from the folder `console/`: within the binary, or in a debug build read
//! from disk at every request, so that a page can be worked on without building.

use actix_web::{
    HttpRequest, HttpResponse, guard,
    http::{Method, StatusCode, header},
};
use rust_embed::{Embed, EmbeddedFile};

use crate::api::native;

#[derive(Embed)]
#[folder = "console/"]
struct Files;

const PAGE: &str = "index.html";

/// Where what is not there is missing, rather than a page's address.
const FOLDERS: [&str; 4] = ["css/", "lib/", "parts/", "pages/"];

/// What a page may load and do: our own files alone, pictures of a message from anywhere by https, and
/// nothing that stands inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' https: data:; connect-src 'self'; font-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A file, or for a page's address the page that finds its way from there.
pub async fn serve(request: HttpRequest) -> HttpResponse {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return native::no_such_method(&request, "GET, HEAD");
    }
    let path = request.match_info().query("path");
    match Files::get(path) {
        Some(file) => answer(&request, path, file),
        None if is_of_a_file(path) => native::no_such_path().await,
        None => answer(&request, PAGE, Files::get(PAGE).expect("the console has its page")),
    }
}

/// Whether a path that leads nowhere was a file's: in one of the folders, or beside the page itself. A
/// device may have a dot in its name.
fn is_of_a_file(path: &str) -> bool {
    let beside_the_page = path.contains('.') && !path.contains('/');
    beside_the_page || FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// Where the console is.
pub async fn to_console() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/console/")).finish()
}

/// Whether a person looks, rather than a program.
pub fn is_browser() -> impl guard::Guard {
    guard::All(guard::Get()).and(guard::fn_guard(|context| {
        let accepted = context.head().headers().get(header::ACCEPT);
        accepted
            .and_then(|value| value.to_str().ok())
            .is_some_and(|text| text.contains("text/html"))
    }))
}

fn answer(request: &HttpRequest, path: &str, file: EmbeddedFile) -> HttpResponse {
    let digest = file.metadata.sha256_hash();
    let tag: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = request.headers().get(header::IF_NONE_MATCH);
    let is_known = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((header::ETAG, tag))
        // Asked for again each time, so that after an upgrade nobody runs half of the old one.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_TYPE, content_type(path)))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    if is_known { answer.finish() } else { answer.body(file.data.into_owned()) }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
