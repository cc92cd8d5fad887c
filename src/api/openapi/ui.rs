//! `/docs`: Swagger UI, all of it from this server. What is not ours is in the binary as gzip, as `build.rs`
//! took it out of its archive, and is sent so; every browser reads it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Bytes, Data},
};

use crate::api::{
    ApiState, native,
    page::{Page, guarded},
    table::Table,
};

/// What the page may load and do: our own files and calls alone. The pictures of its style are data.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

struct File {
    name: &'static str,
    kind: &'static str,
    body: &'static [u8],
    is_gzip: bool,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

const PAGE: File = File {
    name: "",
    kind: "text/html; charset=utf-8",
    body: include_bytes!("page/index.html"),
    is_gzip: false,
};

const FILES: [File; 4] = [
    File {
        name: "swagger-ui-bundle.js",
        kind: SCRIPT,
        body: include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz")),
        is_gzip: true,
    },
    File {
        name: "swagger-ui.css",
        kind: STYLE,
        body: include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz")),
        is_gzip: true,
    },
    File { name: "page.js", kind: SCRIPT, body: include_bytes!("page/page.js"), is_gzip: false },
    File { name: "page.css", kind: STYLE, body: include_bytes!("page/page.css"), is_gzip: false },
];

/// The page, and its files.
pub fn table(table: Table) -> Table {
    table.service(Page::at("/docs", page)).service(Page::at("/docs/{file}", file))
}

async fn page(request: HttpRequest, state: Data<ApiState>) -> HttpResponse {
    guarded(&request, &state, || PAGE.answer())
}

async fn file(request: HttpRequest, state: Data<ApiState>) -> HttpResponse {
    let name = request.match_info().query("file");
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => guarded(&request, &state, || file.answer()),
        None => native::no_such_path().await,
    }
}

impl File {
    fn answer(&self) -> HttpResponse {
        let mut answer = HttpResponse::Ok();
        answer
            .insert_header((header::CONTENT_TYPE, self.kind))
            // Asked for again each time, so that after an upgrade nobody runs half of the old one.
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::REFERRER_POLICY, "no-referrer"));
        if self.is_gzip {
            answer.insert_header((header::CONTENT_ENCODING, "gzip"));
        }
        answer.body(Bytes::from_static(self.body))
    }
}
