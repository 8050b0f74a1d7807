//! CORS of an upstream: what becomes of preflights, and which origins may read answers.
//! Knows nothing of requests; the inbound room answers them.

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use crate::config::path::KeyPath;
use crate::config::raw;
use crate::config::resolve::Resolver;
use crate::inbound::cors::{CorsConfig, OnPreflight, Origins};

impl Resolver<'_> {
    /// None where preflights are requests like any other.
    pub(super) fn cors(
        &mut self,
        typed: &raw::Cors,
        token_headers: &[HeaderName],
        path: &KeyPath,
    ) -> Option<CorsConfig> {
        let preflight = match typed.preflight {
            raw::Preflight::Refuse => {
                let others = ["origins", "methods", "headers", "credentials", "maxAge"];
                for key in others.iter().filter(|key| self.places.exact(&path.key(key)).is_some()) {
                    let problem = format!("`{}` does nothing while preflights are refused", path.key(key));
                    self.error(&path.key(key), problem, "set `preflight: answer` or `forward`, or remove it");
                }
                return None;
            }
            raw::Preflight::Forward => OnPreflight::Forward,
            raw::Preflight::Answer => OnPreflight::Answer,
        };
        if preflight == OnPreflight::Answer && typed.origins.is_empty() {
            let cure = "list them under `origins`, like https://app.example.com";
            self.error(path, format!("`{path}` answers preflights, and no origin may ask"), cure);
        }
        let methods = self.places.items(&path.key("methods"), &typed.methods).into_iter();
        let methods = methods.filter_map(|(path, method)| self.method(method, &path)).collect();
        let headers = self.places.items(&path.key("headers"), &typed.headers).into_iter();
        let mut headers: Vec<_> = headers.filter_map(|(path, name)| self.header(name, &path)).collect();
        if typed.headers.is_empty() {
            headers.push(CONTENT_TYPE);
            headers.extend_from_slice(token_headers);
        }
        let (credentials, max_age) = (typed.credentials, typed.max_age.0);
        Some(CorsConfig {
            preflight,
            origins: self.origins(typed, path),
            methods,
            headers,
            credentials,
            max_age,
        })
    }

    fn origins(&mut self, typed: &raw::Cors, path: &KeyPath) -> Origins {
        let list = path.key("origins");
        let any = typed.origins.iter().any(|origin| origin == "*");
        if any && typed.credentials {
            let cure = "list the origins, or set `credentials: false`";
            self.error(&list, "any origin could ask with a user's cookies", cure);
        }
        if any && typed.origins.len() > 1 {
            self.error(&list, "`*` stands beside other origins", "write `*` alone, or leave it out");
        }
        if any {
            return Origins::Any;
        }
        Origins::Listed(self.listed_origins(&typed.origins, &list))
    }

    /// Origins, each as a browser writes it.
    pub(super) fn listed_origins(&mut self, typed: &[String], list: &KeyPath) -> Vec<HeaderValue> {
        let mut origins = Vec::new();
        for (path, typed) in self.places.items(list, typed) {
            let as_browsers_do = url::Url::parse(typed).map(|url| url.origin().ascii_serialization());
            match HeaderValue::from_str(typed) {
                Ok(origin) if as_browsers_do.as_deref() == Ok(typed.as_str()) => origins.push(origin),
                _ => {
                    let cure = "write scheme, host and port as a browser does, like https://app.example.com, without a path";
                    self.error(&path, format!("`{typed}` is not an origin"), cure);
                }
            }
        }
        origins
    }
}
