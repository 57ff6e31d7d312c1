/** How a session refers to a model in the registry. */
export function registryName(name: string, aliasOrVersion: string): string {
  return `registry/${name}@${aliasOrVersion}`;
}

/** The form for a new session that runs on a model. */
export function newSessionPath(model: string): string {
  return `/sessions/new/?model=${encodeURIComponent(model)}`;
}

export function versionPath(name: string, version: string): string {
  return `/models/detail/?name=${encodeURIComponent(name)}&version=${encodeURIComponent(version)}`;
}
