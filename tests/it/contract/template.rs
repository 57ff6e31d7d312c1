//! `template.yaml` as the claims want to read it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use harness::child_process::root;
use serde_yaml_ng::{Mapping, Value};

pub(crate) struct Template(Value);

pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) binary: String,
    pub(crate) timeout: u64,
    /// The statements of its policies, as text.
    pub(crate) policies: String,
    /// Its own and the global variables; what is not plain text is written as YAML.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) schedule: Option<String>,
}

pub(crate) struct Source {
    pub(crate) queue: String,
    pub(crate) response_types: Vec<String>,
}

pub(crate) struct Queue {
    pub(crate) visibility: u64,
    pub(crate) max_receives: u32,
    pub(crate) dead_letters: String,
}

impl Template {
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(root().join("template.yaml")).unwrap();
        Self(serde_yaml_ng::from_str(&text).unwrap())
    }

    fn of_type(&self, kind: &str) -> Vec<(String, &Value)> {
        let resources = self.0["Resources"].as_mapping().unwrap();
        let wanted = resources.iter().filter(|(_, resource)| resource["Type"] == kind);
        wanted.map(|(name, resource)| (name.as_str().unwrap().to_owned(), resource)).collect()
    }

    pub(crate) fn functions(&self) -> Vec<Function> {
        let all = self.of_type("AWS::Serverless::Function");
        all.into_iter().map(|(name, resource)| self.read_function(name, resource)).collect()
    }

    fn read_function(&self, name: String, resource: &Value) -> Function {
        let globals = &self.0["Globals"]["Function"];
        let properties = &resource["Properties"];
        let mut environment = BTreeMap::new();
        for variables in [globals, properties].map(|of| of["Environment"]["Variables"].as_mapping()) {
            environment
                .extend(variables.unwrap_or(&Mapping::new()).iter().map(|(name, value)| (text(name), text(value))));
        }
        let events = properties["Events"].as_mapping().cloned().unwrap_or_default();
        let schedule = events.values().find(|event| event["Type"] == "ScheduleV2");
        Function {
            name,
            binary: text(&resource["Metadata"]["BuildProperties"]["Binary"]),
            timeout: properties["Timeout"].as_u64().or(globals["Timeout"].as_u64()).unwrap(),
            policies: text(&properties["Policies"]),
            environment,
            schedule: schedule.map(|event| text(&event["Properties"]["ScheduleExpression"])),
        }
    }

    /// The function with this name in the template.
    fn function_of(&self, name: &str) -> Function {
        self.functions().into_iter().find(|function| function.name == name).expect(name)
    }

    pub(crate) fn function(&self, binary: &str) -> Function {
        self.functions().into_iter().find(|function| function.binary == binary).expect(binary)
    }

    /// The event source of a function.
    pub(crate) fn source(&self, function: &str) -> Source {
        let all = self.of_type("AWS::Lambda::EventSourceMapping");
        let (_, source) = all.into_iter().find(|(_, s)| target(&s["Properties"]["FunctionName"]) == function).unwrap();
        let types = source["Properties"]["FunctionResponseTypes"].as_sequence().unwrap();
        Source {
            queue: target(&source["Properties"]["EventSourceArn"]),
            response_types: types.iter().map(text).collect(),
        }
    }

    /// The queues that a function may put messages into, by its own policies.
    pub(crate) fn sends_to(&self, function: &str) -> BTreeSet<String> {
        let of = |value: &Value| value.as_sequence().cloned().unwrap_or_default();
        let policies = of(&self.resource(function)["Properties"]["Policies"]);
        let statements = policies.iter().flat_map(|policy| of(&policy["Statement"]));
        let sends = statements.filter(|one| of(&one["Action"]).contains(&"sqs:SendMessage".into()));
        sends.flat_map(|statement| of(&statement["Resource"])).map(|queue| target(&queue)).collect()
    }

    pub(crate) fn queues(&self) -> Vec<String> {
        self.of_type("AWS::SQS::Queue").into_iter().map(|(name, _)| name).collect()
    }

    pub(crate) fn queue(&self, name: &str) -> Queue {
        let properties = &self.0["Resources"][name]["Properties"];
        let redrive = &properties["RedrivePolicy"];
        Queue {
            visibility: properties["VisibilityTimeout"].as_u64().unwrap(),
            max_receives: u32::try_from(redrive["maxReceiveCount"].as_u64().unwrap()).unwrap(),
            dead_letters: target(&redrive["deadLetterTargetArn"]),
        }
    }

    /// The paths that API Gateway asks the authorizer about, where the template's condition says so.
    pub(crate) fn guarded(&self) -> BTreeSet<String> {
        let all = self.routes_of("Api").into_iter().map(|route| &route["Properties"]);
        let guarded = all.filter(|route| {
            let named = |key: &str| serde_yaml_ng::to_string(&route[key]).unwrap().replace('\n', " ");
            let (kind, authorizer) = (named("AuthorizationType"), named("AuthorizerId"));
            let asks = kind.contains("AsksFirst - CUSTOM - NONE") && authorizer.contains("AsksFirst - !Ref Authorizer");
            assert!(asks || (kind.trim(), authorizer.trim()) == ("null", "null"), "{kind} {authorizer}");
            asks
        });
        guarded.map(|route| text(&route["RouteKey"]).trim_start_matches("ANY ").to_owned()).collect()
    }

    /// A resource's own words.
    pub(crate) fn resource(&self, name: &str) -> &Value {
        &self.0["Resources"][name]
    }

    /// The routes of one API.
    fn routes_of(&self, api: &str) -> Vec<&Value> {
        let all = self.of_type("AWS::ApiGatewayV2::Route").into_iter().map(|(_, route)| route);
        all.filter(|route| text(&route["Properties"]["ApiId"]) == api).collect()
    }

    /// What API Gateway calls a function with of the connections that it holds: the route keys, with the integrations.
    pub(crate) fn socket_routes(&self) -> BTreeMap<String, String> {
        let routes = self.routes_of("LiveApi").into_iter().map(|route| &route["Properties"]);
        routes.map(|route| (text(&route["RouteKey"]), text(&route["Target"]))).collect()
    }

    /// The path of each route, with the binary that serves it.
    pub(crate) fn routes(&self) -> BTreeMap<String, String> {
        let routes = self.routes_of("Api").into_iter().map(|route| {
            let key = text(&route["Properties"]["RouteKey"]);
            let target = text(&route["Properties"]["Target"]);
            let function = target.trim_start_matches("integrations/${").trim_end_matches("Integration}").to_owned();
            (key.trim_start_matches("ANY ").to_owned(), self.function_of(&function).binary)
        });
        routes.collect()
    }
}

/// The resource that a `!Ref` or `!GetAtt` names.
fn target(value: &Value) -> String {
    text(value).split('.').next().unwrap().to_owned()
}

/// A scalar as it is, a `!Ref`, `!Sub` or `!GetAtt` as what it holds, anything else as YAML.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Tagged(tagged) => text(&tagged.value),
        other => serde_yaml_ng::to_string(other).unwrap().trim().to_owned(),
    }
}
