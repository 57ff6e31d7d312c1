//! What API Gateway calls us with: a connection is opened, says something, is gone.

use std::time::Duration;

use serde_json::json;

use crate::{
    app::App,
    auth::service::Call,
    error::{Code, Error, Result},
    job::Job,
    live::{
        connection::Connection,
        hub::MOST_PER_TENANT,
        message,
        service::{Entry, Heard, admit, hear},
    },
};

use super::{Gateway, Sent, kept::Kept, registry};

/// Somebody opens a connection. Nothing can be sent to it before this is answered: the job greets it.
pub async fn connected(
    app: &App,
    id: &str,
    entry: Entry<'_>,
    call: Call,
    first: (Option<&str>, Option<&str>),
) -> Result<()> {
    let who = Box::pin(admit(app, entry, call)).await?;
    let first = match first {
        (None, _) => None,
        (Some(named), after) => {
            let topic = message::topic(named)?;
            who.may_watch(topic)?;
            after.map(|after| message::after(topic, after)).transpose()?;
            Some(json!({"action": "subscribe", "topic": topic, "after": after}).to_string())
        }
    };
    let tenant_id = who.tenant_id;
    if registry::count(&app.cache, tenant_id).await? >= MOST_PER_TENANT {
        return Err(Error::new(Code::QuotaExceeded, "The tenant has too many connections already."));
    }
    let connection = Connection::new(id.to_owned(), who, app.clock.now());
    registry::add(&app.cache, &Kept::new(connection, first)).await?;
    app.ring(&[(Job::broadcast(tenant_id), Duration::ZERO)]).await;
    Ok(())
}

/// A connection is gone.
pub async fn disconnected(app: &App, id: &str) -> Result<()> {
    let kept = registry::find(&app.cache, id).await?;
    registry::remove(&app.cache, kept.map(|kept| kept.connection.who.tenant_id), id).await
}

/// A client said something. One that we know nothing of, such as after Redis was emptied, is ended: it comes again, and goes on
/// from its cursor.
pub async fn heard(app: &App, gateway: &Gateway, id: &str, text: &str) -> Result<()> {
    let Some(lease) = registry::lease(&app.cache, id).await? else {
        return Err(Error::new(Code::DependencyUnavailable, "The connection is being written to."));
    };
    let Some(mut kept) = lease.kept.clone() else {
        gateway.close(id).await;
        return registry::remove(&app.cache, None, id).await;
    };
    kept.seen_at = app.clock.now();
    let heard = hear(app, &kept.connection, text).await;
    let sent = answer(gateway, &mut kept, heard).await;
    let tenant_id = kept.connection.who.tenant_id;
    if sent == Sent::Gone {
        return registry::remove(&app.cache, Some(tenant_id), id).await;
    }
    registry::give_back(&app.cache, &lease, &kept, !lease.broken && sent == Sent::Yes).await?;
    app.ring(&[(Job::broadcast(tenant_id), Duration::ZERO)]).await;
    Ok(())
}

/// Answers what was heard, and does it: a subscription is confirmed before anything is sent of it.
pub(super) async fn answer(gateway: &Gateway, kept: &mut Kept, heard: Heard) -> Sent {
    let id = kept.connection.id.clone();
    match heard {
        Heard::Pong => Sent::Yes,
        Heard::Refused(frame) => gateway.send(&id, &frame).await,
        Heard::Unsubscribed { topic, frame } | Heard::Resync { topic, frame } => {
            kept.connection.topics.remove(&topic);
            gateway.send(&id, &frame).await
        }
        Heard::Subscribed { topic, subscription, frame } => {
            let sent = gateway.send(&id, &frame).await;
            if sent != Sent::NotNow {
                kept.connection.topics.insert(topic, subscription);
            }
            sent
        }
    }
}
