/**
 * The types of runners, environments and secrets. They are derived from the operations, not from the names of schemas,
 * so that this is the only file that depends on how the document divides them.
 */
import type { paths } from "./schema";

type JsonContent<Response> = Response extends { content: { "application/json": infer Content } } ? Content : never;

/** What an operation returns: its response with the status 200 or 201. */
type ResponseOf<Operation> = Operation extends { responses: infer Responses }
  ? JsonContent<Responses[(200 | 201) & keyof Responses]>
  : never;

type BodyOf<Operation> = Operation extends { requestBody: infer Body } ? JsonContent<Body> : never;

type ItemOf<Page> = Page extends { items: (infer Item)[] } ? Item : never;

type Runners = paths["/api/v1/runners"];
type Enrolments = paths["/api/v1/runners/enrolments"];
type Environments = paths["/api/v1/environments"];

export type Runner = ItemOf<ResponseOf<Runners["get"]>>;
export type RunnerState = Runner["state"];
export type RunnerIsolation = Runner["isolation"];
export type RunnerProgram = Runner["programs"][number];

/** A runner with the tasks of this tenant that it works on. */
export type RunnerDetails = ResponseOf<paths["/api/v1/runners/{id}"]["get"]>;
export type RunnerTask = RunnerDetails["tasks"][number];

/** The permission to register runners in a pool, without its token. */
export type Enrolment = ItemOf<ResponseOf<Enrolments["get"]>>;
export type NewEnrolment = BodyOf<Enrolments["post"]>;
export type CreatedEnrolment = ResponseOf<Enrolments["post"]>;

export type Environment = ItemOf<ResponseOf<Environments["get"]>>;
export type NewEnvironment = BodyOf<Environments["post"]>;
export type EnvironmentPatch = BodyOf<paths["/api/v1/environments/{id}"]["patch"]>;
export type EnvironmentVersion = ItemOf<ResponseOf<paths["/api/v1/environments/{id}/versions"]["get"]>>;
/** Where and with what a session works: the fields that an environment and its versions have in common. */
export type EnvironmentSpec = Omit<EnvironmentVersion, "version" | "name" | "created_by" | "created_at">;
export type EnvironmentRepository = NonNullable<EnvironmentSpec["repositories"]>[number];
export type McpServer = NonNullable<Environment["mcp_servers"]>[number];
export type NetworkMode = NonNullable<NonNullable<EnvironmentSpec["network"]>["agent"]>;
export type MinimumIsolation = NonNullable<EnvironmentSpec["minimum_isolation"]>;
export type AgentSettings = NonNullable<Environment["agent"]>;
type ToolPermissions = NonNullable<AgentSettings["permissions"]>;
export type ToolPermission = NonNullable<ToolPermissions[keyof ToolPermissions]>;

/** A secret without its value, which no response contains. */
export type Secret = ItemOf<ResponseOf<paths["/api/v1/secrets"]["get"]>>;
export type SecretScope = Secret["scope"];
export type SecretPhase = Secret["phase"];
export type SecretKind = Secret["kind"];
export type SecretInput = BodyOf<paths["/api/v1/secrets/{scope}/{name}"]["put"]>;
