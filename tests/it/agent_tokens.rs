//! The tokens of agents: what they open, which is nothing of people's, and how they begin, change over and end.

use std::time::Duration;

use chrono::TimeDelta;
use harness::{Caller, Options, TestApp, openapi::guarded, superuser::Superuser};
use shared::{
    identity::auth::{
        CallOrigin, CallerIdentity, Credentials, Role,
        agent_tokens::{self, IssuedToken},
        identify_caller,
    },
    kernel::{
        actor::Actor,
        clock::{Clock, Time},
        error::{Code, Result},
        id::{AgentId, AgentTokenId, TenantId},
    },
};

const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

/// A test app with a stopped clock and an agent of its tenant.
struct Setup {
    world: TestApp,
    owner: Superuser,
    clock: Clock,
    agent: AgentId,
}

impl Setup {
    async fn new() -> Self {
        let clock = Clock::fixed(Clock::System.now());
        let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
        let (owner, agent) = (world.superuser().await, AgentId::new());
        let setup = Self { world, owner, clock, agent };
        setup.add(agent, setup.world.tenant.id).await;
        setup
    }

    async fn add(&self, agent: AgentId, tenant: TenantId) {
        let sql = format!(
            "insert into agents (id, tenant_id, name, kind, created_at, updated_at)
             values ('{agent}', '{tenant}', 'theirs', 'manual', now(), now())"
        );
        self.owner.run(&sql).await;
    }

    async fn issue(&self, expires_at: Option<Time>) -> IssuedToken {
        self.try_issue(self.agent, expires_at).await.unwrap()
    }

    async fn try_issue(&self, agent: AgentId, expires_at: Option<Time>) -> Result<IssuedToken> {
        agent_tokens::create(&self.world.app, self.world.tenant.id, Actor::system_part("test"), agent, expires_at).await
    }

    async fn rotate(&self, id: AgentTokenId) -> Result<IssuedToken> {
        agent_tokens::rotate(&self.world.app, self.world.tenant.id, Actor::system_part("test"), id, None).await
    }

    async fn revoke(&self, tenant: TenantId, id: AgentTokenId) -> Result<()> {
        agent_tokens::revoke(&self.world.app, tenant, Actor::system_part("test"), id).await
    }

    /// The two ways in which a token may be sent.
    fn callers(&self, token: &str) -> [Caller; 2] {
        let nobody = self.world.nobody();
        [nobody.with("x-agent-token", token), nobody.with("authorization", &format!("Bearer {token}"))]
    }

    async fn works(&self, token: &str) {
        for caller in self.callers(token) {
            let problem = caller.get("/sessions").await.problem(403, "FORBIDDEN");
            assert!(problem["detail"].as_str().unwrap().contains("agent"), "{problem}");
        }
        let credentials = Credentials { agent_token: Some(token), ..Credentials::default() };
        let Ok(CallerIdentity::Agent(caller)) =
            identify_caller(&self.world.app, credentials, CallOrigin::default()).await
        else {
            panic!("it is an agent's")
        };
        assert_eq!((caller.tenant_id, caller.agent_id, &*caller.name), (self.world.tenant.id, self.agent, "theirs"));
    }

    async fn is_refused(&self, token: &str) {
        for caller in self.callers(token) {
            let problem = caller.get("/sessions").await.problem(401, "UNAUTHENTICATED");
            assert_eq!(problem["detail"], "The credential is not valid.");
        }
    }

    async fn audited(&self) -> Vec<String> {
        let sql = "select action || ' ' || object_id from audit_entries where object_kind = 'agent_token' order by seq";
        self.owner.texts(sql).await
    }
}

fn not_found(result: Result<impl std::fmt::Debug>) {
    assert_eq!(result.unwrap_err().code(), Code::AgentTokenNotFound);
}

#[tokio::test]
async fn an_agent_token_opens_no_operation_for_people() {
    let setup = Setup::new().await;
    let token = setup.issue(None).await.text;
    let before = setup.owner.dump().await;
    for operation in guarded() {
        let path = operation.path_of(UNKNOWN, UNKNOWN);
        for caller in setup.callers(&token) {
            caller.send(&operation.method, &path, operation.body()).await.problem(403, "FORBIDDEN");
        }
        let keyed = setup.callers(&token)[0].with("idempotency-key", "once");
        keyed.send(&operation.method, &path, operation.body()).await.problem(403, "FORBIDDEN");
    }
    assert_eq!(setup.owner.dump().await, before);
}

#[tokio::test]
async fn a_forged_token_is_refused_on_every_operation() {
    let setup = Setup::new().await;
    let (token, other) = (setup.issue(None).await.text, setup.issue(None).await.text);
    let (head, secret) = token.rsplit_once('_').unwrap();
    let forged = [
        format!("{head}_{}", other.rsplit_once('_').unwrap().1),
        format!("{head}_{}", "0".repeat(64)),
        format!("ioca_test_{}_{secret}", UNKNOWN.replace('-', "")),
        token.replacen("_test_", "_prod_", 1),
        token.replacen("ioca_", "ioc_", 1),
        token[..token.len() - 1].to_owned(),
        token.to_uppercase(),
    ];
    for text in &forged {
        setup.is_refused(text).await;
    }
    for operation in guarded() {
        let path = operation.path_of(UNKNOWN, UNKNOWN);
        let caller = &setup.callers(&forged[0])[0];
        caller.send(&operation.method, &path, operation.body()).await.problem(401, "UNAUTHENTICATED");
    }
    setup.works(&token).await;
}

#[tokio::test]
async fn a_persons_key_is_not_an_agent_token_and_two_credentials_are_refused() {
    let setup = Setup::new().await;
    let (token, key) = (setup.issue(None).await.text, setup.world.tenant.key(Role::Lead).to_owned());
    setup.world.nobody().with("x-agent-token", &key).get("/sessions").await.problem(401, "UNAUTHENTICATED");
    let both = setup.world.caller(Role::Lead).with("x-agent-token", &token);
    both.get("/sessions").await.problem(401, "UNAUTHENTICATED");
    let other = setup.world.another_tenant().await;
    let foreign = setup.callers(&token)[0].with("x-tenant-id", &other.slug);
    foreign.get("/sessions").await.problem(403, "TENANT_MISMATCH");
}

#[tokio::test]
async fn a_token_ends_when_it_expires_or_is_revoked() {
    let setup = Setup::new().await;
    let short = setup.issue(Some(setup.clock.now() + TimeDelta::seconds(10))).await;
    let lasting = setup.issue(None).await;
    setup.clock.advance(TimeDelta::microseconds(9_999_999));
    setup.works(&short.text).await;
    setup.clock.advance(TimeDelta::microseconds(1));
    setup.is_refused(&short.text).await;
    not_found(setup.revoke(setup.world.tenant.id, short.id).await);

    setup.works(&lasting.text).await;
    let other = setup.world.another_tenant().await;
    not_found(setup.revoke(other.id, lasting.id).await);
    setup.works(&lasting.text).await;
    setup.revoke(setup.world.tenant.id, lasting.id).await.unwrap();
    setup.is_refused(&lasting.text).await;
    not_found(setup.revoke(setup.world.tenant.id, lasting.id).await);
    let expected = [
        format!("agent_token.create {}", short.id),
        format!("agent_token.create {}", lasting.id),
        format!("agent_token.revoke {}", lasting.id),
    ];
    assert_eq!(setup.audited().await, expected);
}

#[tokio::test]
async fn a_rotated_token_works_for_ten_more_minutes_but_cannot_rotate_again_after_use() {
    let setup = Setup::new().await;
    let old = setup.issue(None).await;
    let new = setup.rotate(old.id).await.unwrap();
    assert_ne!(old.text, new.text);
    setup.works(&old.text).await;
    setup.works(&new.text).await;
    setup.owner.run(&format!("update agent_tokens set used_at = now() where id = '{}'", new.id)).await;
    not_found(setup.rotate(old.id).await);
    setup.clock.advance(TimeDelta::from_std(Duration::from_mins(10)).unwrap() - TimeDelta::microseconds(1));
    setup.works(&old.text).await;
    setup.clock.advance(TimeDelta::microseconds(1));
    setup.is_refused(&old.text).await;
    setup.works(&new.text).await;
    let expected = [format!("agent_token.create {}", old.id), format!("agent_token.rotate {}", old.id)];
    assert_eq!(setup.audited().await, expected);

    let short = setup.issue(Some(setup.clock.now() + TimeDelta::minutes(1))).await;
    setup.rotate(short.id).await.unwrap();
    setup.clock.advance(TimeDelta::minutes(1));
    setup.is_refused(&short.text).await;
}

#[tokio::test]
async fn two_concurrent_rotations_leave_one_token_that_works() {
    let setup = Setup::new().await;
    let old = setup.issue(None).await;
    let (one, other) = futures_util::future::join(setup.rotate(old.id), setup.rotate(old.id)).await;
    let made: Vec<_> = [one, other].into_iter().filter_map(Result::ok).collect();
    assert!(!made.is_empty());
    let valid = "select count(*) from agent_tokens where expires_at is null";
    assert_eq!(setup.owner.number(valid).await, 1, "beside the old one, which ends");
}

#[tokio::test]
async fn only_an_agent_of_the_own_tenant_is_given_a_token() {
    let setup = Setup::new().await;
    let (other, theirs) = (setup.world.another_tenant().await, AgentId::new());
    setup.add(theirs, other.id).await;
    let platform = setup.owner.texts("select id::text from agents where tenant_id is null").await;
    for agent in [theirs, AgentId::new(), platform[0].parse().unwrap()] {
        let refused = setup.try_issue(agent, None).await;
        assert_eq!(refused.unwrap_err().code(), Code::AgentNotFound);
    }
    assert_eq!(setup.audited().await, [""; 0]);
    assert_eq!(setup.owner.number("select count(*) from agent_tokens").await, 0);
}

#[tokio::test]
async fn an_agent_of_a_deactivated_tenant_is_refused_and_its_secret_is_stored_nowhere() {
    let setup = Setup::new().await;
    let token = setup.issue(None).await.text;
    let (_, secret) = token.rsplit_once('_').unwrap();
    for (table, rows) in setup.owner.dump().await {
        assert!(!rows.contains(secret), "{table}");
    }
    setup.owner.run("update tenants set is_active = false").await;
    for caller in setup.callers(&token) {
        caller.get("/sessions").await.problem(403, "TENANT_INACTIVE");
    }
    assert_eq!(setup.owner.texts("select created_by->>'id' from agent_tokens").await, ["test"]);
}
