//! Remotes that refuse, do not exist, or do not answer.

use std::{fs, net::SocketAddr, time::Duration};

use axum::{
    Router,
    http::{StatusCode, Uri, header},
    response::IntoResponse,
};
use runner::workspace::{ErrorCategory, WorkspaceError, WorkspaceSource};
use tokio::{net::TcpListener, time::sleep};

use super::fixture::{Fixture, run};

fn source(address: SocketAddr, path: &str) -> WorkspaceSource {
    WorkspaceSource { repository: Some(format!("http://{address}/{path}")), ..WorkspaceSource::default() }
}

async fn answer(uri: Uri) -> axum::response::Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"private\"")];
    match uri.path().split('/').nth(1) {
        Some("private") => (StatusCode::UNAUTHORIZED, challenge).into_response(),
        Some("forbidden") => StatusCode::FORBIDDEN.into_response(),
        Some("broken") => StatusCode::BAD_GATEWAY.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[tokio::test]
async fn each_refusal_of_a_server_has_its_own_code() {
    let fixture = Fixture::with(|settings| settings.plain_http = true);
    // A prompt of this machine must not be reached: it would wait for a person.
    fs::write(fixture.path().join("gitconfig"), "[core]\n\taskPass = /bin/sh -c 'sleep 60'\n").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = axum::serve(listener, Router::new().fallback(answer));
    let check = async {
        for (path, code, category) in [
            ("private/r.git", WorkspaceError::AUTHENTICATION_REQUIRED, ErrorCategory::Auth),
            ("forbidden/r.git", WorkspaceError::AUTHENTICATION_REQUIRED, ErrorCategory::Auth),
            ("missing/r.git", WorkspaceError::REPOSITORY_NOT_FOUND, ErrorCategory::User),
            ("broken/r.git", WorkspaceError::NETWORK, ErrorCategory::Transient),
        ] {
            let error = fixture.prepare_error(&source(address, path)).await;
            assert_eq!((error.code(), error.category()), (code, category), "{path}: {}", error.message());
        }
    };
    tokio::select! {
        _ = async { serve.await } => panic!("the server ended"),
        () = check => {}
    }
    let parts = run(&fixture.data(), "find mirrors -name '*.part' -o -name '*.git'");
    assert_eq!(parts, "", "half a mirror is left");
}

#[tokio::test]
async fn a_server_that_does_not_exist_or_answer_is_a_network_error_in_bounded_time() {
    let fixture = Fixture::with(|settings| {
        settings.plain_http = true;
        settings.limits.remote_call = Duration::from_secs(1);
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = fixture.prepare_error(&source(address, "silent")).await;
    assert_eq!((error.code(), error.category()), (WorkspaceError::TIMEOUT, ErrorCategory::Transient));
    let helpers = format!("cat /proc/[0-9]*/cmdline 2>/dev/null | grep -ca '[h]ttp://{address}/silent' || true");
    for _ in 0..100 {
        if run(fixture.path(), &helpers) == "0" {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(run(fixture.path(), &helpers), "0", "a helper of git is left");
    drop(listener);
    assert_eq!(fixture.prepare_error(&source(address, "closed")).await.code(), WorkspaceError::NETWORK);
    let unknown =
        WorkspaceSource { repository: Some("https://git.invalid/x".to_owned()), ..WorkspaceSource::default() };
    assert_eq!(fixture.prepare_error(&unknown).await.code(), WorkspaceError::NETWORK);
}

#[tokio::test]
async fn an_address_with_a_password_or_another_transport_is_refused() {
    let fixture = Fixture::new();
    for (url, code) in [
        ("https://me:secret@example.com/r", WorkspaceError::SOURCE_INVALID),
        ("http://example.com/r", WorkspaceError::SOURCE_FORBIDDEN),
        ("ext::sh -c id", WorkspaceError::SOURCE_INVALID),
        ("ext::id", WorkspaceError::SOURCE_FORBIDDEN),
        ("--upload-pack=id", WorkspaceError::SOURCE_FORBIDDEN),
    ] {
        let source = WorkspaceSource { repository: Some(url.to_owned()), ..WorkspaceSource::default() };
        let error = fixture.prepare_error(&source).await;
        assert_eq!(error.code(), code, "{url}");
        assert!(!error.message().contains("secret"));
    }
}

#[tokio::test]
async fn a_rewrite_of_this_machines_git_is_followed() {
    let fixture = Fixture::new();
    let repository = fixture.repository("r", "echo a > a");
    let rewrite =
        format!("[url \"file://{}/\"]\n\tinsteadOf = https://git.example.com/\n", fixture.sources().display());
    fs::write(fixture.path().join("gitconfig"), rewrite + "[protocol \"file\"]\n\tallow = always\n").unwrap();
    let url = Some("https://git.example.com/r".to_owned());
    let workspace = fixture.prepare("s1", &WorkspaceSource { repository: url, ..WorkspaceSource::default() }).await;
    assert_eq!(workspace.base(), Some(run(&repository, "git rev-parse HEAD").as_str()));
    assert_eq!(run(&workspace.work_tree(), "git remote get-url origin"), "https://git.example.com/r");
}
