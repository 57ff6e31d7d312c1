//! People by the tokens of trusted issuers: whose signature counts, what a token must say, and whose user it becomes.

mod claims;
mod keys;
mod login;
mod signature;
mod users;

use harness::{Caller, Options, TestApp, issuer::Issuer, superuser::Superuser};
use serde_json::{Value, json};
use shared::{
    identity::auth::{CallOrigin, Caller as Person, CallerIdentity, Credentials, identify_caller},
    kernel::{
        clock::Clock,
        error::{Code, Result},
    },
};

/// An ioc that trusts one issuer, with a tenant that takes in whom the issuer vouches for. The clock stands still.
struct Setup {
    world: TestApp,
    issuer: Issuer,
    clock: Clock,
    owner: Superuser,
}

impl Setup {
    async fn new() -> Self {
        Self::with(&json!({})).await
    }

    /// With these settings of the issuer.
    async fn with(settings: &Value) -> Self {
        let clock = standing();
        let issuer = Issuer::start(&clock).await;
        Self::of(clock, issuer, settings).await
    }

    async fn of(clock: Clock, issuer: Issuer, settings: &Value) -> Self {
        let issuers = vec![issuer.settings(settings)];
        let world = TestApp::idle(Options { clock: clock.clone(), issuers, ..Options::default() }).await;
        let owner = world.superuser().await;
        owner.run("update tenants set signup = true").await;
        Self { world, issuer, clock, owner }
    }

    /// A token for the test app's tenant, with these claims added.
    fn token(&self, more: &Value) -> String {
        self.issuer.token(&self.claims(more))
    }

    fn claims(&self, more: &Value) -> Value {
        let mut claims = json!({"tenant": self.world.tenant.slug});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    }

    fn caller(&self, token: &str) -> Caller {
        self.world.nobody().with("authorization", &format!("Bearer {token}"))
    }

    async fn is_let_in(&self, token: &str) {
        self.caller(token).get("/sessions").await.expect(200);
    }

    /// Refused as every wrong credential is: nobody learns what is wrong with it.
    #[track_caller]
    fn is_refused(&self, token: &str) -> impl Future<Output = ()> {
        let (caller, at) = (self.caller(token), std::panic::Location::caller());
        async move {
            let reply = caller.get("/sessions").await;
            assert_eq!(reply.status, 401, "{at}: {}", reply.json());
            let problem = reply.problem(401, "UNAUTHENTICATED");
            assert_eq!(problem["detail"], "The credential is not valid.", "{at}");
        }
    }

    /// The caller as the functions see it.
    async fn person(&self, token: &str) -> Result<Person> {
        let header = format!("Bearer {token}");
        let credentials = Credentials { authorization: Some(&header), ..Credentials::default() };
        match identify_caller(&self.world.app, credentials, CallOrigin::default()).await? {
            CallerIdentity::Caller(caller) => Ok(caller),
            other => panic!("only people have such a token: {other:?}"),
        }
    }

    async fn code(&self, token: &str) -> Option<Code> {
        self.person(token).await.err().map(|error| error.code())
    }

    async fn users(&self) -> i64 {
        self.owner.number("select count(*) from users").await
    }

    /// The actions of the tenant's audit log about users, in their order.
    async fn audited(&self) -> Vec<String> {
        let sql = "select action || ' ' || (actor->>'kind') || ' ' || (object_id = actor->>'id')::text
                   from audit_entries where object_kind = 'user' order by seq";
        self.owner.texts(sql).await
    }
}

fn standing() -> Clock {
    let now = Clock::System.now().timestamp();
    Clock::fixed(shared::kernel::clock::Time::from_timestamp(now, 0).unwrap())
}
