//! Capabilities of agents, from a fixed list. Skills are free text.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! capabilities {
    ($($name:ident $word:literal)+) => {
        /// A capability of an agent.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Capability { $($name),+ }

        impl Capability {
            pub const ALL: [Self; 33] = [$(Self::$name),+];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

capabilities! {
    RequirementsAnalysis "requirements_analysis"
    SystemDesign "system_design"
    ArchitecturePlanning "architecture_planning"
    TaskDecomposition "task_decomposition"
    CodeGeneration "code_generation"
    TestGeneration "test_generation"
    Testing "testing"
    Documentation "documentation"
    Refactoring "refactoring"
    BackendDevelopment "backend_development"
    FrontendDevelopment "frontend_development"
    DatabaseDesign "database_design"
    ApiDevelopment "api_development"
    CodeReview "code_review"
    SecurityAudit "security_audit"
    PerformanceAnalysis "performance_analysis"
    PerformanceOptimization "performance_optimization"
    ComplianceCheck "compliance_check"
    Debugging "debugging"
    BugFixing "bug_fixing"
    ErrorHandling "error_handling"
    Troubleshooting "troubleshooting"
    RootCauseAnalysis "root_cause_analysis"
    Optimization "optimization"
    Deployment "deployment"
    Configuration "configuration"
    CiCd "ci_cd"
    Monitoring "monitoring"
    Scaling "scaling"
    WorkflowOrchestration "workflow_orchestration"
    ResourceAllocation "resource_allocation"
    ConflictResolution "conflict_resolution"
    ProgressTracking "progress_tracking"
}

impl FromStr for Capability {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|one| one.name() == text).ok_or(())
    }
}

/// Whether a text may be a skill: 1 to 50 characters of a-z, 0-9, `_` and `-`.
pub fn is_skill(text: &str) -> bool {
    (1..=50).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_written_in_json_as_it_is_named() {
        for one in Capability::ALL {
            assert_eq!(serde_json::to_value(one).unwrap(), one.name());
            assert_eq!(one.name().parse(), Ok(one));
            assert!(is_skill(one.name()), "an unknown capability becomes a skill");
        }
    }
}
