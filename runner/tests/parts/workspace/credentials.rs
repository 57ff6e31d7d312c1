//! Credentials of a session: for one host, in nothing that stays.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::{net::SocketAddr, path::PathBuf};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use runner::workspace::{AdditionalRepository, GitCredential, WorkspaceError, WorkspaceSource};
use tokio::{net::TcpListener, task::JoinSet};

use super::fixture::{Fixture, changed, run};

/// `bot:quiet otters`, as HTTP's basic authentication has it.
const BASIC: &str = "Basic Ym90OnF1aWV0IG90dGVycw==";

/// Serves the files of a bare repository to whoever has the password.
async fn serve_file(State(root): State<PathBuf>, headers: HeaderMap, uri: Uri) -> Response {
    if headers.get(header::AUTHORIZATION).is_none_or(|sent| sent != BASIC) {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"private\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    match std::fs::read(root.join(uri.path().trim_start_matches('/'))) {
        Ok(content) => content.into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A server with one private repository.
struct Server {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Server {
    async fn start(fixture: &Fixture) -> Self {
        let repository = fixture.repository("private", "echo secret code > code");
        let bare = fixture.path().join("served");
        std::fs::create_dir(&bare).unwrap();
        run(
            &bare,
            &format!("git clone -q --bare {} app.git && git -C app.git update-server-info", repository.display()),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(serve_file).with_state(bare);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, _serving: serving }
    }

    fn source(&self, credentials: Vec<GitCredential>) -> WorkspaceSource {
        let repository = Some(format!("http://{}/app.git", self.address));
        WorkspaceSource { repository, credentials, ..WorkspaceSource::default() }
    }

    fn credential(&self, password: &str) -> GitCredential {
        let host = self.address.to_string();
        GitCredential { host, username: "bot".to_owned(), password: password.to_owned() }
    }
}

#[tokio::test]
async fn a_private_repository_is_cloned_with_the_credential_of_the_session_alone() {
    let fixture = Fixture::with(|settings| settings.plain_http = true);
    let server = Server::start(&fixture).await;
    let source = server.source(vec![server.credential("quiet otters")]);
    let workspace = fixture.prepare("s1", &source).await;
    assert_eq!(std::fs::read_to_string(workspace.work_tree().join("code")).unwrap(), "secret code\n");
    let found = run(&fixture.data(), "grep -rl -e 'quiet otters' -e Ym90OnF1aWV0 . || true");
    assert_eq!(found, "", "a password is in a file");
    let wrong = server.source(vec![server.credential("wrong words")]);
    let other_host = GitCredential { host: "example.com".to_owned(), ..server.credential("quiet otters") };
    for source in [server.source(Vec::new()), wrong, server.source(vec![other_host])] {
        let error = fixture.prepare_error(&source).await;
        assert_eq!(error.code(), WorkspaceError::AUTHENTICATION_REQUIRED, "{}", error.message());
        assert!(!error.message().contains("wrong words"), "{}", error.message());
    }
}

#[tokio::test]
async fn further_repositories_lie_in_their_folders_and_their_changes_are_collected() {
    let fixture = Fixture::new();
    let (app, library) = (fixture.repository("app", "echo a > a"), fixture.repository("lib", "echo l > lib.c"));
    let addition = |path: &str| AdditionalRepository {
        repository: library.display().to_string(),
        reference: Some("main".to_owned()),
        path: path.to_owned(),
    };
    let source = WorkspaceSource {
        repository: Some(app.display().to_string()),
        additional: vec![addition("libs/core"), addition("other")],
        ..WorkspaceSource::default()
    };
    let workspace = fixture.prepare("s1", &source).await;
    let work_tree = workspace.work_tree();
    assert_eq!(std::fs::read_to_string(work_tree.join("libs/core/lib.c")).unwrap(), "l\n");
    assert!(changed(&workspace.collect().await.unwrap()).is_empty());
    run(&work_tree, "echo x >> libs/core/lib.c; echo n > other/new; echo b > b; git -C libs/core commit -qam w");
    let work = workspace.collect().await.unwrap();
    assert_eq!(changed(&work), ["b", "libs/core/lib.c", "other/new"]);
    let next = WorkspaceSource { continuation: Some(String::from_utf8(work.patch).unwrap()), ..source };
    let next = fixture.prepare("s2", &next).await;
    assert_eq!(std::fs::read_to_string(next.work_tree().join("libs/core/lib.c")).unwrap(), "l\nx\n");
    for path in ["a", "../up", "", ".git/x"] {
        let refused = WorkspaceSource {
            repository: Some(app.display().to_string()),
            additional: vec![addition(path)],
            ..WorkspaceSource::default()
        };
        assert_eq!(fixture.prepare_error(&refused).await.code(), WorkspaceError::SOURCE_INVALID, "{path:?}");
    }
}

#[tokio::test]
async fn a_session_without_a_work_tree_of_its_own_has_further_repositories_too() {
    let fixture = Fixture::new();
    let library = fixture.repository("lib", "echo l > lib.c");
    let addition = AdditionalRepository {
        repository: library.display().to_string(),
        path: "lib".to_owned(),
        ..Default::default()
    };
    let source = WorkspaceSource { additional: vec![addition], ..WorkspaceSource::default() };
    let workspace = fixture.prepare("s1", &source).await;
    run(&workspace.work_tree(), "echo x >> lib/lib.c; echo n > new");
    assert_eq!(changed(&workspace.collect().await.unwrap()), ["lib/lib.c", "new"]);
}
