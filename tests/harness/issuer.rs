//! An issuer of tokens on this machine: a real server of its own, whose keys and answers a test decides.

use std::{
    future::pending,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaKeyPair,
    },
};
use axum::{
    Router,
    body::Body,
    http::{Response, StatusCode, header},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use shared::{
    identity::auth::oidc::{issuer::Issuer as Settings, settings},
    kernel::clock::Clock,
};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};

/// The audience of a test's tokens.
pub const AUDIENCE: &str = "ioc-tests";

/// A key that signs.
#[derive(Clone)]
pub struct Key {
    pub id: String,
    kind: Arc<Kind>,
}

enum Kind {
    Rsa(&'static RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// How the server answers.
#[derive(Clone, Debug)]
pub enum Mode {
    Up,
    /// With this status.
    Failing(u16),
    /// Never, until the test changes that.
    Held,
    /// With the place of somebody else.
    Elsewhere(String),
    /// With these bytes.
    Bytes(Vec<u8>),
}

/// The server. It ends with the test.
pub struct Issuer {
    pub url: String,
    pub key: Key,
    shared: Arc<Shared>,
    clock: Clock,
    _server: JoinSet<()>,
}

struct Shared {
    published: Mutex<Vec<Value>>,
    mode: Mutex<Mode>,
    let_go: Notify,
    /// How often each document was asked for.
    discoveries: AtomicUsize,
    fetches: AtomicUsize,
    /// The issuer that the discovery document names.
    discovery: Mutex<Value>,
}

impl Issuer {
    /// One whose only key is of the elliptic curve P-256.
    pub async fn start(clock: &Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let key = Key::ec("first");
        let shared = Arc::new(Shared {
            published: Mutex::new(vec![key.public()]),
            mode: Mutex::new(Mode::Up),
            let_go: Notify::new(),
            discoveries: AtomicUsize::new(0),
            fetches: AtomicUsize::new(0),
            discovery: Mutex::new(json!({"issuer": url, "jwks_uri": format!("{url}/keys")})),
        });
        let (one, other) = (shared.clone(), shared.clone());
        let discovery = move || {
            one.discoveries.fetch_add(1, Ordering::SeqCst);
            let document = one.discovery.lock().expect("no test panics here").clone();
            one.clone().answer(document)
        };
        let keys = move || {
            other.fetches.fetch_add(1, Ordering::SeqCst);
            let keys = other.published.lock().expect("no test panics here").clone();
            other.clone().answer(json!({"keys": keys}))
        };
        let router = Router::new().route("/.well-known/openid-configuration", get(discovery)).route("/keys", get(keys));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.expect("the server serves") });
        Self { url, key, shared, clock: clock.clone(), _server: server }
    }

    /// The configuration of this issuer for ioc, with further settings.
    pub fn settings(&self, more: &Value) -> Settings {
        let mut one = json!({"issuer": self.url, "audience": AUDIENCE});
        merge(&mut one, more);
        settings::parse_issuers(&json!([one]).to_string()).expect("settings that are right").remove(0)
    }

    /// A token as it should be, with these claims besides; null takes one away.
    pub fn token(&self, claims: &Value) -> String {
        self.signed(&json!({}), claims, &self.key)
    }

    /// A token with these words in its header and claims, signed with any key.
    pub fn signed(&self, header: &Value, claims: &Value, key: &Key) -> String {
        let mut whole_header = json!({"alg": key.algorithm(), "kid": key.id, "typ": "JWT"});
        merge(&mut whole_header, header);
        let message = message(&whole_header, &self.claims(claims));
        let pss = whole_header["alg"] == "PS256";
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes(), pss)))
    }

    /// The default claims of a token, with these added.
    pub fn claims(&self, more: &Value) -> Value {
        let now = self.clock.now().timestamp();
        let mut claims = json!({"iss": self.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 600,
                                "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace"});
        merge(&mut claims, more);
        claims
    }

    /// Publishes these keys and no others.
    pub fn publish(&self, keys: Vec<Value>) {
        *self.shared.published.lock().expect("no test panics here") = keys;
    }

    /// Takes another key in the place of its own.
    pub fn rotate(&mut self, id: &str) {
        self.key = Key::ec(id);
        self.publish(vec![self.key.public()]);
    }

    /// Says this of itself in its discovery document.
    pub fn says(&self, document: Value) {
        *self.shared.discovery.lock().expect("no test panics here") = document;
    }

    pub fn is(&self, mode: Mode) {
        *self.shared.mode.lock().expect("no test panics here") = mode;
        self.shared.let_go.notify_waiters();
    }

    /// How often its keys were asked for.
    pub fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// How often it was asked at all.
    pub fn calls(&self) -> usize {
        self.fetches() + self.shared.discoveries.load(Ordering::SeqCst)
    }
}

impl Shared {
    async fn answer(self: Arc<Self>, document: Value) -> Response<Body> {
        let mode = loop {
            let let_go = self.let_go.notified();
            let mode = self.mode.lock().expect("no test panics here").clone();
            if !matches!(mode, Mode::Held) {
                break mode;
            }
            let_go.await;
        };
        let (status, place, body) = match mode {
            Mode::Up => (StatusCode::OK, None, document.to_string().into_bytes()),
            Mode::Failing(status) => (StatusCode::from_u16(status).expect("a status"), None, Vec::new()),
            Mode::Elsewhere(place) => (StatusCode::FOUND, Some(place), Vec::new()),
            Mode::Bytes(bytes) => (StatusCode::OK, None, bytes),
            Mode::Held => pending().await,
        };
        let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
        if let Some(place) = place {
            response = response.header(header::LOCATION, place);
        }
        response.body(Body::from(body)).expect("a response")
    }
}

impl Key {
    /// A new key of the curve P-256, for ES256.
    pub fn ec(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { id: id.to_owned(), kind: Arc::new(Kind::Ec(pair)) }
    }

    /// A new key of the curve Ed25519.
    pub fn ed(id: &str) -> Self {
        Self { id: id.to_owned(), kind: Arc::new(Kind::Ed(Ed25519KeyPair::generate().expect("a key"))) }
    }

    /// The one RSA key of all tests, because finding one takes long.
    pub fn rsa(id: &str) -> Self {
        static PAIR: OnceLock<RsaKeyPair> = OnceLock::new();
        let pair = PAIR.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"));
        Self { id: id.to_owned(), kind: Arc::new(Kind::Rsa(pair)) }
    }

    /// The algorithm that it signs with, unless a header says PS256.
    pub fn algorithm(&self) -> &'static str {
        match *self.kind {
            Kind::Rsa(_) => "RS256",
            Kind::Ec(_) => "ES256",
            Kind::Ed(_) => "EdDSA",
        }
    }

    /// Its public part, as a JWK.
    pub fn public(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut key = match &*self.kind {
            Kind::Rsa(pair) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({"kty": "RSA", "n": text(n.big_endian_without_leading_zero()),
                       "e": text(e.big_endian_without_leading_zero())})
            }
            Kind::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)})
            }
            Kind::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())}),
        };
        merge(&mut key, &json!({"kid": self.id, "use": "sig"}));
        key
    }

    /// Its public part in the binary form of certificates, which an HMAC might be made with.
    pub fn public_bytes(&self) -> Vec<u8> {
        match &*self.kind {
            Kind::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Kind::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Kind::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn sign(&self, message: &[u8], pss: bool) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.kind {
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding =
                    if pss { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                pair.sign(padding, &random, message, &mut signature).expect("a signature");
                signature
            }
            Kind::Ec(pair) => pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Kind::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// The part of a token that is signed.
pub fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A token whose signature is an HMAC-SHA256 with this secret.
pub fn with_hmac(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = message(header, claims);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, message.as_bytes())))
}

/// Lays fields over others; null takes one away.
fn merge(whole: &mut Value, more: &Value) {
    let (Value::Object(whole), Value::Object(more)) = (whole, more) else { return };
    for (name, value) in more {
        if value.is_null() {
            whole.remove(name);
        } else {
            whole.insert(name.clone(), value.clone());
        }
    }
}
