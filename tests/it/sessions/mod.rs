//! Claims about sessions, through the API.

mod life;
