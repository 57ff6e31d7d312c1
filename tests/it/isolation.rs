//! One tenant's rows do not exist for another: not through the API, and not for the role that the functions connect as.

use harness::{TestApp, superuser::Superuser};
use serde_json::json;
use shared::identity::auth::Role;

/// A row in every table of tenants: of a tenant and its session, with `:id` as the id of all else.
const EVERY_TABLE: &str = "
    insert into session_files select tenant_id, id, 'a', 'added', 1, 0, '' from sessions where id = ':session';
    insert into session_artifacts select tenant_id, id, ':id', 'a', 'text/plain', 1, repeat('0', 64), now() from sessions where id = ':session';
    insert into tenant_usage values (':tenant', '2030-01-01', 1, 1);
    insert into agents (id, tenant_id, name, kind, created_at, updated_at)
    values (':id', ':tenant', 'own', 'manual', now(), now());
    insert into agent_tokens values (':tenant', ':id', ':id', 'test', sha256('a'), null, now());
    insert into agent_shares values (':tenant', ':id', ':id', '{}', now(), 'somebody');
    insert into agent_enablements values (':tenant', ':id', '{}', now());
    insert into agent_results values (':tenant', ':session', 1, ':id', 1, null, 1, 1, 1, null, '{}', now());
    insert into agent_tenant_stats (tenant_id, agent_id) values (':tenant', ':id');
    insert into agent_tasks (tenant_id, id, session_id, run, agent_id, delivery, status, assignment, created_at, updated_at)
    values (':tenant', ':id', ':session', 1, ':id', 'pull', 'waiting', '{}', now(), now());
    insert into runner_enrolments values (':tenant', ':id', 'farm', false, 'test', sha256('a'), now(), 0, '{}', now());
    insert into runners (tenant_id, id, pool, name, version, os, arch, slots, isolation, programs, protocol_version, last_seen_at,
    created_by, created_at, updated_at)
    values (':tenant', ':id', 'farm', 'one', '1', 'linux', 'x86_64', 1, 'none', '[]', '1.1', now(), '{}', now(), now());
    insert into runner_credentials values (':tenant', ':id', ':id', 'test', sha256('a'), now(), null, null, now());
    insert into agent_task_reports values (':tenant', ':id', 1, 1, 1, '{}', now());
    insert into agent_task_messages values (':tenant', ':id', 1, ':id', '{}', now());
    insert into agent_task_sessions values (':tenant', ':id', 'one', ':session', now());
    insert into training_jobs (tenant_id, id, base_model, target_model_name, provider, parameters, recipe, status,
    status_changed_at, created_by, created_at, updated_at)
    values (':tenant', ':id', 'tiny', 'reviewer', 'simulated', '{}', '{}', 'pending', now(), '{}', now(), now());
    insert into training_events values (':tenant', ':id', 1, ':id', 'training.created', '{}', now(), '{}');
    insert into training_points values (':tenant', ':id', 1, 0, 1, null, null);
    insert into training_providers values (':tenant', 'openai', null, null, '{}', now());
    insert into simulated_trainings values (':tenant', ':id', 1, now(), 1, null, 0);
    insert into tenant_events values (':tenant', 'agents', '1', ':id', 'agent.registered', '{}', now(), '{}');
    insert into users (tenant_id, id, email, full_name, role, created_at, updated_at)
    values (':tenant', ':id', 'a@example.org', 'A', 'member', now(), now());
    insert into environments values (':tenant', ':id', 'one', true, 1, '{}', now(), now(), null);
    insert into environment_versions values (':tenant', ':id', 1, 'one', '{}', '{}', now());
    insert into secrets values (':tenant', ':id', ':id', null, 'TOKEN', 'setup', 'plain', null, null, null, 'a', now(), now(), '{}');
    insert into models values (':tenant', 'one', '{}', now(), now());
    insert into model_versions (tenant_id, id, name, major, minor, patch, base_model, parameters, metrics, created_by, created_at)
    values (':tenant', ':id', 'one', 1, 0, 0, 'base', '{}', '{}', '{}', now());
    insert into model_aliases values (':tenant', 'one', 'champion', ':id', '{}', now());
    insert into model_alias_moves values (':tenant', 'one', 'champion', 1, 'move', null, ':id', false, '{}', now());
    insert into base_models values (':tenant', 'base', '2030-01-01', null, '{}', now());
    insert into experiments (tenant_id, id, name, salt, guardrails, status, created_by, created_at)
    values (':tenant', ':id', 'one', repeat('a', 16), '[]', 'draft', '{}', now());
    insert into experiment_arms values (':tenant', ':id', 'a', 0, 'a/b', 1, null, null, null);
    insert into experiment_assignments values (':tenant', ':id', ':session', ':session', 'a', now());
    insert into experiment_results values (':tenant', ':id', ':session', ':session', 'a', 1, 1, 1, 1, now());
    insert into workspace_releases values (':tenant', ':id', ':id', 1, now(), '{}', now(), 0, now());
    insert into file_removals values (':tenant', ':id', now());
    insert into datasets values (':tenant', ':id', ':id', 0, '{}', repeat('0', 64), 'a', repeat('0', 64), 1, 1, null, null, null, null, '{}', now());
    insert into dataset_sessions values (':tenant', ':id', ':session', 'training', null);
    insert into audit_anchors values (':tenant', '2020-01-01', 1, 1, '', '', now());
    insert into tenant_storage values (':tenant', 0, 0, '0', now());
    insert into session_storage values (':tenant', ':session', 0, 0);
    insert into idempotency_keys values (':tenant', 'key:1', 'a', sha256('a'), 200, 'a', now())";

/// A test app with two tenants, each with rows in every table of tenants.
async fn two_tenants() -> (TestApp, Superuser, [String; 2]) {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let other = world.another_tenant().await;
    for tenant in [&world.tenant, &other] {
        let caller = world.caller_of(tenant, Role::Member);
        let id = caller.new_session(json!({})).await;
        caller.post(&format!("/sessions/{id}/messages"), json!({"text": "Go on."})).await.expect(202);
        caller.post(&format!("/sessions/{id}/checkpoints"), json!({})).await.expect(201);
        let artifact = uuid::Uuid::parse_str(&id).unwrap();
        let sql = [(":tenant", tenant.id.to_string()), (":session", id.clone()), (":id", artifact.to_string())]
            .iter()
            .fold(EVERY_TABLE.to_owned(), |sql, (name, value)| sql.replace(name, value));
        owner.run(&sql).await;
    }
    let ids = [world.tenant.id.to_string(), other.id.to_string()];
    (world, owner, ids)
}

/// The columns of a table that can be written, each in quotes.
async fn columns(owner: &Superuser, table: &str) -> String {
    let sql = format!(
        "select quote_ident(column_name) from information_schema.columns
         where table_schema = 'public' and table_name = '{table}' and is_generated = 'NEVER' order by ordinal_position"
    );
    let names = owner.texts(&sql).await;
    names.iter().map(|name| format!("\"{}\"", name.trim_matches('"'))).collect::<Vec<_>>().join(", ")
}

async fn tables_of_tenants(owner: &Superuser) -> Vec<(String, String)> {
    let sql = "select table_name || ':' || column_name from information_schema.columns
               where table_schema = 'public' and (column_name = 'tenant_id' or (table_name = 'tenants' and column_name = 'id')) order by 1";
    let found = owner.texts(sql).await;
    let tables: Vec<_> = found.iter().map(|one| one.split_once(':').unwrap()).collect();
    tables.into_iter().map(|(table, column)| (table.to_owned(), column.to_owned())).collect()
}

#[tokio::test]
async fn every_table_of_tenants_has_row_level_security_enabled_and_forced() {
    let (_world, owner, _) = two_tenants().await;
    let tables = tables_of_tenants(&owner).await;
    assert!(tables.len() >= 10, "{tables:?}");
    for (table, _) in &tables {
        let sql = format!(
            "select (relrowsecurity and relforcerowsecurity)::int::bigint from pg_class where relname = '{table}'"
        );
        assert_eq!(owner.number(&sql).await, 1, "{table}");
    }
    let without = owner.tables().await.into_iter().filter(|table| !tables.iter().any(|(one, _)| one == table));
    // Whether Redis works is known to all.
    let of_nobody = ["component_health"];
    assert_eq!(without.collect::<Vec<_>>(), of_nobody, "a table that belongs to no tenant: may all see it?");
}

#[tokio::test]
async fn with_one_tenant_set_no_row_of_another_can_be_read_or_written() {
    let (world, owner, [mine, theirs]) = two_tenants().await;
    let app = Superuser::of(&world.database.url).await;
    let before = owner.dump().await;
    app.run(&format!("set app.tenant_id = '{mine}'")).await;
    for (table, column) in tables_of_tenants(&owner).await {
        let count = |whose: &str| format!("select count(*) from {table} where {column} = '{whose}'");
        assert!(owner.number(&count(&theirs)).await > 0, "{table} has rows of both");
        assert!(app.number(&count(&mine)).await > 0, "{table}");
        assert_eq!(app.number(&count(&theirs)).await, 0, "{table}");
        for write in [
            format!("update {table} set {column} = {column} where {column} = '{theirs}'"),
            format!("delete from {table} where {column} = '{theirs}'"),
        ] {
            assert!(matches!(app.refusal(&write).await.as_deref(), None | Some("42501")), "{write}");
        }
        let give = format!("update {table} set {column} = '{theirs}' where {column} = '{mine}'");
        assert_eq!(app.refusal(&give).await.as_deref(), Some("42501"), "{give}");
        let columns = columns(&owner, &table).await;
        let values = columns.replace(&format!("\"{column}\""), &format!("'{theirs}'::uuid"));
        let copy = format!("insert into {table} ({columns}) select {values} from {table} where {column} = '{mine}'");
        assert_eq!(app.refusal(&copy).await.as_deref(), Some("42501"), "{copy}");
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn with_no_tenant_set_every_table_is_empty() {
    let (world, owner, [mine, _]) = two_tenants().await;
    let app = Superuser::of(&world.database.url).await;
    let before = owner.dump().await;
    for unset in ["reset app.tenant_id", "set app.tenant_id = ''"] {
        app.run(unset).await;
        for (table, column) in tables_of_tenants(&owner).await {
            let sql = format!("select count(*) from {table} where {column} is not null");
            assert_eq!(app.number(&sql).await, 0, "{table}");
            let write = format!("update {table} set {column} = {column}");
            assert!(matches!(app.refusal(&write).await.as_deref(), None | Some("42501")), "{write}");
            let write = format!("delete from {table}");
            assert!(matches!(app.refusal(&write).await.as_deref(), None | Some("42501")), "{write}");
        }
    }
    let write = format!("insert into tenant_usage values ('{mine}', '2031-01-01', 1, 1)");
    assert_eq!(app.refusal(&write).await.as_deref(), Some("42501"));
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn the_database_role_of_the_functions_owns_nothing_and_cannot_change_policies() {
    let (world, owner, [mine, _]) = two_tenants().await;
    let app = Superuser::of(&world.database.url).await;
    let possessions = "select count(*) from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname in ('ioc_app', 'ioc_directory')";
    assert_eq!(owner.number(possessions).await, 0);
    let possessions =
        "select count(*) from pg_proc p join pg_roles r on r.oid = p.proowner where r.rolname = 'ioc_app'";
    assert_eq!(owner.number(possessions).await, 0);
    let powers =
        "select count(*) from pg_roles where rolname in ('ioc_app', 'ioc_directory', 'ioc_audit', 'ioc_partitions')
                  and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)";
    assert_eq!(owner.number(powers).await, 0);
    let member = "select count(*) from unnest(array['ioc_directory', 'ioc_audit', 'ioc_partitions']) as r(name)
                  where pg_has_role('ioc_app', r.name, 'member')";
    assert_eq!(owner.number(member).await, 0);
    let before = owner.dump().await;
    app.run(&format!("set app.tenant_id = '{mine}'")).await;
    for sql in [
        "create table mine (id int)",
        "create function mine() returns int language sql return 1",
        "alter table sessions disable row level security",
        "alter table sessions no force row level security",
        "alter table sessions disable trigger session_transition",
        "drop policy tenant on sessions",
        "drop table session_events",
        "truncate session_events",
        "alter function session_transition_allowed(text, text) owner to ioc_app",
        "create or replace function session_transition_allowed(was text, goes text) returns boolean language sql return true",
        "update session_events set payload = '{}'",
        "delete from session_events",
        "set role ioc_directory",
        "set session authorization postgres",
        "alter role ioc_app bypassrls",
        "select * from refinery_schema_history",
        "set session_replication_role = replica",
    ] {
        assert_eq!(app.refusal(sql).await.as_deref(), Some("42501"), "{sql}");
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_list_a_tree_and_statistics_hold_only_the_callers_tenant() {
    let (world, _, _) = two_tenants().await;
    let caller = world.caller(Role::Viewer);
    let list = caller.get("/sessions").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["tenant_id"], world.tenant.id.to_string());
    assert_eq!(caller.get("/sessions/stats").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn no_unique_key_and_no_foreign_key_crosses_tenants() {
    let (_world, owner, _) = two_tenants().await;
    let with_tenant =
        "select attrelid from pg_attribute where attname = 'tenant_id' and attnum > 0 and not attisdropped";
    let unique = format!(
        "select c.relname || '.' || i.relname from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
         join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
         where x.indisunique and x.indrelid in ({with_tenant})
           and not exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnum = any(x.indkey))"
    );
    // The platform's own agents have no tenant; ids of agents are generated and never chosen by a caller.
    assert_eq!(owner.texts(&unique).await, ["agents.agents_pkey"]);
    let references = format!(
        "select c.conrelid::regclass || ' -> ' || c.confrelid::regclass from pg_constraint c
         where c.contype = 'f' and c.confrelid in ({with_tenant})
           and not exists (select 1 from pg_attribute a where a.attrelid = c.conrelid and a.attname = 'tenant_id' and a.attnum = any(c.conkey))
         order by 1"
    );
    let to_agents = [
        "agent_enablements",
        "agent_results",
        "agent_shares",
        "agent_tasks",
        "agent_tenant_stats",
        "agent_tokens",
        "sessions",
    ];
    assert_eq!(owner.texts(&references).await, to_agents.map(|table| format!("{table} -> agents")));
    let views = "select count(*) from pg_views where schemaname = 'public'";
    assert_eq!(owner.number(views).await, 0, "a view must be made with security_invoker, and be looked at here");
}

#[tokio::test]
async fn a_reference_to_another_tenants_row_is_refused_like_one_to_nothing() {
    let (world, owner, [mine, theirs]) = two_tenants().await;
    let app = Superuser::of(&world.database.url).await;
    app.run(&format!("set app.tenant_id = '{mine}'")).await;
    let session = owner.texts(&format!("select id::text from sessions where tenant_id = '{theirs}'")).await.remove(0);
    let child =
        |parent: &str| format!("insert into session_files values ('{mine}', '{parent}', 'b', 'added', 1, 0, '')");
    let unknown = "01900000-0000-7000-8000-000000000000";
    assert_eq!(app.refusal(&child(&session)).await, app.refusal(&child(unknown)).await);
    let parent = |id: &str| format!("update sessions set parent_id = '{id}' where tenant_id = '{mine}'");
    assert_eq!(app.refusal(&parent(&session)).await, app.refusal(&parent(unknown)).await);
    let email = format!(
        "insert into users (tenant_id, id, email, full_name, role, created_at, updated_at)
         select '{mine}', id, 'b@example.org', 'B', 'member', now(), now() from (values (uuidv7())) as v(id)"
    );
    assert_eq!(app.refusal(&email).await, None, "an address that another tenant has too");
}

#[tokio::test]
async fn every_redis_key_of_a_tenant_names_the_tenant() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "say", "text": "One."}])).await;
    caller.reaches(&id, &["completed"]).await;
    let keys: Vec<String> = world.app.cache.query(redis::cmd("KEYS").arg(format!("*{id}*"))).await.unwrap();
    assert!(!keys.is_empty(), "the fence of its lock is kept");
    for key in keys {
        assert!(key.contains(&world.tenant.id.to_string()), "{key}");
    }
}
