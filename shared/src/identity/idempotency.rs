//! Idempotency keys: a request that is repeated with its key has one effect and receives the first response.
//!
//! The request runs as one [`UnitOfWork`]: its effect, its audit entries and its response are written in one
//! transaction, so the effect never exists without the response, and a crash leaves neither.

use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use tokio_postgres::types::ToSql;

use crate::{
    identity::auth::Caller,
    kernel::{
        clock::Time,
        encryption::Pepper,
        error::{Code, Error, Result},
        id::TenantId,
    },
    platform::context::Context,
    platform::postgres::{
        OwnedStatement,
        unit_of_work::{FinalStatement, UnitOfWork},
    },
};

/// How long a response is kept.
pub const RETENTION: Duration = Duration::from_hours(24);

/// The longest key in characters.
pub const MAX_KEY_LENGTH: usize = 255;

const NONCE_LENGTH: usize = 12;

const STORE_RESPONSE: &str = "select store_idempotent_response($1, $2, $3, $4, $5, $6, $7, $8)";

const STORE_RESPONSE_AND_APPEND: &str = "select store_idempotent_response($1, $2, $3, $4, $5, $6, $7, $8),
                                      audit_append($9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";

/// A request with an idempotency key.
pub struct KeyedRequest<'a> {
    pub key: &'a str,
    pub method: &'a str,
    /// The path with the query.
    pub target: &'a str,
    pub body: &'a [u8],
}

/// A response, as it is stored with its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredResponse {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// The status that is stored in place of a response with a secret. Only successful responses are stored otherwise.
const WITHHELD: u16 = 409;

impl StoredResponse {
    /// What is stored in place of a response that holds a secret: only the location of the object.
    pub fn without_secret(location: Option<&[u8]>) -> Self {
        let headers = location.map(|value| ("location".to_owned(), value.to_vec())).into_iter().collect();
        Self { status: WITHHELD, headers, body: Vec::new() }
    }

    /// The error for a repeated request whose response held a secret, if this is one.
    pub fn secret_error(&self) -> Option<Error> {
        if self.status != WITHHELD {
            return None;
        }
        let location = self.headers.first().map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let detail = "The request was carried out before, and its secret was shown once.";
        Some(Error::new(Code::SecretShownOnce, detail).with_current(serde_json::json!({"location": location})))
    }
}

/// The claim of a request on its key. The first statement of the request's work takes it, or is refused, and it lasts
/// until the end of the transaction.
pub struct KeyClaim {
    unit: UnitOfWork,
    tenant_id: TenantId,
    caller: String,
    key: String,
    hash: Vec<u8>,
    oldest: Time,
}

/// Prepares the claim on a key. It is taken when the request's work begins its transaction.
pub fn claim_key(context: &Context, caller: &Caller, request: &KeyedRequest<'_>) -> KeyClaim {
    let (tenant_id, principal, key) = (caller.home_tenant_id, caller.principal.principal_key(), request.key.to_owned());
    let oldest = context.clock.now() - TimeDelta::from_std(RETENTION).unwrap_or_default();
    let claim = OwnedStatement {
        sql: "select claim_idempotency_key($1, $2, $3, $4)",
        values: vec![Box::new(tenant_id), Box::new(principal.clone()), Box::new(key.clone()), Box::new(oldest)],
    };
    let unit = UnitOfWork::with_claim(tenant_id, claim);
    KeyClaim { unit, tenant_id, caller: principal, key, hash: request_hash(caller, request), oldest }
}

impl KeyClaim {
    /// Runs the work of the request without committing it.
    pub async fn run_with_key<T>(&self, work: impl Future<Output = T>) -> T {
        self.unit.enter(work).await
    }

    /// The stored response, if the key was taken before. In that case the work had no effect.
    pub async fn stored_response(&self, context: &Context) -> Result<Option<StoredResponse>> {
        if !self.unit.is_refused()
            && self.unit.is_unclaimed()
            && let Err(error) = self.unit.enter(Box::pin(begin_transaction(context, self.tenant_id))).await
            && !self.unit.is_refused()
        {
            return Err(error);
        }
        if self.unit.is_refused() { self.find_response(context).await.map(Some) } else { Ok(None) }
    }

    async fn find_response(&self, context: &Context) -> Result<StoredResponse> {
        let sql = "select request_hash, status, response from idempotency_keys
                   where tenant_id = $1 and caller = $2 and key = $3 and created_at > $4";
        let rows =
            context.db.read(self.tenant_id, sql, &[&self.tenant_id, &self.caller, &self.key, &self.oldest]).await?;
        let Some(row) = rows.first() else {
            let why = "A request with this Idempotency-Key is in progress.";
            return Err(Error::new(Code::IdempotencyInProgress, why));
        };
        if row.try_get::<_, Vec<u8>>("request_hash")? != self.hash {
            let why = "This Idempotency-Key was used before with another request.";
            return Err(Error::new(Code::IdempotencyKeyReused, why));
        }
        let (headers, body) = decrypt_response(&context.pepper, &self.hash, row.try_get("response")?)?;
        Ok(StoredResponse { status: row.try_get::<_, i16>("status")?.unsigned_abs(), headers, body })
    }

    /// Commits the effect of the request together with its response, then runs what was scheduled after the commit.
    /// Returns the stored response, as [`KeyClaim::stored_response`] does, if the key was taken before.
    pub async fn commit_response(self, context: &Context, response: &StoredResponse) -> Result<Option<StoredResponse>> {
        if self.unit.is_refused() {
            return self.find_response(context).await.map(Some);
        }
        match Box::pin(self.unit.end_with(&context.db, Some(self.final_statement(context, response)?))).await {
            Ok(()) => Ok(None),
            // The write may fail because a previous request already made it, so look up the key before returning the
            // error.
            Err(error) => Box::pin(self.stored_response(context)).await?.map(Some).ok_or(error),
        }
    }

    fn final_statement(&self, context: &Context, response: &StoredResponse) -> Result<FinalStatement> {
        let sealed = encrypt_response(&context.pepper, &self.hash, response)?;
        let values: Vec<Box<dyn ToSql + Sync + Send>> = vec![
            Box::new(self.tenant_id),
            Box::new(self.caller.clone()),
            Box::new(self.key.clone()),
            Box::new(self.oldest),
            Box::new(self.hash.clone()),
            Box::new(i16::try_from(response.status).unwrap_or_default()),
            Box::new(sealed),
            Box::new(context.clock.now()),
        ];
        Ok(FinalStatement {
            tenant_id: self.tenant_id,
            statement: OwnedStatement { sql: STORE_RESPONSE, values },
            with_entry: STORE_RESPONSE_AND_APPEND,
        })
    }
}

/// Begins the transaction of the unit of work, which takes the key.
async fn begin_transaction(context: &Context, tenant_id: TenantId) -> Result<()> {
    let mut tx = context.db.tenant(tenant_id).await?;
    tx.query_all(&[]).await?;
    tx.commit().await
}

fn request_hash(caller: &Caller, request: &KeyedRequest<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [request.method.as_bytes(), request.target.as_bytes(), caller.tenant_id.0.as_bytes(), request.body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// The key that encrypts responses. It is derived from the pepper, which the database does not hold.
fn sealing_key(pepper: &Pepper) -> Result<RandomizedNonceKey> {
    let mut hash = Sha256::new();
    hash.update(b"idempotency answers\0");
    hash.update(&pepper.0);
    RandomizedNonceKey::new(&AES_256_GCM, &hash.finalize()).map_err(|_| Error::internal("a key of the wrong length"))
}

type Headers = Vec<(String, Vec<u8>)>;

fn encrypt_response(pepper: &Pepper, request_hash: &[u8], response: &StoredResponse) -> Result<Vec<u8>> {
    let mut text = Vec::with_capacity(NONCE_LENGTH + response.body.len() + 1024);
    for (name, value) in &response.headers {
        for part in [name.as_bytes(), value] {
            let length = u16::try_from(part.len()).map_err(Error::internal)?;
            text.extend_from_slice(&length.to_be_bytes());
            text.extend_from_slice(part);
        }
    }
    // An empty name ends the headers; the body follows.
    text.extend_from_slice(&[0, 0]);
    text.extend_from_slice(&response.body);
    let sealed = sealing_key(pepper)?.seal_in_place_append_tag(Aad::from(request_hash), &mut text);
    let nonce = sealed.map_err(|_| Error::internal("a response could not be encrypted"))?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

fn decrypt_response(pepper: &Pepper, request_hash: &[u8], sealed: &[u8]) -> Result<(Headers, Vec<u8>)> {
    let broken = || Error::internal("a stored response cannot be decrypted; was the pepper changed?");
    let (nonce, text) = sealed.split_at_checked(NONCE_LENGTH).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut text = text.to_vec();
    let opened = sealing_key(pepper)?.open_in_place(nonce, Aad::from(request_hash), &mut text).map_err(|_| broken())?;
    unpack_response(opened).ok_or_else(broken)
}

fn unpack_response(mut text: &[u8]) -> Option<(Headers, Vec<u8>)> {
    let mut part = || {
        let (length, rest) = text.split_first_chunk()?;
        let (part, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        text = rest;
        Some(part)
    };
    let mut headers = Vec::new();
    loop {
        match part()? {
            [] => break,
            name => headers.push((String::from_utf8(name.to_vec()).ok()?, part()?.to_vec())),
        }
    }
    Some((headers, text.to_vec()))
}

/// Deletes the keys and responses that are older than [`RETENTION`].
pub(crate) async fn delete_expired(context: &Context) -> Result<()> {
    let until = context.clock.now() - TimeDelta::from_std(RETENTION).unwrap_or_default();
    context.db.query_directory("select delete_expired_idempotency_keys($1)", &[&until]).await?;
    Ok(())
}
