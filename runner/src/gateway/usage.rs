//! The tokens that a provider counted, read from the answers of four protocols.
//!
//! Reading is lenient: a field that is missing, or is no number, counts as not reported.

use serde_json::Value;

/// Tokens of one call, with the same meaning for every protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// All tokens of the prompt, including those that were read from or written to the provider's cache.
    pub input_tokens: u64,
    /// The part of the input that was read from the cache.
    pub cached_tokens: u64,
    /// The part of the input that was written to the cache (Anthropic reports it).
    pub cache_write_tokens: u64,
    /// All generated tokens, including those of reasoning.
    pub output_tokens: u64,
    /// The part of the output that was reasoning, if the provider reports it.
    pub reasoning_tokens: u64,
}

/// The latest number of each field; a stream reports some at its beginning and others at its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UsageReader {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
    /// Anthropic counts the cache apart from the input.
    is_cache_apart: bool,
    /// Gemini counts reasoning apart from the output.
    is_reasoning_apart: bool,
}

impl UsageReader {
    /// Takes in an answer, or one event of a stream.
    pub(super) fn read(&mut self, value: &Value) {
        // Gemini's stream is a list where no events are asked for.
        for one in value.as_array().into_iter().flatten() {
            self.read(one);
        }
        let nested = [value.pointer("/message/usage"), value.pointer("/response/usage")];
        let blocks = [value.get("usage"), value.get("usageMetadata")].into_iter().chain(nested);
        for usage in blocks.flatten().filter(|usage| usage.is_object()) {
            self.read_block(usage);
        }
    }

    fn read_block(&mut self, usage: &Value) {
        let number = |paths: &[&str]| paths.iter().find_map(|path| usage.pointer(path)?.as_u64());
        let update = |field: &mut Option<u64>, paths: &[&str]| *field = number(paths).or(*field);
        self.is_cache_apart |=
            usage.get("cache_read_input_tokens").is_some() || usage.get("cache_creation_input_tokens").is_some();
        self.is_reasoning_apart |= usage.get("thoughtsTokenCount").is_some();
        update(&mut self.input, &["/prompt_tokens", "/input_tokens", "/promptTokenCount"]);
        update(&mut self.output, &["/completion_tokens", "/output_tokens", "/candidatesTokenCount"]);
        update(
            &mut self.cache_read,
            &[
                "/prompt_tokens_details/cached_tokens",
                "/input_tokens_details/cached_tokens",
                "/cache_read_input_tokens",
                "/prompt_cache_hit_tokens",
                "/cachedContentTokenCount",
            ],
        );
        update(&mut self.cache_write, &["/cache_creation_input_tokens"]);
        let reasoning = [
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
            "/thoughtsTokenCount",
        ];
        update(&mut self.reasoning, &reasoning);
    }

    /// What was counted; none if nothing was.
    pub(super) fn finish(&self) -> Option<TokenUsage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let (cached_tokens, cache_write_tokens) = (self.cache_read.unwrap_or(0), self.cache_write.unwrap_or(0));
        let apart = if self.is_cache_apart { cached_tokens.saturating_add(cache_write_tokens) } else { 0 };
        let reasoning_tokens = self.reasoning.unwrap_or(0);
        let reasoned_apart = if self.is_reasoning_apart { reasoning_tokens } else { 0 };
        Some(TokenUsage {
            input_tokens: self.input.unwrap_or(0).saturating_add(apart),
            cached_tokens,
            cache_write_tokens,
            output_tokens: self.output.unwrap_or(0).saturating_add(reasoned_apart),
            reasoning_tokens,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(values: &[Value]) -> Option<TokenUsage> {
        let mut reader = UsageReader::default();
        for value in values {
            reader.read(value);
        }
        reader.finish()
    }

    #[test]
    fn the_four_protocols_report_the_same_tokens_in_their_own_forms() {
        let expected = TokenUsage {
            input_tokens: 100,
            cached_tokens: 60,
            cache_write_tokens: 0,
            output_tokens: 50,
            reasoning_tokens: 20,
        };
        let chat = json!({"usage": {"prompt_tokens": 100, "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 60}, "completion_tokens_details": {"reasoning_tokens": 20}}});
        assert_eq!(read(&[chat]), Some(expected));
        let responses = json!({"type": "response.completed", "response": {"usage": {"input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 60}, "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 20}}}});
        assert_eq!(
            read(&[json!({"type": "response.created", "response": {"usage": null}}), responses]),
            Some(expected)
        );
        let gemini = json!({"candidates": [], "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 30,
            "cachedContentTokenCount": 60, "thoughtsTokenCount": 20, "totalTokenCount": 150}});
        let early = json!({"candidates": [], "usageMetadata": {"promptTokenCount": 100, "totalTokenCount": 100}});
        assert_eq!(read(&[early.clone(), gemini.clone()]), Some(expected));
        assert_eq!(read(&[json!([early, gemini])]), Some(expected), "a stream without events");
        let start = json!({"type": "message_start", "message": {"usage": {"input_tokens": 30, "output_tokens": 1,
            "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10}}});
        let delta = json!({"type": "message_delta", "usage": {"output_tokens": 50}});
        let expected = TokenUsage { cache_write_tokens: 10, reasoning_tokens: 0, ..expected };
        assert_eq!(read(&[start, delta]), Some(expected));
    }

    #[test]
    fn an_answer_without_numbers_reports_nothing() {
        for value in
            [json!({}), json!({"usage": null}), json!({"usage": 7}), json!({"usage": {"input_tokens": "9"}}), json!([])]
        {
            assert_eq!(read(std::slice::from_ref(&value)), None, "{value}");
        }
    }
}
