//! HTTP for every area: extractors, responses, problems, the layers around the routes, and the rules of the OpenAPI
//! document. Knows no area.

pub(crate) mod deadline;
pub(crate) mod layers;
pub(crate) mod problem;
pub(crate) mod protocol;
pub(crate) mod query;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod sse;
pub(crate) mod version;
