//! Deploying a template to `MiniStack`, by the protocol of AWS for it.

use std::time::Duration;

use reqwest::Client;
use tokio::time::sleep;

use crate::ministack::{Ministack, REGION};

impl Ministack {
    /// Makes a stack of a template and waits until it stands. Answers what `DescribeStacks` says of it.
    pub async fn deploy(&self, stack: &str, template: &str, parameters: &[(&str, &str)]) -> String {
        // As those who deploy do it: what is sent along may have 50 KiB at most.
        let place = format!("{}/{}/template.yaml", self.endpoint, self.bucket().await);
        let put = Client::new().put(&place).body(template.to_owned()).send().await.expect("it answers");
        assert!(put.status().is_success(), "{:?}", put.text().await);
        let mut form = vec![("TemplateURL".to_owned(), place)];
        for (number, capability) in [(1, "CAPABILITY_IAM"), (2, "CAPABILITY_AUTO_EXPAND")] {
            form.push((format!("Capabilities.member.{number}"), capability.to_owned()));
        }
        for (index, (name, value)) in parameters.iter().enumerate() {
            let number = index + 1;
            form.push((format!("Parameters.member.{number}.ParameterKey"), (*name).to_owned()));
            form.push((format!("Parameters.member.{number}.ParameterValue"), (*value).to_owned()));
        }
        self.cloudformation("CreateStack", stack, form).await;
        for _ in 0..300 {
            let reported = self.cloudformation("DescribeStacks", stack, Vec::new()).await;
            if reported.contains("CREATE_COMPLETE") {
                return reported;
            }
            let events = self.cloudformation("DescribeStackEvents", stack, Vec::new()).await;
            assert!(reported.contains("CREATE_IN_PROGRESS"), "the stack failed: {events}");
            sleep(Duration::from_millis(100)).await;
        }
        panic!("the stack did not stand within 30 s");
    }

    /// Makes a secret in Secrets Manager.
    pub async fn secret(&self, name: &str, value: &str) {
        let request = Client::new()
            .post(&self.endpoint)
            .header("authorization", credential("secretsmanager"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "secretsmanager.CreateSecret")
            .json(&serde_json::json!({"Name": name, "SecretString": value}));
        let answer = request.send().await.expect("it answers");
        assert!(answer.status().is_success(), "{:?}", answer.text().await);
    }

    async fn cloudformation(&self, action: &str, stack: &str, mut form: Vec<(String, String)>) -> String {
        for (name, value) in [("Action", action), ("Version", "2010-05-15"), ("StackName", stack)] {
            form.push((name.to_owned(), value.to_owned()));
        }
        let pairs: Vec<_> = form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = Client::new()
            .post(&self.endpoint)
            .header("authorization", credential("cloudformation"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.join("&"));
        let answer = request.send().await.expect("it answers").text().await.expect("as text");
        assert!(!answer.contains("<Error>"), "{action}: {answer}");
        answer
    }
}

/// By the service that it names the server knows whom a request is for; it checks no signature.
fn credential(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=none"
    )
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
