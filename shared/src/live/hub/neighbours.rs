//! Bells between processes, over Redis: an event written in one is heard by those who watch in another. Without Redis they
//! hear of it a second later.

use std::{sync::PoisonError, time::Duration};

use tokio::time::sleep;

use crate::{app::App, live::bell::News};

use super::Hub;

const CHANNEL: &str = "live:bells";
const PAUSE: Duration = Duration::from_secs(1);
/// How many bells go into one message.
const MOST: usize = 500;

/// Tells the other processes what was rung for here.
pub(super) async fn tell(hub: &Hub, app: &App) {
    loop {
        hub.0.rung.notified().await;
        let mut outgoing = std::mem::take(&mut *hub.0.outgoing.lock().unwrap_or_else(PoisonError::into_inner));
        while !outgoing.is_empty() {
            let some: Vec<_> = (0..MOST).map_while(|_| outgoing.pop_first()).map(|news| news.to_string()).collect();
            let text = format!("{} {}", hub.0.id, some.join(" "));
            if let Err(error) = app.cache.query::<()>(redis::cmd("PUBLISH").arg(CHANNEL).arg(text)).await {
                tracing::debug!(?error, "other processes were not told of news; they look by themselves");
                sleep(PAUSE).await;
                break;
            }
        }
    }
}

/// Hears what was rung for elsewhere.
pub(super) async fn listen(hub: &Hub, app: &App) {
    loop {
        match app.cache.listen(CHANNEL).await {
            Ok(mut listener) => {
                while let Some(text) = listener.next().await {
                    heard(hub, app, &text);
                }
            }
            Err(error) => {
                tracing::debug!(?error, "nothing is heard of other processes; what they write comes a second later");
            }
        }
        sleep(PAUSE).await;
    }
}

fn heard(hub: &Hub, app: &App, text: &str) {
    let mut words = text.split(' ');
    if words.next() == Some(hub.0.id.to_string().as_str()) {
        return;
    }
    for news in words.filter_map(|word| word.parse::<News>().ok()) {
        hub.ring_here(news);
        if let Some(session_id) = news.session_id {
            app.news.tell(news.tenant_id, session_id);
        }
    }
}
