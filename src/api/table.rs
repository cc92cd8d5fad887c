//! A table of paths: what is mounted, and the list of it. Everything that the server answers goes through
//! a table, since actix does not tell what it serves; the test of the OpenAPI document compares the two.

use actix_web::{dev::HttpServiceFactory, web::ServiceConfig};

/// A path and the verbs that it takes, as a table lists them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The pattern, without the twin that ends in a slash.
    pub path: String,
    /// In upper case.
    pub verbs: Vec<&'static str>,
}

/// What a table can hold: it is mounted, and says what it is.
pub trait Entry: HttpServiceFactory + 'static {
    /// The path and its verbs.
    fn listed(&self) -> Listed;
}

type Mounting = Box<dyn FnOnce(&mut ServiceConfig)>;

/// Paths in the order in which they are tried.
#[derive(Default)]
pub struct Table {
    listed: Vec<Listed>,
    mountings: Vec<Mounting>,
}

impl Table {
    /// Adds a path.
    pub fn service(mut self, entry: impl Entry) -> Self {
        self.listed.push(entry.listed());
        self.mountings.push(Box::new(|config| {
            config.service(entry);
        }));
        self
    }

    /// What it holds.
    #[cfg_attr(not(test), allow(dead_code, reason = "for the test of the document"))]
    pub fn listed(self) -> Vec<Listed> {
        self.listed
    }

    /// Puts every path on `config`.
    pub fn mount(self, config: &mut ServiceConfig) {
        for mounting in self.mountings {
            mounting(config);
        }
    }
}
