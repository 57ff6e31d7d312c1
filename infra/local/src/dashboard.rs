//! The dashboard's files, served beside the API on the same origin.
//!
//! A path that names no file goes to the API. Pages run only scripts of their own origin: the export has no inline
//! ones.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tower::ServiceExt;
use tower_http::services::{ServeDir, ServeFile};

/// The content security policy. Pages call the API and, to log somebody in, these `origins` of issuers. Styles are
/// written into elements by the primitives that place menus and by the graph; scripts never are.
pub fn policy(origins: &[String]) -> String {
    let called = ["'self'"].into_iter().chain(origins.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
         connect-src {called}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// Path prefixes that are never searched among the files.
const API: [&str; 2] = ["/api/", "/ws/"];

/// A built dashboard.
#[derive(Clone, Debug)]
pub struct Dashboard {
    folder: PathBuf,
    policy: HeaderValue,
}

impl Dashboard {
    /// The dashboard in a folder, if the folder has a build.
    pub fn built(folder: &Path) -> Option<Self> {
        let policy = policy_header(&[]);
        folder.join("index.html").is_file().then(|| Self { folder: folder.to_owned(), policy })
    }

    /// The same, whose pages may call these origins too.
    #[must_use]
    pub fn calling(self, origins: &[String]) -> Self {
        Self { policy: policy_header(origins), ..self }
    }

    /// The API with the dashboard around it.
    pub fn around(self, api: Router) -> Router {
        api.layer(from_fn_with_state(self, serve))
    }

    async fn file(&self, asked: Request) -> Response {
        answered(ServeDir::new(&self.folder).precompressed_gzip().oneshot(asked).await)
    }

    /// The page for paths that do not exist.
    async fn missing(&self) -> Response {
        let mut page = answered(ServeFile::new(self.folder.join("404.html")).oneshot(Request::<Body>::default()).await);
        *page.status_mut() = StatusCode::NOT_FOUND;
        page
    }

    fn secured(&self, mut response: Response, path: &str) -> Response {
        // The name of a built asset changes with its content. The name of a page does not, so it must be revalidated.
        let forever = path.starts_with("/_next/static/") && response.status().is_success();
        let kept = if forever { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers
            .insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
        headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
        response
    }
}

/// Allows nothing if an origin cannot be put into a header.
fn policy_header(origins: &[String]) -> HeaderValue {
    HeaderValue::try_from(policy(origins)).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// A copy of a request without its body, which the API may still need.
fn head_of(request: &Request) -> Request {
    let mut head = Request::default();
    head.method_mut().clone_from(request.method());
    head.uri_mut().clone_from(request.uri());
    head.headers_mut().clone_from(request.headers());
    head
}

fn answered(response: Result<impl IntoResponse, Infallible>) -> Response {
    match response {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    }
}

async fn serve(State(dashboard): State<Dashboard>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || API.iter().any(|start| path.starts_with(start)) {
        return next.run(request).await;
    }
    let file = dashboard.file(head_of(&request)).await;
    if file.status() != StatusCode::NOT_FOUND {
        return dashboard.secured(file, &path);
    }
    let types = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_person = types.is_some_and(|types| types.contains("text/html"));
    let answer = next.run(request).await;
    if is_person && answer.status() == StatusCode::NOT_FOUND {
        return dashboard.secured(dashboard.missing().await, &path);
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::fs;

    use axum::{body::to_bytes, http::request::Builder, routing::get};

    use super::*;

    struct Site {
        folder: PathBuf,
        app: Router,
    }

    impl Site {
        fn new() -> Self {
            let folder = crate::paths::temporary("dashboard").unwrap();
            fs::create_dir_all(folder.join("out/sessions")).unwrap();
            fs::create_dir_all(folder.join("out/_next/static")).unwrap();
            fs::write(folder.join("secret"), "not for you").unwrap();
            for (name, text) in
                [("index.html", "the overview"), ("sessions/index.html", "the list"), ("404.html", "no such page")]
            {
                fs::write(folder.join("out").join(name), text).unwrap();
            }
            fs::write(folder.join("out/_next/static/a.js"), "1").unwrap();
            let api = Router::new()
                .route("/health", get(async || "ok").post(async || "posted"))
                .route("/api/v1/me", get(async || "me"))
                .fallback(async || (StatusCode::NOT_FOUND, "a problem"));
            let app = Dashboard::built(&folder.join("out")).unwrap().around(api);
            Self { folder, app }
        }

        async fn ask(&self, request: Builder) -> (StatusCode, String, axum::http::HeaderMap) {
            let response = self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let (parts, body) = response.into_parts();
            let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
            (parts.status, text, parts.headers)
        }

        async fn get(&self, path: &str) -> (StatusCode, String, axum::http::HeaderMap) {
            self.ask(Request::get(path)).await
        }
    }

    impl Drop for Site {
        fn drop(&mut self) {
            _ = fs::remove_dir_all(&self.folder);
        }
    }

    #[tokio::test]
    async fn a_page_runs_no_script_but_its_own_origins() {
        let site = Site::new();
        for (path, text) in [("/", "the overview"), ("/sessions/", "the list"), ("/sessions/?q=x", "the list")] {
            let (status, body, headers) = site.get(path).await;
            assert_eq!((status, body.as_str()), (StatusCode::OK, text), "{path}");
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("script-src 'self';") && policy.starts_with("default-src 'none'"), "{policy}");
            assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
        }
        let (_, _, headers) = site.get("/_next/static/a.js").await;
        assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    }

    #[tokio::test]
    async fn a_path_that_names_no_file_goes_to_the_api() {
        let site = Site::new();
        assert_eq!(site.get("/health").await.1, "ok");
        assert_eq!(site.get("/api/v1/me").await.1, "me");
        assert_eq!(site.ask(Request::post("/health")).await.1, "posted");
        assert_eq!(site.get("/nowhere").await.1, "a problem");
        let (status, body, _) = site.ask(Request::get("/nowhere").header("accept", "text/html,*/*")).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, "no such page"));
    }

    #[tokio::test]
    async fn nothing_outside_of_the_folder_is_served() {
        let site = Site::new();
        for path in ["/../secret", "/%2e%2e/secret", "/sessions/..%2f..%2fsecret", "//secret"] {
            let (status, body, _) = site.get(path).await;
            assert!(status == StatusCode::NOT_FOUND && !body.contains("not for you"), "{path}: {status} {body}");
        }
    }

    #[test]
    fn a_page_calls_its_own_origin_and_those_where_people_log_in() {
        assert!(policy(&[]).contains("connect-src 'self';"));
        let named = policy(&["https://login.example.com".to_owned()]);
        assert!(named.contains("connect-src 'self' https://login.example.com;"), "{named}");
        assert_eq!(named.matches("https://").count(), 1, "it is named for nothing else");
    }

    #[test]
    fn a_folder_without_a_build_is_none() {
        let folder = crate::paths::temporary("unbuilt").unwrap();
        assert!(Dashboard::built(&folder).is_none());
        fs::remove_dir_all(folder).unwrap();
    }
}
